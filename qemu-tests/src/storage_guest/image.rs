use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use image_builder::apt::{self, Request as Packages};
use image_builder::cache::Cache;
use image_builder::initramfs::{self as builder, Binary, Recipe};
use image_builder::modules::Kernel;
use image_builder::package::Tree;
use nix::fcntl::{Flock, FlockArg};

use super::Request;
use crate::images::output_folder;
use crate::initramfs::{self, Entry};
use crate::{Images, golden, sha256};

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
const ZFS_PACKAGE: &str = "zfsutils-linux";
const ZFS: &str = "zfs";
/// ZFS's modules are built for the kernel of this release, as those of the installed systems are.
const ZFS_SUITE: &str = "bookworm";
const MAKERS: [(&str, &str); 3] = [
    ("/sbin/mke2fs", "/bin/mke2fs"),
    ("/sbin/mkfs.xfs", "/bin/mkfs.xfs"),
    ("/sbin/mkfs.btrfs", "/bin/mkfs.btrfs"),
];

/// What the guest can read and lay out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reads {
    /// All but ZFS.
    AllButZfs,
    /// ZFS too; its modules are built when the cache has none, which needs root.
    Everything,
}

/// Where what the image is made of lies.
#[derive(Debug)]
struct Sources {
    kernel: PathBuf,
    system: PathBuf,
    busybox: Vec<PathBuf>,
    tools: Vec<&'static str>,
    module_folders: Vec<PathBuf>,
}

/// A kernel and an initramfs in `folder` whose init is the program `init`, which carries out `requests`.
pub fn image(
    init: &Path,
    reads: Reads,
    requests: &[Request],
    folder: &Path,
) -> anyhow::Result<Images> {
    let base = base(init, reads)?;
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
fn base(init: &Path, reads: Reads) -> anyhow::Result<Images> {
    let sources = sources(reads)?;
    let words = format!("{sources:?} {MAKERS:?} {MODULES}");
    let key = [read(init)?, words.into_bytes()].concat();
    let folder = output_folder().join("lab");
    fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    let stem = match reads {
        Reads::AllButZfs => "storage-guest",
        Reads::Everything => "storage-guest-zfs",
    };
    let name = |suffix: &str| folder.join(format!("{stem}{suffix}"));
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
    let mut recipe = Recipe::new(sources.kernel, init);
    MODULES.clone_into(&mut recipe.module_list);
    recipe.tools = sources.tools.iter().map(|&name| name.to_owned()).collect();
    recipe.module_folders = sources.module_folders;
    recipe.binaries = MAKERS
        .map(|(path, destination)| Binary {
            path: path.to_owned(),
            destination: Some(destination.to_owned()),
        })
        .to_vec();
    recipe.busybox = sources.busybox.first().cloned();
    recipe.system = sources.system;
    recipe.kernel_output = Some(images.kernel.clone());
    builder::build(&recipe, &images.initramfs, &|_| {})?;
    fs::write(&made_of, digest)?;
    Ok(images)
}

fn sources(reads: Reads) -> anyhow::Result<Sources> {
    let cache = Cache::open()?;
    let busybox = apt::cached_debs(&cache, &Packages::new(["busybox-static"]))?;
    let kernel = Packages::new([KERNEL]);
    let packages = Packages::new(PACKAGES).with_dependencies();
    Ok(match reads {
        Reads::AllButZfs => Sources {
            kernel: apt::cached_tree(&cache, &kernel)?,
            system: apt::cached_tree(&cache, &packages)?,
            busybox,
            tools: TOOLS.to_vec(),
            module_folders: Vec::new(),
        },
        Reads::Everything => {
            let kernel = apt::cached_tree(&cache, &kernel.from_debian([ZFS_SUITE]))?;
            let opened = Kernel::open(Tree::open(&kernel)?, None)?;
            let mut packages = packages.from_debian([ZFS_SUITE]).with_contrib();
            packages.packages.push(ZFS_PACKAGE.to_owned());
            Sources {
                system: apt::cached_tree(&cache, &packages)?,
                busybox,
                tools: [&TOOLS[..], &[ZFS]].concat(),
                module_folders: vec![golden::zfs_modules(&cache, opened.release())?],
                kernel,
            }
        }
    })
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    fs::read(path).with_context(|| path.display().to_string())
}
