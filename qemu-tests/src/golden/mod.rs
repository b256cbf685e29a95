//! Installed systems as disk images: real Debian with real boot loaders, laid out once and kept in the cache.
//!
//! First a Debian root with its kernel is made, a cache entry of its own. Its tools then lay out the disks in a
//! guest, since a workstation's kernel need not have device-mapper, vfat or ZFS. At last the system boots to
//! its login prompt by nothing but the machine's firmware, and is ended by its power button. What did not boot
//! is not kept.
//!
//! The scripts and files that make a system are in `qemu-tests/golden`.

mod account;
mod console;
mod disks;
mod facts;
mod first_boot;
mod installer;
mod manifest;
mod root;
mod scripts;
mod system;
mod zfs;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use image_builder::cache::Cache;

pub use console::Console;
pub use manifest::{
    BootEntry, Disk, Esp, FileSystem, Manifest, Partition, Pool, Volume, VolumeGroup,
};
use root::Root;
pub use system::{Bus, Firmware, Golden};

use crate::{Device, Machine, Ovmf, Port, Qemu};

/// Counts changes of what is in an entry that neither scripts nor tables show.
const FORMAT: u32 = 2;

/// Memory of a machine with an installed system, MiB.
const MEMORY: u32 = 1024;

/// The password of root on every installed system.
pub const PASSWORD: &str = "preflight";

/// An installed system in the cache. Its files are never written to: guests get overlays.
#[derive(Clone, Debug)]
pub struct Installed {
    golden: Golden,
    folder: PathBuf,
    /// Its disks, qcow2, in the order in which the machine has them.
    pub disks: Vec<PathBuf>,
    /// What is known about it.
    pub manifest: Manifest,
}

/// The installed system, built when it is not in the cache; that takes minutes and needs root.
pub fn obtain(golden: Golden, cache: &Cache, qemu: &Qemu) -> Result<Installed> {
    let folder = golden_folder(golden, cache, qemu)?;
    let manifest = Manifest::read(&folder)?;
    let disks = manifest.disks.iter().map(|disk| folder.join(&disk.file));
    Ok(Installed {
        golden,
        disks: disks.collect(),
        folder,
        manifest,
    })
}

/// An empty qcow2 overlay at `path` over the qcow2 image `base`.
pub fn overlay(qemu: &Qemu, base: &Path, path: &Path) -> Result<()> {
    disks::overlay(qemu, base, path)
}

/// Whether a cluster of the qcow2 image is in the overlay itself and not in what is below it.
pub fn holds_something(qemu: &Qemu, overlay: &Path) -> Result<bool> {
    disks::holds_something(qemu, overlay)
}

/// A folder with ZFS's modules for this release of Debian 12's kernel, built when the cache has none; that
/// takes minutes and needs root.
pub fn zfs_modules(cache: &Cache, release: &str) -> Result<PathBuf> {
    Ok(zfs::modules(cache, release)?.folder())
}

fn golden_folder(golden: Golden, cache: &Cache, qemu: &Qemu) -> Result<PathBuf> {
    let root = Root::obtain(golden.debian(), cache, qemu)?;
    let scripts = scripts::with_packages(golden, cache)?;
    let inputs = format!(
        "{FORMAT} {:?} {} {}",
        golden.description(),
        root.name(),
        scripts::digest(&scripts)
    );
    let name = format!("golden-{}", golden.name());
    let build = |staging: &Path| {
        let facts = installer::install(golden, &root, scripts, staging, qemu)?;
        let seen = first_boot::first_boot(golden, staging, qemu)?;
        account::manifest(golden, &facts, seen)?.write(staging)
    };
    Ok(cache.entry(&name, inputs, build)?)
}

impl Installed {
    /// Which one it is.
    pub fn golden(&self) -> Golden {
        self.golden
    }

    /// The name of its entry in the cache: another one when anything that it is made of is another.
    pub fn key(&self) -> String {
        let name = self.folder.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }

    /// An empty qcow2 overlay over each disk, in `folder`; what a guest writes is in them.
    pub fn overlays(&self, folder: &Path, qemu: &Qemu) -> Result<Vec<PathBuf>> {
        let overlay = |disk: &PathBuf| {
            let name = disk.file_name().context("a disk without a name")?;
            let path = folder.join(format!("{}-{}", self.golden.name(), name.to_string_lossy()));
            disks::overlay(qemu, disk, &path)?;
            Ok(path)
        };
        self.disks.iter().map(overlay).collect()
    }

    /// The machine that it was installed on, with these images as its disks: a standard VGA as the display,
    /// and a network card behind the first port, which the system calls enp1s0. The firmware's variables, with
    /// the boot entries that its boot loaders made, are copied into `folder`.
    pub fn machine(&self, disks: &[PathBuf], folder: &Path) -> Result<Machine> {
        machine(self.golden, disks, &self.folder, folder)
    }

    /// `machine` with these images as more disks, on the bus that its initrd has the drivers of.
    pub fn attach(&self, machine: Machine, disks: &[PathBuf]) -> Machine {
        attach(self.golden, machine, disks)
    }
}

fn attach(golden: Golden, machine: Machine, disks: &[PathBuf]) -> Machine {
    disks.iter().fold(machine, |machine, disk| {
        machine.integrated(golden.bus().device(disk.clone()))
    })
}

/// The machine of an installed system whose firmware's variables are kept in `kept`, if they are there.
fn machine(golden: Golden, disks: &[PathBuf], kept: &Path, folder: &Path) -> Result<Machine> {
    // Debian's GRUB does not get past its menu without any display.
    let machine = Machine::q35()
        .memory(MEMORY)
        .display(Device::StandardVga)
        .card(Port::RootPort, Device::E1000e { rom: None });
    let machine = attach(golden, machine, disks);
    if golden.firmware() == Firmware::Bios {
        return Ok(machine);
    }
    let firmware = Ovmf::obtain(folder)?;
    let variables = kept.join(first_boot::VARIABLES);
    if variables.is_file() {
        std::fs::copy(&variables, &firmware.variables)
            .with_context(|| format!("cannot copy {}", variables.display()))?;
    }
    Ok(machine.firmware(firmware))
}
