use std::path::PathBuf;

use image_builder::boot_menu::SCRIPT_FILE;
use image_builder::netboot::{self, Built};

use super::medium::Medium;
use super::output::{Format, file_lines, report};

/// Write what a server gives machines that boot by network: kernel, initramfs, and a script for iPXE with the boot
/// menu; beside them what they are from.
///
/// Serve the folder by HTTP or TFTP, and let iPXE load the script: by `chain http://SERVER/preflight.ipxe`, or as
/// the boot file name that DHCP gives. Kernel and initramfs are loaded from the folder that the script came from.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    medium: Medium,
    /// The folder to write to; it is made where it is missing
    #[arg(short, long, value_name = "FOLDER")]
    output: PathBuf,
    /// How to print what was written
    #[arg(long, default_value = "text")]
    format: Format,
}

pub(crate) fn run(arguments: Arguments) -> anyhow::Result<()> {
    let recipe = arguments.medium.recipe()?;
    let folder = arguments.output;
    let built = netboot::build(&recipe, &folder)?;
    let script = folder.join(SCRIPT_FILE);
    report(arguments.format, &script, &built, text)
}

fn text(built: &Built) -> String {
    let kernel = built.kernel.as_deref().unwrap_or("of unknown version");
    let files = file_lines(&built.files);
    format!("the boot menu for iPXE, kernel {kernel}\n{files}")
}
