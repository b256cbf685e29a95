use std::fs;
use std::path::Path;

use anyhow::Context;
use image_builder::apt::{self, Request as Packages};
use image_builder::cache::Cache;
use image_builder::image::Level;
use image_builder::initramfs::{Binary, Recipe};

use super::Request;
use crate::Images;
use crate::initramfs::{self, Entry};
use crate::lab_image::made_once;

/// What the probe's own port needs, and VFIO.
const MODULES: &str = "[probe]\nvirtio_pci\nvirtio_console\nvfio_pci\nvfio_iommu_type1\n";

const KERNEL: &str = "linux-image-amd64";
const LSPCI: &str = "pciutils";
const PROGRAMS: [&str; 2] = ["/usr/bin/lspci", "/usr/bin/setpci"];

/// A kernel and an initramfs in `folder` whose init is the program `probe`, which carries out `requests`.
/// The real `/usr/bin/lspci` and `/usr/bin/setpci` are in it.
pub fn image(probe: &Path, requests: &[Request], folder: &Path) -> anyhow::Result<Images> {
    let base = base(probe)?;
    let mut image = read(&base.initramfs)?;
    // Archives begin at multiples of four, with zeros before them (the kernel's buffer-format.rst).
    image.resize(image.len().next_multiple_of(512), 0);
    let list = serde_json::to_vec(requests)?;
    image.extend(initramfs::write(&[Entry::program("requests.json", list)])?);
    let path = folder.join("probe.img");
    fs::write(&path, image).with_context(|| path.display().to_string())?;
    Ok(Images {
        kernel: base.kernel,
        initramfs: path,
    })
}

/// The image without requests.
fn base(probe: &Path) -> anyhow::Result<Images> {
    let cache = Cache::open()?;
    let kernel = apt::cached_tree(&cache, &Packages::new([KERNEL]))?;
    let mut recipe = Recipe::new(kernel, probe);
    recipe.level = Level::None;
    MODULES.clone_into(&mut recipe.module_list);
    recipe.binaries = PROGRAMS
        .map(|path| Binary {
            path: path.to_owned(),
            destination: None,
        })
        .to_vec();
    recipe.system = apt::cached_tree(&cache, &Packages::new([LSPCI]).with_dependencies())?;
    made_once("probe", recipe)
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    fs::read(path).with_context(|| path.display().to_string())
}
