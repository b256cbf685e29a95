//! An installed system with a card, before and after it is changed.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use cards::profiles::nvidia_gtx650;
use cards::{Bar, BarKind, CardProfile};
use image_builder::cache::Cache;
use qemu_tests::golden::{self, Golden, Installed};
use qemu_tests::probe::Answer;
use qemu_tests::storage_guest::{self, Inventory, Request};
use qemu_tests::{
    Boot, Deadlines, Device, Images, Iommu, Machine, Milestone, Port, Qemu, Reads, ServedCard,
    baseline, skip,
};
use tempfile::TempDir;

/// Behind the second port: the system's own network card is behind the first.
pub const CARD: &str = "0000:02:00.0";
/// Its audio function.
pub const AUDIO: &str = "0000:02:00.1";

/// Every file is hashed. On the reference machine, some ten times what is seen there.
const TO_LIST: Duration = Duration::from_secs(900);
/// Raised when an inventory lists something else.
const INVENTORY: u32 = 1;
/// GRUB says nothing while it loads kernels, which takes long on a busy machine.
const SILENT: f64 = 4.0;

/// A disk is as many whole sectors of this.
const SECTOR: u64 = 512;

/// In the cache.
const FILES: &str = "files.json";

/// A QEMU that takes cards in software, an installed system, a card, and a folder for what guests write.
pub struct Lab {
    pub qemu: Qemu,
    pub installed: Installed,
    pub card: ServedCard,
    fit: Fit,
    deadlines: Deadlines,
    folder: TempDir,
}

/// Puts the card, and what else is to be there, into the machine that a system was installed on.
pub type Fit = fn(Machine, Device) -> Machine;

/// VT-d, and the card.
fn alone(machine: Machine, card: Device) -> Machine {
    let remapping = Iommu::Intel {
        interrupt_remapping: true,
    };
    machine.iommu(remapping).card(Port::RootPort, card)
}

/// The NVIDIA-like card with every BAR counted: none is touched unseen.
pub fn counted() -> CardProfile {
    nvidia_gtx650().change(0, |graphics| {
        graphics.bar(1, Bar::new(BarKind::Prefetchable64, 128 << 20))
    })
}

impl Lab {
    /// The lab with this system, built on first need; or nothing and the reason printed.
    pub fn with(golden: Golden) -> Option<Self> {
        Self::fitted(golden, &counted(), alone)
    }

    /// The same with this card in this machine.
    pub fn fitted(golden: Golden, card: &CardProfile, fit: Fit) -> Option<Self> {
        let qemu = match Qemu::obtain() {
            Ok(qemu) if qemu.is_recent() => qemu,
            Ok(_) => {
                skip("this QEMU takes no card in software");
                return None;
            }
            Err(error) => {
                skip(&error.to_string());
                return None;
            }
        };
        let opened = || -> anyhow::Result<Self> {
            let cache = Cache::open()?;
            let folder = tempfile::tempdir()?;
            let kernel = guest_image(&[], folder.path())?.kernel;
            let init = Path::new(env!("CARGO_BIN_EXE_baseline-init"));
            let deadlines = baseline::deadlines(&qemu, &kernel, init)?;
            Ok(Self {
                installed: golden::obtain(golden, &cache, &qemu)?,
                card: ServedCard::start(card)?,
                fit,
                qemu,
                deadlines: Deadlines::scaled(deadlines.factor().max(SILENT)),
                folder,
            })
        };
        match opened() {
            Ok(lab) => Some(lab),
            // Only root can build what is not in the cache.
            Err(why) if !nix::unistd::geteuid().is_root() => {
                skip(&format!("{why:#}"));
                None
            }
            Err(why) => panic!("{why:#}"),
        }
    }

    /// A name for a run: its folder of logs.
    pub fn name(&self, phase: &str) -> String {
        format!("applied-{phase}-{}", self.installed.golden().name())
    }

    /// Where guests' files are.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Deadlines for what says nothing for long.
    pub fn patient(&self) -> Deadlines {
        self.deadlines
    }

    /// The disks as they were installed.
    pub fn disks(&self, name: &str) -> Vec<PathBuf> {
        self.copy(name, &self.installed.disks)
    }

    /// Disks that begin as these and leave them as they are.
    pub fn copy(&self, name: &str, disks: &[PathBuf]) -> Vec<PathBuf> {
        let overlay = |(number, disk): (usize, &PathBuf)| {
            let path = self.folder.path().join(format!("{name}-{number}.qcow2"));
            golden::overlay(&self.qemu, disk, &path).unwrap();
            path
        };
        disks.iter().enumerate().map(overlay).collect()
    }

    /// A raw copy of this disk, beside it.
    pub fn raw(&self, disk: &Path) -> PathBuf {
        let path = disk.with_extension("img");
        let mut command: Command = self.qemu.tool("qemu-img");
        command.args(["convert", "-f", "qcow2", "-O", "raw"]);
        let output = command.arg(disk).arg(&path).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        path
    }

    /// The machine that the system was installed on, with an IOMMU and the card.
    pub fn machine(&self, disks: &[PathBuf]) -> Machine {
        let machine = self.installed.machine(disks, self.folder.path()).unwrap();
        (self.fit)(machine, Device::Card(self.card.clone()))
    }

    /// The machine with a virtio disk that holds this file from its beginning.
    pub fn carried(&self, file: &Path, machine: Machine) -> Machine {
        let name = file.file_name().unwrap().to_string_lossy();
        let image = self.folder().join(format!("{name}.img"));
        fs::copy(file, &image).unwrap();
        let disk = File::options().write(true).open(&image).unwrap();
        let length = disk.metadata().unwrap().len();
        disk.set_len(length.next_multiple_of(SECTOR)).unwrap();
        machine.integrated(Device::VirtioBlock { image })
    }

    /// Every file on the disks as they were installed: listed once for as long as they are the same.
    pub fn inventory_as_installed(&self) -> Inventory {
        let name = format!("inventory-{}", self.installed.golden().name());
        let inputs = format!("{INVENTORY} {}", self.installed.key());
        let list = |folder: &Path| {
            let inventory = self.inventory("before", &self.installed.disks);
            fs::write(folder.join(FILES), serde_json::to_vec(&inventory)?)
        };
        let listed = Cache::open().unwrap().entry(&name, inputs, list).unwrap();
        serde_json::from_slice(&fs::read(listed.join(FILES)).unwrap()).unwrap()
    }

    /// Every file on these disks, which stay as they are.
    pub fn inventory(&self, phase: &str, disks: &[PathBuf]) -> Inventory {
        let disks = self.copy(phase, disks);
        let images = guest_image(&[Request::Inventory], self.folder.path()).unwrap();
        // One that has instructions for SHA-256.
        let mut machine = Machine::q35().processor("max").memory(1024);
        for image in disks {
            machine = machine.integrated(Device::VirtioBlock { image });
        }
        let boot = Boot::new(&self.name(phase), &images, machine).deadlines(self.deadlines);
        let mut run = boot.start(&self.qemu).unwrap();
        run.wait_milestone(Milestone::Init).unwrap();
        run.wait_text("inventory: done", TO_LIST).unwrap();
        let answers = run.answers().unwrap();
        match answers.as_slice() {
            [Ok(Answer::Text(text))] => serde_json::from_str(text).unwrap(),
            other => panic!("{other:?}"),
        }
    }
}

/// A guest that carries out these requests.
pub fn guest_image(requests: &[Request], folder: &Path) -> anyhow::Result<Images> {
    let init = Path::new(env!("CARGO_BIN_EXE_storage-guest"));
    storage_guest::image(init, Reads::Everything, requests, folder)
}
