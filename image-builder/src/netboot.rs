//! What a server gives machines that boot by network: kernel, initramfs, and a script for iPXE; beside them what
//! they are from.

use std::io::Write;
use std::path::Path;

use serde::Serialize;

use crate::boot_menu::{BootMenu, INITRAMFS_FILE, KERNEL_FILE, SCRIPT_FILE};
use crate::fat::NewFile;
use crate::image::Origins;
use crate::inspect;
use crate::io::{self, Context};
use crate::medium::{self, BuiltFile, MediumError, Recipe};

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

/// Writes the files of a recipe into a folder, each of which appears only when it is whole, and the script when
/// what it names is there.
pub fn build(recipe: &Recipe, folder: &Path) -> Result<Built, MediumError> {
    let menu = BootMenu::standard(&recipe.kernel_options)?;
    let script = menu.ipxe_script()?;
    let (kernel, image) = recipe.read_kernel()?;
    let release = image.release().map(str::to_owned);
    let initramfs = recipe.read_initramfs()?;
    let mut origins = Origins::default();
    inspect::tell_kernel(&mut origins, KERNEL_FILE, &kernel, &initramfs);
    origins.license(SCRIPT_FILE, env!("CARGO_PKG_LICENSE"));
    let mut files = vec![
        NewFile::new(KERNEL_FILE, kernel),
        NewFile::new(INITRAMFS_FILE, initramfs),
        NewFile::new(SCRIPT_FILE, script),
    ];
    let manifest = medium::manifest(&files, &origins, &[], &[])?;
    files.insert(0, manifest);
    for file in &files {
        let path = folder.join(&file.path);
        io::put_in_place(&path, |to| to.write_all(&file.content).at("write", &path))?;
    }
    Ok(Built {
        schema: "preflight.netboot/1",
        kernel: release,
        files: files.iter().map(BuiltFile::of).collect(),
    })
}
