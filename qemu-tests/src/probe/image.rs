use std::fs;
use std::path::Path;

use anyhow::Context;
use image_builder::apt::{self, Request as Packages};
use image_builder::cache::Cache;
use image_builder::initramfs::{self as builder, Binary, Recipe};
use nix::fcntl::{Flock, FlockArg};

use super::Request;
use crate::images::output_folder;
use crate::initramfs::{self, Entry};
use crate::{Images, sha256};

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

/// The image without requests: made once for each kernel and probe program.
fn base(probe: &Path) -> anyhow::Result<Images> {
    let cache = Cache::open()?;
    let kernel = apt::cached_tree(&cache, &Packages::new([KERNEL]))?;
    let lspci = apt::cached_tree(&cache, &Packages::new([LSPCI]).with_dependencies())?;
    let sources = format!(
        "{} {} {PROGRAMS:?} {MODULES}",
        kernel.display(),
        lspci.display()
    );
    let key = [read(probe)?, sources.into_bytes()].concat();
    let folder = output_folder().join("lab");
    fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    let name = |suffix: &str| folder.join(format!("probe{suffix}"));
    let lock = fs::File::create(name(".lock"))?;
    let _lock = Flock::lock(lock, FlockArg::LockExclusive).map_err(|(_, error)| error)?;
    let images = Images {
        kernel: name(".vmlinuz"),
        initramfs: name(".img"),
    };
    let (made_of, digest) = (name(".sources"), sha256(&key));
    if fs::read_to_string(&made_of).is_ok_and(|known| known == digest) {
        return Ok(images);
    }
    let mut recipe = Recipe::new(kernel, probe);
    MODULES.clone_into(&mut recipe.module_list);
    recipe.binaries = PROGRAMS
        .map(|path| Binary {
            path: path.to_owned(),
            destination: None,
        })
        .to_vec();
    recipe.system = lspci;
    recipe.kernel_output = Some(images.kernel.clone());
    builder::build(&recipe, &images.initramfs, &|_| {})?;
    fs::write(&made_of, digest)?;
    Ok(images)
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    fs::read(path).with_context(|| path.display().to_string())
}
