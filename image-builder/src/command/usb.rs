use std::path::PathBuf;
use std::time::Instant;

use image_builder::grub::Packages;
use image_builder::progress::Progress;
use image_builder::usb::{self, Built};

use super::medium::Medium;
use super::output::{Format, file_lines, megabytes, progress, report, size_and_time};
use super::refresh::Refresh;

/// Build the stick: a disk image that starts on BIOS, on UEFI, and with Secure Boot on.
///
/// Write it to a stick with any tool. The same inputs give the same bytes. SOURCE_DATE_EPOCH sets the time of
/// all files; without it they are from 1980, the first year that FAT knows. Neither root nor a loop device is
/// needed. Debian's GRUB and shim come from the mirror that this machine's apt uses.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    medium: Medium,
    /// Let UEFI start this unified kernel image (see uki) instead of shim, GRUB and the boot menu.
    /// It has a command line of its own: --kernel-option is then for BIOS alone
    #[arg(long, value_name = "FILE")]
    uki: Option<PathBuf>,
    /// The file to write; compressed where the name ends in .zst
    #[arg(short, long)]
    output: PathBuf,
    #[command(flatten)]
    refresh: Refresh,
    /// How to print what was built
    #[arg(long, default_value = "text")]
    format: Format,
}

pub(crate) fn run(arguments: Arguments) -> anyhow::Result<()> {
    let start = Instant::now();
    let mut recipe = arguments.medium.recipe()?;
    recipe.uki = arguments.uki;
    progress(Progress::Doing("fetching boot loaders"));
    let packages = Packages::fetch(&arguments.refresh.cache()?)?;
    let output = &arguments.output;
    let built = usb::build(&recipe, &packages, output, &progress)?;
    report(arguments.format, output, &built, |built| text(built, start))
}

fn text(built: &Built, start: Instant) -> String {
    let size = |bytes: u64| megabytes(usize::try_from(bytes).unwrap_or(usize::MAX));
    let compressed = match built.written == built.bytes {
        true => String::new(),
        false => format!(", compressed {} MB", size(built.written)),
    };
    let mut text = format!("{}{compressed}\n", size_and_time(built.bytes, start));
    for partition in &built.partitions {
        let size = size(partition.length);
        text.push_str(&format!(
            "\n  {:14}  {size:>6} MB  {}",
            partition.name, partition.id
        ));
    }
    text.push('\n');
    text.push_str(&file_lines(&built.files));
    text
}
