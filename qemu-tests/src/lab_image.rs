//! Images that the lab makes itself, with tools of Debian's packages: each is made once for what it is made of.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use image_builder::apt::{self, Request};
use image_builder::cache::Cache;
use image_builder::image::Level;
use image_builder::initramfs::{Recipe, build};
use image_builder::modules::Kernel;
use image_builder::package::Tree;
use nix::fcntl::{Flock, FlockArg};

use crate::images::{output_folder, repository};
use crate::{Images, digest, golden, initramfs, sha256, unpacked_kernel};

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
const ZFS_PACKAGE: &str = "zfsutils-linux";
/// ZFS's modules are built for the kernel of this release, as those of the installed systems are.
const ZFS_SUITE: &str = "bookworm";

/// Which kinds of storage an image can read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reads {
    /// All but ZFS.
    AllButZfs,
    /// ZFS too; its modules are built when the cache has none, which needs root.
    Everything,
}

/// Where what an image is made of lies.
#[derive(Debug)]
pub(crate) struct Sources {
    kernel: PathBuf,
    system: PathBuf,
    busybox: Vec<PathBuf>,
    module_folders: Vec<PathBuf>,
}

impl Sources {
    pub(crate) fn fetch(reads: Reads) -> Result<Self> {
        let cache = Cache::open()?;
        let busybox = apt::cached_debs(&cache, &Request::new(["busybox-static"]))?;
        let kernel = Request::new([KERNEL]);
        let packages = Request::new(PACKAGES).with_dependencies();
        if reads == Reads::AllButZfs {
            return Ok(Self {
                kernel: apt::cached_tree(&cache, &kernel)?,
                system: apt::cached_tree(&cache, &packages)?,
                busybox,
                module_folders: Vec::new(),
            });
        }
        let kernel = apt::cached_tree(&cache, &kernel.from_debian([ZFS_SUITE]))?;
        let opened = Kernel::open(Tree::open(&kernel)?, None)?;
        let mut packages = packages
            .from_debian([ZFS_SUITE])
            .with_component(Some("contrib"));
        packages.packages.push(ZFS_PACKAGE.to_owned());
        Ok(Self {
            system: apt::cached_tree(&cache, &packages)?,
            busybox,
            module_folders: vec![golden::zfs_modules(&cache, opened.release())?],
            kernel,
        })
    }

    /// All but ZFS, from this suite of Debian.
    pub(crate) fn of_debian(suite: &str) -> Result<Self> {
        let cache = Cache::open()?;
        let kernel = Request::new([KERNEL]).from_debian([suite]);
        let packages = Request::new(PACKAGES).with_dependencies();
        let busybox = Request::new(["busybox-static"]).from_debian([suite]);
        Ok(Self {
            kernel: apt::cached_tree(&cache, &kernel)?,
            system: apt::cached_tree(&cache, &packages.from_debian([suite]))?,
            busybox: apt::cached_debs(&cache, &busybox)?,
            module_folders: Vec::new(),
        })
    }

    /// A recipe of these with this init. Nothing in its image is compressed: an emulated processor spends a tenth of a
    /// boot on that.
    pub(crate) fn recipe(&self, init: &Path) -> Recipe {
        let mut recipe = Recipe::new(&self.kernel, init);
        recipe.module_folders.clone_from(&self.module_folders);
        recipe.busybox = self.busybox.first().cloned();
        recipe.system.clone_from(&self.system);
        recipe.level = Level::None;
        recipe
    }
}

/// What decides, beside a recipe, what the builder makes of it.
const BUILDER: [&str; 2] = ["image-builder/src", "boot-assets"];

/// The image of a recipe, in `out/lab`, with its kernel; built when it is not that of the last time.
pub(crate) fn made_once(stem: &str, mut recipe: Recipe) -> Result<Images> {
    let init = fs::read(&recipe.init).with_context(|| recipe.init.display().to_string())?;
    let mut key = [init, format!("{recipe:?}").into_bytes()].concat();
    for part in BUILDER {
        key.extend(digest::of_folder(&repository().join(part))?.into_bytes());
    }
    let images = Images {
        kernel: made(stem, ".vmlinuz"),
        initramfs: made(stem, ".img"),
    };
    once(stem, &sha256(&key), || {
        recipe.kernel_output = Some(images.kernel.clone());
        build(&recipe, &images.initramfs, &|_| {})?;
        Ok(())
    })?;
    Ok(images)
}

/// An image in which nothing is compressed, with what is in this one.
pub(crate) fn unpacked_once(image: &Path) -> Result<PathBuf> {
    let at = || image.display().to_string();
    let bytes = fs::read(image).with_context(at)?;
    let unpacked = made("unpacked", ".img");
    once("unpacked", &sha256(&bytes), || {
        Ok(fs::write(
            &unpacked,
            initramfs::unpacked(&bytes).with_context(at)?,
        )?)
    })?;
    Ok(unpacked)
}

/// A kernel that needs no unpacking, of this one; this one itself where it is packed in an unknown way.
pub(crate) fn unpacked_kernel_once(kernel: &Path) -> Result<PathBuf> {
    let at = || kernel.display().to_string();
    let bytes = fs::read(kernel).with_context(at)?;
    let sources = sha256(&bytes);
    let stem = format!("kernel-{}", sources.get(..16).unwrap_or(&sources));
    let unpacked = made(&stem, ".vmlinuz");
    once(&stem, &sources, || {
        let bytes = unpacked_kernel::unpacked(&bytes)
            .with_context(at)?
            .unwrap_or(bytes);
        Ok(fs::write(&unpacked, bytes)?)
    })?;
    Ok(unpacked)
}

/// A file that the lab has made.
fn made(stem: &str, suffix: &str) -> PathBuf {
    output_folder().join("lab").join(format!("{stem}{suffix}"))
}

/// Makes files of this stem when those that are there are not made of this; one test at a time.
fn once(stem: &str, sources: &str, make: impl FnOnce() -> Result<()>) -> Result<()> {
    let lock = made(stem, ".lock");
    let folder = lock.parent().unwrap_or(&lock);
    fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let lock = File::create(&lock).with_context(|| lock.display().to_string())?;
    let _lock = Flock::lock(lock, FlockArg::LockExclusive).map_err(|(_, error)| error)?;
    let made_of = made(stem, ".sources");
    if fs::read_to_string(&made_of).is_ok_and(|known| known == sources) {
        return Ok(());
    }
    // Cut off in the middle, neither the old sources nor the new ones are true.
    if made_of.exists() {
        fs::remove_file(&made_of).with_context(|| made_of.display().to_string())?;
    }
    make()?;
    fs::write(&made_of, sources).with_context(|| made_of.display().to_string())
}
