//! A machine that starts from a medium, and what must have come of it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use image_builder::apt::{self, Request};
use image_builder::cache::Cache;
use image_builder::grub::Packages;
use image_builder::iso::{self, Xorriso};
use image_builder::medium::Recipe;
use image_builder::uki::{self, Key};
use image_builder::{netboot, usb};
use qemu_tests::{
    Boot, Deadlines, Device, Images, Machine, Milestone, Port, Qemu, Run, RunResult, Stick,
    baseline, release_image,
};
use storage::Growth;
use tempfile::TempDir;

use crate::first_boot::STICK;

/// Firmware and GRUB say nothing while they read a kernel.
const SILENT: f64 = 4.0;

/// On the reference machine, some ten times what is seen there.
const TO_THE_MENU: Duration = Duration::from_secs(60);

const TO_THE_SHELL: Duration = Duration::from_secs(20);

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

    pub fn kernel(&self) -> &Path {
        &self.images.kernel
    }

    /// The same lab with boot loaders, kernel, modules and tools of this suite of Debian, as a release has them; or
    /// nothing and the reason printed.
    pub fn of_debian(mut self, suite: &str) -> Option<Self> {
        let fetched = || -> anyhow::Result<_> {
            let packages = Packages::fetch_from_debian(&Cache::open()?, suite)?;
            Ok((packages, release_image(suite)?))
        };
        let fetched = fetched().map_err(|why| qemu_tests::skip(&format!("{why:#}")));
        (self.packages, self.images) = fetched.ok()?;
        Some(self)
    }

    /// The stick as `image-builder usb` makes it, with the options of the lab and these.
    pub fn stick(&self, options: &[&str]) -> Stick {
        self.stick_with_kernel(self.kernel(), options)
    }

    /// The same with another kernel.
    pub fn stick_with_kernel(&self, kernel: &Path, options: &[&str]) -> Stick {
        let output: PathBuf = self.folder().join("preflight.img");
        let recipe = self.recipe(kernel, options);
        usb::build(&recipe, &self.packages, &output, &|_| {}).unwrap();
        Stick::of_image(&output)
    }

    /// The stick from which UEFI starts a unified kernel image, signed with this key and its certificate.
    pub fn stick_with_uki(&self, key: Option<(PathBuf, PathBuf)>) -> Stick {
        let [uki, output] = ["preflight.efi", "preflight.img"].map(|name| self.folder().join(name));
        let mut recipe = self.recipe(self.kernel(), &[]);
        let key = key.map(|(key, certificate)| Key { key, certificate });
        let cache = Cache::open().unwrap();
        uki::build(&recipe, "assess", key.as_ref(), &cache, &uki, &|_| {}).unwrap();
        recipe.uki = Some(uki);
        usb::build(&recipe, &self.packages, &output, &|_| {}).unwrap();
        Stick::of_image(&output)
    }

    /// A stick of the same image that was booted once, as a file of this name.
    pub fn booted_before(&self, image: &Path, name: &str) -> Stick {
        let path = self.folder().join(name);
        fs::copy(image, &path).unwrap();
        let file = File::options().write(true).open(&path).unwrap();
        file.set_len(STICK).unwrap();
        let grown = storage::grow_disk(&path, &mut |_, _| Ok(())).unwrap();
        assert!(matches!(grown, Growth::Grown(_)));
        Stick::of_image(&path)
    }

    /// A file of a package of Debian's; or nothing and the reason printed.
    pub fn package_file(&self, package: &str, path: &str) -> Option<PathBuf> {
        let fetched = Cache::open().map_err(anyhow::Error::from);
        let tree = fetched.and_then(|it| Ok(apt::cached_tree(&it, &Request::new([package]))?));
        let tree = tree.map_err(|why| qemu_tests::skip(&format!("{why:#}")));
        Some(tree.ok()?.join(path))
    }

    /// A folder to be served, as `image-builder netboot` makes it, with the options of the lab and these.
    pub fn netboot(&self, options: &[&str]) -> PathBuf {
        let output = self.folder().join("netboot");
        let recipe = self.recipe(self.kernel(), options);
        netboot::build(&recipe, &output).unwrap();
        output
    }

    /// The CD as `image-builder iso` makes it, with the options of the lab; or nothing and the reason printed.
    pub fn iso(&self) -> Option<Iso> {
        let fetched = Cache::open().map_err(anyhow::Error::from);
        let xorriso = fetched.and_then(|cache| Ok(Xorriso::fetch(&cache)?));
        let xorriso = xorriso.map_err(|why| qemu_tests::skip(&format!("{why:#}")));
        let iso = Iso {
            image: self.folder().join("preflight.iso"),
            xorriso: xorriso.ok()?,
            folder: self.folder().to_owned(),
        };
        let recipe = self.recipe(self.kernel(), &[]);
        iso::build(&recipe, &self.packages, &iso.xorriso, &iso.image, &|_| {}).unwrap();
        Some(iso)
    }

    fn recipe(&self, kernel: &Path, options: &[&str]) -> Recipe {
        let words = OPTIONS.iter().chain(options);
        Recipe {
            kernel: kernel.to_owned(),
            initramfs: self.images.initramfs.clone(),
            kernel_options: words.map(|&word| word.to_owned()).collect(),
            uki: None,
            modified: 1_700_000_000,
        }
    }

    /// Starts the machine from what its firmware finds.
    pub fn start(&self, name: &str, machine: Machine) -> Run {
        self.run(Boot::from_disk(name, machine))
    }

    /// Starts kernel and initramfs on it, without firmware's help.
    pub fn start_kernel(&self, name: &str, machine: Machine) -> Run {
        let boot = Boot::new(name, &self.images, machine);
        self.run(boot.option("preflight.end=poweroff"))
    }

    /// Starts it with the lab's deadlines.
    pub fn run(&self, boot: Boot) -> Run {
        boot.deadlines(self.deadlines).start(&self.qemu).unwrap()
    }

    /// Waits for the boot menu on the serial line, and there presses these keys and Enter.
    pub fn choose(&self, run: &mut Run, keys: &str) {
        run.wait_text("Rescue: the installed system", TO_THE_MENU)
            .unwrap();
        run.type_text(&format!("{keys}\r")).unwrap();
    }

    /// The same, but that the entry ends in a shell, which is left.
    pub fn finish_in_shell(&self, run: &mut Run) -> Seen {
        run.wait_milestone(Milestone::Shown).unwrap();
        let result = run.result().unwrap();
        run.wait_text("preflight# ", TO_THE_SHELL).unwrap();
        run.type_text("exit\r").unwrap();
        run.wait_end().unwrap();
        Seen { result }
    }

    /// Waits until the report was made and the machine has switched itself off.
    pub fn finish(&self, run: &mut Run) -> Seen {
        run.wait_milestone(Milestone::Shown).unwrap();
        let result = run.result().unwrap();
        run.wait_end().unwrap();
        Seen { result }
    }
}

/// A CD's image.
pub struct Iso {
    pub image: PathBuf,
    xorriso: Xorriso,
    folder: PathBuf,
}

impl Iso {
    /// A file of the CD, beside it.
    pub fn extract(&self, path: &str) -> PathBuf {
        let to = self.folder.join(path.replace('/', "-"));
        let mut command = self.xorriso.command();
        command.args(["-osirrox", "on", "-indev"]).arg(&self.image);
        let ran = command.args(["-extract", path]).arg(&to).output().unwrap();
        assert!(ran.status.success(), "{ran:?}");
        to
    }
}

/// What came of a look.
pub struct Seen {
    pub result: RunResult,
}

impl Seen {
    /// The command line that GRUB gave the kernel has this word, and those that every entry has.
    pub fn was_started_with(&self, option: &str) {
        let line = self.result.assessment["kernel"]["command_line"].as_str();
        let words: Vec<&str> = line.unwrap().split(' ').collect();
        for word in [option, "console=ttyS0,115200", "console=tty0"] {
            assert!(words.contains(&word), "{words:?}");
        }
    }

    /// The kernel that was started has taken the word of Secure Boot, and the report says so.
    pub fn was_locked_down(&self, stick: &Stick) {
        let log = self.kernel_log(stick);
        assert!(
            log.contains("Kernel is locked down from EFI Secure Boot"),
            "{log}"
        );
        let findings = self.result.assessment["findings"].as_array().unwrap();
        let told = findings.iter().any(|it| it["id"] == "kernel.lockdown");
        assert!(told, "{findings:?}");
    }

    /// The kernel's log as it was saved.
    pub fn kernel_log(&self, stick: &Stick) -> String {
        let saved = self.result.saved.as_ref().unwrap();
        let log = stick.file(&format!("{}/kernel.log", saved.folder)).unwrap();
        String::from_utf8_lossy(&log).into_owned()
    }
}

/// A machine with a card to judge and this stick.
pub fn machine(stick: &Stick) -> Machine {
    without_stick().stick(stick)
}

/// The same without the stick.
pub fn without_stick() -> Machine {
    Machine::q35()
        .display(Device::StandardVga)
        .card(Port::RootPort, Device::E1000e { rom: None })
}

/// The assessment was made and lies on the stick, whole and on a clean file system.
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
}
