//! What a server gives machines that boot by network: kernel, initramfs, and a script for iPXE.

use std::io::Write;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::boot_menu::{BootMenu, INITRAMFS_FILE, KERNEL_FILE, MenuError};
use crate::digest::sha256;
use crate::io::{self, Context, IoError};
use crate::kernel_image::KernelImage;

/// Name of the script.
pub const SCRIPT_FILE: &str = "preflight.ipxe";

/// What is to be served.
#[derive(Debug, Clone)]
pub struct Recipe {
    /// The kernel (bzImage).
    pub kernel: PathBuf,
    /// The initramfs that goes with it.
    pub initramfs: PathBuf,
    /// More words for the kernel's command line in every entry of the menu.
    pub kernel_options: Vec<String>,
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Built {
    /// `preflight.netboot/1`
    pub schema: &'static str,
    /// The release of the kernel, when it says one.
    pub kernel: Option<String>,
    /// The files, the script last.
    pub files: Vec<BuiltFile>,
}

/// A file to be served.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BuiltFile {
    /// Its name in the folder.
    pub name: &'static str,
    /// Bytes.
    pub bytes: usize,
    /// Of its content.
    pub sha256: String,
}

/// The folder could not be made.
#[derive(Debug, thiserror::Error)]
pub enum NetbootError {
    /// The file system said no.
    #[error(transparent)]
    Io(#[from] IoError),
    /// The menu has words that iPXE cannot be told.
    #[error(transparent)]
    Menu(#[from] MenuError),
    /// The kernel is none.
    #[error("{} is no kernel for a PC (bzImage)", path.display())]
    NoKernel {
        /// The file.
        path: PathBuf,
    },
}

/// Writes the files of a recipe into a folder, each of which appears only when it is whole, and the script when
/// what it names is there.
pub fn build(recipe: &Recipe, folder: &Path) -> Result<Built, NetbootError> {
    let menu = BootMenu::standard(&recipe.kernel_options)?;
    let script = menu.ipxe_script()?;
    let kernel = io::read(&recipe.kernel)?;
    let image = KernelImage::parse(&kernel).ok_or_else(|| NetbootError::NoKernel {
        path: recipe.kernel.clone(),
    })?;
    let initramfs = io::read(&recipe.initramfs)?;
    let files = [
        (KERNEL_FILE, kernel.as_slice()),
        (INITRAMFS_FILE, &initramfs),
        (SCRIPT_FILE, script.as_bytes()),
    ];
    for (name, content) in files {
        let path = folder.join(name);
        io::put_in_place(&path, |file| file.write_all(content).at("write", &path))?;
    }
    Ok(Built {
        schema: "preflight.netboot/1",
        kernel: image.release().map(str::to_owned),
        files: files
            .map(|(name, content)| BuiltFile {
                name,
                bytes: content.len(),
                sha256: sha256(content),
            })
            .to_vec(),
    })
}
