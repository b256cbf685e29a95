use std::path::PathBuf;

use image_builder::uki::{self, Built, Key};

use super::medium::Medium;
use super::output::{Format, megabytes, progress, report};
use super::refresh::Refresh;

/// Build a unified kernel image: kernel, initramfs and command line in one program for UEFI, under one signature.
///
/// For machines that know a key of their owner's. It starts one entry of the boot menu and shows none. `usb --uki`
/// puts it onto a stick; it can also be an EFI boot entry of its own. Without a key it is not signed.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    medium: Medium,
    /// Which entry of the boot menu it starts
    #[arg(long, default_value = "assess")]
    entry: String,
    /// The private key to sign with (PEM, without a passphrase)
    #[arg(long, requires = "sign_cert", value_name = "FILE")]
    sign_key: Option<PathBuf>,
    /// The certificate that the machine knows (PEM)
    #[arg(long, requires = "sign_key", value_name = "FILE")]
    sign_cert: Option<PathBuf>,
    /// The file to write
    #[arg(short, long)]
    output: PathBuf,
    #[command(flatten)]
    refresh: Refresh,
    /// How to print what was built
    #[arg(long, default_value = "text")]
    format: Format,
}

pub(crate) fn run(arguments: Arguments) -> anyhow::Result<()> {
    let recipe = arguments.medium.recipe()?;
    let key = arguments.sign_key.zip(arguments.sign_cert);
    let key = key.map(|(key, certificate)| Key { key, certificate });
    let (entry, output) = (&arguments.entry, &arguments.output);
    let cache = arguments.refresh.cache()?;
    let built = uki::build(&recipe, entry, key.as_ref(), &cache, output, &progress)?;
    report(arguments.format, output, &built, text)
}

fn text(built: &Built) -> String {
    let size = megabytes(usize::try_from(built.bytes).unwrap_or(usize::MAX));
    let kernel = built.kernel.as_deref().unwrap_or("of unknown version");
    let signed = if built.signed { "signed" } else { "not signed" };
    format!(
        "{size} MB, {signed}, kernel {kernel}\n  {}",
        built.command_line
    )
}
