//! Builds the initramfs that every kind of boot medium carries.

mod content;
mod error;
mod recipe;

use std::io::{BufWriter, Write};
use std::path::Path;

use serde::Serialize;

use content::Content;
pub use error::BuildError;
pub use recipe::{Binary, LeftOut, MODULE_LIST, Recipe};

use crate::firmware;
use crate::image::{Digests, Image, KernelLine, Origins, Size, manifest, sizes, write_archive};
use crate::io::{self, Context};
use crate::modules::{Kernel, Modules};
use crate::package::Tree;
use crate::progress::Progress::Doing;
use crate::progress::Watch;

/// In the place of a path where digests are kept: the kernel image lies beside the initramfs.
const KERNEL_IMAGE: &str = "/kernel image";

/// What was built.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Built {
    /// `preflight.image/1`
    pub schema: &'static str,
    /// The release of the kernel that it fits.
    pub kernel: String,
    /// Number of modules.
    pub modules: usize,
    /// Optional entries of the module list that lead to graphics drivers and are not carried.
    pub left_out: Vec<String>,
    /// Optional tools that are not carried, since the kernel lacks their modules.
    pub tools_left_out: Vec<LeftOut>,
    /// Firmware that modules ask for and that is not carried.
    pub firmware_missing: Vec<firmware::Missing>,
    /// Bytes of the file.
    pub bytes: u64,
    /// Bytes before compression.
    pub unpacked: usize,
    /// What they are for, largest first.
    pub sizes: Vec<Size>,
}

/// The kernel of a recipe, with the modules that were built outside its package.
pub fn kernel(recipe: &Recipe, progress: Watch) -> Result<Kernel, BuildError> {
    progress(Doing(&format!("reading {}", recipe.kernel.display())));
    let mut kernel = Kernel::open(Tree::open(&recipe.kernel)?, recipe.release.as_deref())?;
    for folder in &recipe.module_folders {
        kernel.add_modules(folder)?;
    }
    Ok(kernel)
}

/// Builds the initramfs of a recipe into a file, which appears only when it is whole. `progress`
/// hears what is being done.
pub fn build(recipe: &Recipe, output: &Path, progress: Watch) -> Result<Built, BuildError> {
    build_for(&kernel(recipe, progress)?, recipe, output, progress)
}

/// As [`build`], for the kernel of the recipe that was opened already.
pub fn build_for(
    kernel: &Kernel,
    recipe: &Recipe,
    output: &Path,
    progress: Watch,
) -> Result<Built, BuildError> {
    progress(Doing(&format!("choosing modules of {}", kernel.release())));
    let modules = Modules::close(kernel, &recipe.modules(kernel)?)?;
    progress(Doing("collecting programs"));
    let image = Content::collect(recipe, kernel, &modules)?;
    let beside = recipe.kernel_output.as_deref();
    let beside = beside.map(|path| Ok::<_, BuildError>((path, kernel.image()?)));
    let beside = beside.transpose()?;
    let bytes = io::put_in_place(output, |file| {
        let file = BufWriter::new(file);
        write_archive(&image, recipe.level, recipe.modified, file, progress).at("write", output)
    })?;
    // Last: where the initramfs cannot be built, an older pair stays together.
    if let Some((path, content)) = beside {
        io::put_in_place(path, |file| file.write_all(&content).at("write", path))?;
    }
    let sizes = sizes(&image);
    Ok(Built {
        schema: "preflight.image/1",
        kernel: kernel.release().to_owned(),
        modules: modules.iter().count(),
        left_out: modules.left_out().to_vec(),
        firmware_missing: firmware::missing(&image, &modules),
        tools_left_out: recipe.tools_and_left_out(kernel)?.1,
        bytes,
        unpacked: sizes.iter().map(|size| size.bytes).sum(),
        sizes,
    })
}

/// The manifest goes in last: it lists everything else.
fn add_manifest(
    image: &mut Image,
    digests: Digests,
    kernel: &Kernel,
    modules: &Modules,
    origins: &Origins,
    kernel_package: Option<String>,
) -> Result<(), BuildError> {
    let mut digests = digests.finish();
    let image_beside = digests.remove(KERNEL_IMAGE).map(|sha256| KernelLine {
        sha256,
        package: kernel_package,
    });
    let text = manifest(
        image,
        &digests,
        kernel.release(),
        image_beside,
        modules,
        origins,
    )?;
    Ok(image.add_file("usr/share/preflight/manifest.json", text, "manifest")?)
}
