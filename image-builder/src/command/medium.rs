use std::path::PathBuf;

use image_builder::medium::Recipe;

use super::source_date_epoch;

/// What every medium is made of.
#[derive(clap::Args)]
pub(crate) struct Medium {
    /// The kernel (bzImage), as `initramfs --kernel-out` writes it
    #[arg(long)]
    kernel: PathBuf,
    /// The initramfs that goes with it
    #[arg(long)]
    initramfs: PathBuf,
    /// One more word for the kernel's command line, in every entry of the boot menu
    #[arg(long, value_name = "WORD", allow_hyphen_values = true)]
    kernel_option: Vec<String>,
}

impl Medium {
    pub(crate) fn recipe(self) -> anyhow::Result<Recipe> {
        Ok(Recipe {
            kernel: self.kernel,
            initramfs: self.initramfs,
            kernel_options: self.kernel_option,
            uki: None,
            modified: source_date_epoch()?,
        })
    }
}
