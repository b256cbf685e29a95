use std::path::PathBuf;

use image_builder::netboot::{self, Built, Recipe, SCRIPT_FILE};

use super::output::{Format, megabytes, print};

/// Write what a server gives machines that boot by network: kernel, initramfs, and a script for iPXE with the boot
/// menu.
///
/// Serve the folder by HTTP or TFTP, and let iPXE load the script: by `chain http://SERVER/preflight.ipxe`, or as
/// the boot file name that DHCP gives. Kernel and initramfs are loaded from the folder that the script came from.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The kernel (bzImage), as `initramfs --kernel-out` writes it
    #[arg(long)]
    kernel: PathBuf,
    /// The initramfs that goes with it
    #[arg(long)]
    initramfs: PathBuf,
    /// One more word for the kernel's command line, in every entry of the boot menu
    #[arg(long, value_name = "WORD", allow_hyphen_values = true)]
    kernel_option: Vec<String>,
    /// The folder to write to; it is made where it is missing
    #[arg(short, long, value_name = "FOLDER")]
    output: PathBuf,
    /// How to print what was written
    #[arg(long, default_value = "text")]
    format: Format,
}

pub(crate) fn run(arguments: Arguments) -> anyhow::Result<()> {
    let recipe = Recipe {
        kernel: arguments.kernel,
        initramfs: arguments.initramfs,
        kernel_options: arguments.kernel_option,
    };
    let folder = arguments.output;
    let built = netboot::build(&recipe, &folder)?;
    print(&match arguments.format {
        Format::Json => serde_json::to_string_pretty(&built)?,
        Format::Text => {
            let script = folder.join(SCRIPT_FILE);
            format!("{}: {}", script.display(), text(&built))
        }
    })
}

fn text(built: &Built) -> String {
    let kernel = built.kernel.as_deref().unwrap_or("of unknown version");
    let mut text = format!("the boot menu for iPXE, kernel {kernel}\n");
    for file in &built.files {
        let size = megabytes(file.bytes);
        text.push_str(&format!("\n  {:14}  {size:>6} MB", file.name));
    }
    text
}
