//! Builds the initramfs that every kind of boot medium carries.

mod content;
mod error;
mod recipe;

use std::io::BufWriter;
use std::path::Path;

use serde::Serialize;

use content::Content;
pub use error::BuildError;
pub use recipe::{Binary, MODULE_LIST, Recipe};

use crate::image::{Image, Origins, Size, manifest, sizes, write_archive};
use crate::io::{self, Context};
use crate::modules::{Kernel, Modules};
use crate::package::Tree;

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
    /// Bytes of the file.
    pub bytes: u64,
    /// Bytes before compression.
    pub unpacked: usize,
    /// What they are for, largest first.
    pub sizes: Vec<Size>,
}

/// Builds the initramfs of a recipe into a file, which appears only when it is whole. `progress`
/// hears what is being done.
pub fn build(recipe: &Recipe, output: &Path, progress: &dyn Fn(&str)) -> Result<Built, BuildError> {
    progress(&format!("reading {}", recipe.kernel.display()));
    let mut kernel = Kernel::open(Tree::open(&recipe.kernel)?, recipe.release.as_deref())?;
    for folder in &recipe.module_folders {
        kernel.add_modules(folder)?;
    }
    progress(&format!("choosing modules of {}", kernel.release()));
    let mut modules = Modules::close(&kernel, &recipe.modules()?)?;
    progress("collecting programs");
    let image = Content::collect(recipe, &kernel, &mut modules)?;
    if let Some(path) = &recipe.kernel_output {
        io::write(path, kernel.image()?)?;
    }
    progress("compressing");
    let bytes = io::put_in_place(output, |file| {
        write_archive(&image, recipe.level, recipe.modified, BufWriter::new(file))
            .at("write", output)
    })?;
    let sizes = sizes(&image);
    Ok(Built {
        schema: "preflight.image/1",
        kernel: kernel.release().to_owned(),
        modules: modules.iter().count(),
        left_out: modules.left_out().to_vec(),
        bytes,
        unpacked: sizes.iter().map(|size| size.bytes).sum(),
        sizes,
    })
}

/// The manifest goes in last: it lists everything else.
fn add_manifest(
    image: &mut Image,
    kernel: &Kernel,
    modules: &Modules,
    origins: &Origins,
) -> Result<(), BuildError> {
    let text = manifest(image, kernel.release(), modules, origins)?;
    Ok(image.add_file("usr/share/preflight/manifest.json", text, "manifest")?)
}
