//! A machine that starts from a medium, and what must have come of it.

use std::path::{Path, PathBuf};

use image_builder::cache::Cache;
use image_builder::grub::Packages;
use image_builder::netboot;
use image_builder::usb::{self, Recipe};
use qemu_tests::{
    Boot, Deadlines, Device, Images, Machine, Milestone, Port, Qemu, RunResult, Stick, baseline,
    same_from_capture,
};
use tempfile::TempDir;

/// Firmware and GRUB say nothing while they read a kernel.
const SILENT: f64 = 4.0;

/// What the lab adds to every entry of the menu: see `Boot` of the lab for why.
const OPTIONS: [&str; 4] = [
    "preflight.end=poweroff",
    "no_timer_check",
    "panic=-1",
    "oops=panic",
];

pub struct Lab {
    pub qemu: Qemu,
    images: Images,
    packages: Packages,
    deadlines: Deadlines,
    folder: TempDir,
}

impl Lab {
    /// The lab, or nothing and the reason printed.
    pub fn open() -> Option<Self> {
        let opened = || -> anyhow::Result<Self> {
            let images = Images::find().map_err(anyhow::Error::msg)?;
            let qemu = Qemu::obtain()?;
            let packages = Packages::fetch(&Cache::open()?)?;
            let init = Path::new(env!("CARGO_BIN_EXE_baseline-init"));
            let deadlines = baseline::deadlines(&qemu, &images.kernel, init)?;
            Ok(Self {
                qemu,
                images,
                packages,
                deadlines: Deadlines::scaled(deadlines.factor().max(SILENT)),
                folder: tempfile::tempdir()?,
            })
        };
        opened()
            .map_err(|why| qemu_tests::skip(&format!("{why:#}")))
            .ok()
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The stick as `image-builder usb` makes it, with the options of the lab and these.
    pub fn stick(&self, options: &[&str]) -> Stick {
        let output: PathBuf = self.folder().join("preflight.img");
        let words = OPTIONS.iter().chain(options);
        let recipe = Recipe {
            kernel: self.images.kernel.clone(),
            initramfs: self.images.initramfs.clone(),
            kernel_options: words.map(|&word| word.to_owned()).collect(),
            modified: 1_700_000_000,
        };
        usb::build(&recipe, &self.packages, &output, &|_| {}).unwrap();
        Stick::of_image(&output)
    }

    /// A folder to be served, as `image-builder netboot` makes it, with the options of the lab.
    pub fn netboot(&self) -> PathBuf {
        let output = self.folder().join("netboot");
        let recipe = netboot::Recipe {
            kernel: self.images.kernel.clone(),
            initramfs: self.images.initramfs.clone(),
            kernel_options: OPTIONS.map(str::to_owned).to_vec(),
        };
        netboot::build(&recipe, &output).unwrap();
        output
    }

    /// Starts the machine from what its firmware finds, and waits until it has switched itself off.
    pub fn look(&self, name: &str, machine: Machine) -> (RunResult, String) {
        let boot = Boot::from_disk(name, machine).deadlines(self.deadlines);
        let mut run = boot.start(&self.qemu).unwrap();
        run.wait_milestone(Milestone::Shown).unwrap();
        let result = run.result().unwrap();
        run.wait_end().unwrap();
        (result, run.serial().spoken())
    }
}

/// A machine with a card to judge and this stick.
pub fn machine(stick: &Stick) -> Machine {
    Machine::q35()
        .display(Device::StandardVga)
        .card(Port::RootPort, Device::E1000e { rom: None })
        .stick(stick)
}

/// The assessment was made and lies on the stick, whole, on a clean file system, and says the same as the machine
/// did.
pub fn is_saved_on(stick: &Stick, result: &RunResult) {
    assert_eq!(result.save_error, None);
    let saved = result.saved.as_ref().unwrap();
    let json = stick
        .file(&format!("{}/report.json", saved.folder))
        .unwrap();
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(json, result.assessment);
    assert_eq!(json["schema"], "preflight.assessment/1");
    assert_eq!(stick.complaint().unwrap(), None);
    same_from_capture(result, stick).unwrap();
}
