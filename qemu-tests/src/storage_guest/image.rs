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

/// What the guest needs beside what the tools bring: its port and its disks.
const MODULES: &str = "[guest]\nvirtio_pci\nvirtio_console\nvirtio_blk\next4\nxfs\nbtrfs\nvfat\n\
    nls_cp437\nnls_iso8859-1\nnls_ascii\nnls_utf8\nloop\ncrc32c_generic\ndm_snapshot\n\
    raid1\naesni_intel?\nxts\necb?\ncbc?\nessiv?\nalgif_skcipher\nsha256_ssse3?\n";

const KERNEL: &str = "linux-image-amd64";
/// They bring the tools that an image can carry, and what makes file systems.
const PACKAGES: [&str; 6] = [
    "lvm2",
    "mdadm",
    "btrfs-progs",
    "cryptsetup-bin",
    "xfsprogs",
    "e2fsprogs",
];
const TOOLS: [&str; 4] = ["lvm", "mdadm", "btrfs", "cryptsetup"];
const MAKERS: [(&str, &str); 3] = [
    ("/sbin/mke2fs", "/bin/mke2fs"),
    ("/sbin/mkfs.xfs", "/bin/mkfs.xfs"),
    ("/sbin/mkfs.btrfs", "/bin/mkfs.btrfs"),
];

/// A kernel and an initramfs in `folder` whose init is the program `init`, which carries out `requests`.
pub fn image(init: &Path, requests: &[Request], folder: &Path) -> anyhow::Result<Images> {
    let base = base(init)?;
    let mut image = read(&base.initramfs)?;
    image.resize(image.len().next_multiple_of(512), 0);
    let list = serde_json::to_vec(requests)?;
    image.extend(initramfs::write(&[Entry::file("requests.json", list)])?);
    let path = folder.join("storage.img");
    fs::write(&path, image).with_context(|| path.display().to_string())?;
    Ok(Images {
        kernel: base.kernel,
        initramfs: path,
    })
}

/// The image without requests: made once for each kernel, set of tools and init.
fn base(init: &Path) -> anyhow::Result<Images> {
    let cache = Cache::open()?;
    let kernel = apt::cached_tree(&cache, &Packages::new([KERNEL]))?;
    let system = apt::cached_tree(&cache, &Packages::new(PACKAGES).with_dependencies())?;
    let busybox = apt::cached_debs(&cache, &Packages::new(["busybox-static"]))?;
    let sources = format!("{kernel:?} {system:?} {busybox:?} {TOOLS:?} {MAKERS:?} {MODULES}");
    let key = [read(init)?, sources.into_bytes()].concat();
    let folder = output_folder().join("lab");
    fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    let name = |suffix: &str| folder.join(format!("storage-guest{suffix}"));
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
    let mut recipe = Recipe::new(kernel, init);
    MODULES.clone_into(&mut recipe.module_list);
    recipe.tools = TOOLS.map(str::to_owned).to_vec();
    recipe.binaries = MAKERS
        .map(|(path, destination)| Binary {
            path: path.to_owned(),
            destination: Some(destination.to_owned()),
        })
        .to_vec();
    recipe.busybox = busybox.first().cloned();
    recipe.system = system;
    recipe.kernel_output = Some(images.kernel.clone());
    builder::build(&recipe, &images.initramfs, &|_| {})?;
    fs::write(&made_of, digest)?;
    Ok(images)
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    fs::read(path).with_context(|| path.display().to_string())
}
