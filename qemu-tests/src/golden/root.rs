use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use image_builder::apt::{self, Request};
use image_builder::cache::Cache;
use image_builder::initramfs::{self as builder, Recipe};

use super::system::Debian;
use super::{disks, scripts, zfs};
use crate::{Images, Qemu};

/// Counts changes of how a root is made.
const FORMAT: u32 = 1;

/// What both releases have: a system that boots, and the tools that lay out its disks.
const PACKAGES: &str = "linux-image-amd64,systemd-sysv,udev,kmod,dbus,libpam-systemd,zstd,busybox,\
    grub-pc-bin,grub-efi-amd64-bin,grub2-common,efibootmgr,e2fsprogs,dosfstools,gdisk,fdisk,\
    iproute2,ifupdown,pciutils";

/// What a host in the layouts of Proxmox has beside.
const PROXMOX_PACKAGES: &str = "initramfs-tools,lvm2,thin-provisioning-tools,xfsprogs,btrfs-progs,\
    systemd-boot,bridge-utils,zfsutils-linux,zfs-initramfs,sqlite3,mdadm";
const DRACUT_PACKAGES: &str = "dracut";

/// Nobody reads them in a test; the licences stay. Nor has any machine here a device for these modules, which
/// are a quarter of all.
pub(super) const LEFT_OUT: [&str; 11] = [
    "path-exclude=/usr/share/man/*",
    "path-exclude=/usr/share/info/*",
    "path-exclude=/usr/share/locale/*",
    "path-exclude=/usr/share/doc/*",
    "path-include=/usr/share/doc/*/copyright",
    "path-exclude=/*lib/modules/*/kernel/drivers/iio/*",
    "path-exclude=/*lib/modules/*/kernel/drivers/infiniband/*",
    "path-exclude=/*lib/modules/*/kernel/drivers/media/*",
    "path-exclude=/*lib/modules/*/kernel/drivers/net/wireless/*",
    "path-exclude=/*lib/modules/*/kernel/drivers/staging/*",
    "path-exclude=/*lib/modules/*/kernel/sound/soc/*",
];

/// Modules with which the guest reaches its root; all others come from there.
const MODULES: &str = "[root]\nvirtio_pci\nvirtio_blk\next4\ncrc32c_generic\noverlay\n";

/// Bytes of the root's file system.
const LENGTH: u64 = 2 << 30;

/// A Debian root as a disk, and what starts a guest on it.
pub(super) struct Root {
    folder: PathBuf,
}

impl Root {
    /// The root of this release with a kernel and its modules, from the cache or made now, which needs root
    /// and `mmdebstrap`.
    pub(super) fn obtain(debian: Debian, cache: &Cache, qemu: &Qemu) -> Result<Self> {
        let packages = packages(debian);
        let hook = scripts::folder().join("root.sh");
        let zfs = match debian {
            Debian::Bookworm => zfs::recipe()?,
            Debian::Trixie => String::new(),
        };
        let inputs = format!(
            "{FORMAT} {} {packages} {LEFT_OUT:?} {MODULES} {} {zfs}",
            debian.suite(),
            crate::sha256_of_file(&hook)?
        );
        let name = format!("golden-root-{}", debian.suite());
        let folder = cache.entry(&name, inputs, |staging| {
            build(debian, &packages, &hook, staging, cache, qemu)
        })?;
        Ok(Self { folder })
    }

    /// A name that changes with its content's recipe.
    pub(super) fn name(&self) -> String {
        let name = self.folder.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }

    /// The root's disk: an ext4 file system, qcow2.
    pub(super) fn disk(&self) -> PathBuf {
        self.folder.join("root.qcow2")
    }

    /// Its kernel, and an initramfs with busybox that has the modules to mount the root.
    pub(super) fn images(&self) -> Images {
        Images {
            kernel: self.folder.join("vmlinuz"),
            initramfs: self.folder.join("initramfs.img"),
        }
    }
}

fn packages(debian: Debian) -> String {
    let more = match debian {
        Debian::Bookworm => PROXMOX_PACKAGES,
        Debian::Trixie => DRACUT_PACKAGES,
    };
    format!("{PACKAGES},{more}")
}

fn build(
    debian: Debian,
    packages: &str,
    hook: &Path,
    staging: &Path,
    cache: &Cache,
    qemu: &Qemu,
) -> Result<()> {
    ensure!(
        nix::unistd::geteuid().is_root(),
        "an installed system is made in a chroot, which needs root"
    );
    let tree = staging.join("tree");
    debootstrap(debian.suite(), packages, hook, &tree)?;
    if debian == Debian::Bookworm {
        let release = release(&tree)?;
        zfs::modules(cache, &release)?.copy_to(&tree)?;
    }
    lab_image(cache, &tree, staging)?;
    let raw = staging.join("root.ext4");
    fs::File::create(&raw)?.set_len(LENGTH)?;
    let path = std::env::var("PATH").unwrap_or_default();
    disks::run(
        Command::new("mke2fs")
            .env("PATH", format!("{path}:/usr/sbin:/sbin"))
            .args(["-q", "-t", "ext4", "-O", "^has_journal", "-d"])
            .args([&tree, &raw]),
    )?;
    disks::compress(qemu, &raw, "raw", &staging.join("root.qcow2"))?;
    fs::remove_file(&raw)?;
    fs::remove_dir_all(&tree).with_context(|| format!("cannot remove {}", tree.display()))
}

/// Runs mmdebstrap into `tree`, with the mirror and the network settings of this machine's apt. `hook` is
/// given the tree when all packages are installed.
pub(super) fn debootstrap(suite: &str, packages: &str, hook: &Path, tree: &Path) -> Result<()> {
    let mut command = Command::new("mmdebstrap");
    // The initrd is made on the machine that it is for.
    command.env("INITRD", "No");
    command.args(["--quiet", "--mode=root", "--variant=minbase"]);
    // Maintainer scripts that look for firmware variables must not find this machine's.
    command.args(["--architectures=amd64", "--skip=chroot/mount/sys"]);
    command.arg("--dpkgopt=force-unsafe-io");
    for option in LEFT_OUT {
        command.arg(format!("--dpkgopt={option}"));
    }
    for setting in apt::transport_settings()? {
        command.arg(format!("--aptopt={setting}"));
    }
    command.arg(format!("--include={packages}"));
    command.arg(format!("--customize-hook=sh '{}' \"$1\"", hook.display()));
    command.arg(suite).arg(tree);
    command.arg(apt::debian_source(suite, "main contrib")?);
    disks::run(&mut command).context("is the package mmdebstrap installed?")
}

/// The only kernel release below a root.
pub(super) fn release(tree: &Path) -> Result<String> {
    let folder = tree.join("usr/lib/modules");
    let mut names = fs::read_dir(&folder)
        .and_then(Iterator::collect::<std::io::Result<Vec<_>>>)
        .with_context(|| format!("cannot list {}", folder.display()))?
        .into_iter()
        .map(|entry| entry.file_name().to_string_lossy().into_owned());
    let first = names.next().context("no kernel was installed")?;
    ensure!(names.next().is_none(), "several kernels were installed");
    Ok(first)
}

/// The kernel, and an initramfs of our own builder with busybox and [`MODULES`].
fn lab_image(cache: &Cache, tree: &Path, folder: &Path) -> Result<()> {
    let busybox = apt::cached_tree(cache, &Request::new(["busybox-static"]))?;
    let program = ["bin/busybox", "usr/bin/busybox"]
        .map(|place| busybox.join(place))
        .into_iter()
        .find(|path| path.is_file())
        .context("the package busybox-static has no busybox")?;
    let mut recipe = Recipe::new(tree, &program);
    MODULES.clone_into(&mut recipe.module_list);
    recipe.busybox = Some(program);
    recipe.kernel_output = Some(folder.join("vmlinuz"));
    builder::build(&recipe, &folder.join("initramfs.img"), &|_| {})?;
    Ok(())
}
