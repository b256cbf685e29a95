use std::env;
use std::path::{Path, PathBuf};

use crate::lab_image::unpacked_once;

/// A kernel and an initramfs to boot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Images {
    /// The kernel (bzImage).
    pub kernel: PathBuf,
    /// The initramfs.
    pub initramfs: PathBuf,
}

impl Images {
    /// What `make image` has built, or what `PREFLIGHT_KERNEL` and `PREFLIGHT_INITRAMFS` name instead. An
    /// error says what is missing.
    pub fn find() -> Result<Self, String> {
        Ok(Self {
            kernel: Self::kernel()?,
            initramfs: existing("PREFLIGHT_INITRAMFS", "initramfs.img")?,
        })
    }

    /// The same, with an initramfs in which nothing is compressed: for boots that are not about how it is packed.
    pub fn unpacked() -> Result<Self, String> {
        let packed = Self::find()?;
        let initramfs = unpacked_once(&packed.initramfs).map_err(|error| format!("{error:#}"))?;
        Ok(Self {
            initramfs,
            ..packed
        })
    }

    /// The kernel alone.
    pub fn kernel() -> Result<PathBuf, String> {
        existing("PREFLIGHT_KERNEL", "vmlinuz")
    }
}

fn existing(variable: &str, name: &str) -> Result<PathBuf, String> {
    let path = env::var_os(variable).map_or_else(|| output_folder().join(name), PathBuf::from);
    if path.is_file() {
        Ok(path)
    } else {
        Err(format!(
            "{} is not there; run make image, or set {variable}",
            path.display()
        ))
    }
}

/// The workspace's `out/`: images, and the logs of runs.
pub(crate) fn output_folder() -> PathBuf {
    repository().join("out")
}

/// The folder of the workspace.
pub(crate) fn repository() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}
