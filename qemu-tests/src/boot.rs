use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::{env, fs, io};

use crate::acpi::Table;
use crate::failure::{Failure, Outcome};
use crate::images::output_folder;
use crate::initramfs::{self, Entry};
use crate::lab_image::unpacked_kernel_once;
use crate::machine::Machine;
use crate::run::Run;
use crate::{Deadlines, Images, Qemu};

/// What every boot is given: both consoles; a panic that ends QEMU, which starts with -no-reboot; an IOMMU
/// where there is one; and no test of the timer, which takes an emulator that was not scheduled for some
/// milliseconds for a broken interrupt controller, and panics.
const COMMAND_LINE: &str =
    "console=tty0 console=ttyS0,115200 panic=-1 oops=panic no_timer_check intel_iommu=on";

/// The kernel looks for the archive that follows at a multiple of this.
const ARCHIVE_ALIGNMENT: usize = 512;

/// A kernel, an initramfs and a command line on a machine.
#[derive(Clone, Debug)]
pub struct Boot {
    pub(crate) name: String,
    /// Without, the machine starts what its firmware finds on its disks.
    images: Option<Images>,
    options: Vec<String>,
    pub(crate) machine: Machine,
    pub(crate) deadlines: Deadlines,
    count_instructions: bool,
    /// The kernel is started as it is.
    packed_kernel: bool,
    /// What an archive in front of the initramfs holds.
    early: Vec<Entry>,
}

/// Where QEMU's character devices lead: the arguments for the first serial line, and for the others QEMU's
/// words after `-chardev`.
pub(crate) struct Wiring {
    pub(crate) serial: Vec<String>,
    pub(crate) events: String,
    pub(crate) monitor: Option<String>,
}

impl Boot {
    /// A boot of `images` on `machine`. `name` is the name of its folder of logs, `out/lab/NAME`.
    pub fn new(name: &str, images: &Images, machine: Machine) -> Self {
        Self::of(name, Some(images.clone()), machine)
    }

    /// A boot of what the firmware of `machine` finds on its disks. It brings its own command line: options
    /// and early files have no effect.
    pub fn from_disk(name: &str, machine: Machine) -> Self {
        Self::of(name, None, machine)
    }

    fn of(name: &str, images: Option<Images>, machine: Machine) -> Self {
        Self {
            name: name.to_owned(),
            images,
            options: Vec::new(),
            machine,
            deadlines: Deadlines::scaled(1.0),
            count_instructions: false,
            packed_kernel: false,
            early: Vec::new(),
        }
    }

    /// With this word added to the kernel's command line.
    pub fn option(mut self, option: &str) -> Self {
        self.options.push(option.to_owned());
        self
    }

    /// With these deadlines.
    pub fn deadlines(mut self, deadlines: Deadlines) -> Self {
        self.deadlines = deadlines;
        self
    }

    /// With guest time as a count of instructions: one nanosecond each, idle time skipped.
    pub fn count_instructions(mut self) -> Self {
        self.count_instructions = true;
        self
    }

    /// With the kernel as it is, which unpacks itself. Other boots spare the time, where firmware allows that and
    /// instructions are not counted.
    pub fn packed_kernel(mut self) -> Self {
        self.packed_kernel = true;
        self
    }

    /// With this file in an uncompressed archive in front of the initramfs, where the kernel also looks for
    /// ACPI tables and microcode.
    pub fn early_file(mut self, file: Entry) -> Self {
        self.early.push(file);
        self
    }

    /// With this ACPI table in place of the firmware's of the same signature.
    pub fn replace_table(self, table: &Table) -> Self {
        self.early_file(table.early_file())
    }

    /// With all virtual functions of NVMe controllers enabled before the image's init starts. Only with an
    /// image that has busybox.
    pub fn enable_virtual_functions(self) -> Self {
        let script = include_bytes!("virtual_functions.sh").to_vec();
        self.early_file(Entry::program("enable-virtual-functions", script))
            .option("rdinit=/enable-virtual-functions")
    }

    /// Starts it. Waits for its turn when two guests run already.
    pub fn start(self, qemu: &Qemu) -> Result<Run, Failure> {
        Run::start(self, qemu)
    }

    /// Runs it on this process's terminal until the guest ends.
    pub fn on_terminal(&self, qemu: &Qemu) -> io::Result<ExitStatus> {
        empty_folder(&self.logs())?;
        self.write_early()?;
        let wiring = Wiring {
            serial: vec!["-serial".to_owned(), "mon:stdio".to_owned()],
            // QEMU's null device never connects, and a guest's write to such a port blocks.
            events: "file,id=events,path=/dev/null".to_owned(),
            monitor: None,
        };
        self.command(qemu, &wiring).status()
    }

    /// The kernel's command line.
    pub fn command_line(&self) -> String {
        let mut line = COMMAND_LINE.to_owned();
        for option in &self.options {
            line.push(' ');
            line.push_str(option);
        }
        line
    }

    /// The folder of its logs.
    pub fn logs(&self) -> PathBuf {
        logs(&self.name)
    }

    /// QEMU with all its arguments.
    pub(crate) fn command(&self, qemu: &Qemu, wiring: &Wiring) -> Command {
        let kvm = !self.count_instructions
            && env::var_os("PREFLIGHT_ACCEL").is_some_and(|accel| accel == "kvm");
        let mut command = qemu.system();
        command.args(self.machine.arguments(kvm));
        if self.count_instructions {
            command.args(["-accel", "tcg,thread=single"]);
            command.args(["-icount", "shift=0,sleep=off"]);
        } else if kvm {
            command.args(["-accel", "kvm"]);
        } else {
            command.args(["-accel", "tcg,thread=multi"]);
        }
        command.args(&wiring.serial);
        command.args(["-chardev", &wiring.events]);
        if let Some(monitor) = &wiring.monitor {
            command.args(["-chardev", monitor]);
            command.args(["-qmp", "chardev:monitor"]);
        }
        if let Some(images) = &self.images {
            command
                .arg("-kernel")
                .arg(&images.kernel)
                .arg("-initrd")
                .arg(self.initramfs(images))
                .arg("-append")
                .arg(self.command_line());
        }
        command
    }

    /// The initramfs that QEMU is given.
    fn initramfs(&self, images: &Images) -> PathBuf {
        if self.early.is_empty() {
            images.initramfs.clone()
        } else {
            self.logs().join("initramfs.img")
        }
    }

    /// Unpacks the kernel where that spares time, and writes the initramfs with the archive in front, if there is one,
    /// into the folder of logs.
    pub(crate) fn prepare(&mut self) -> io::Result<()> {
        let as_it_is = self.packed_kernel || self.count_instructions || self.machine.is_uefi();
        if let Some(images) = self.images.as_mut().filter(|_| !as_it_is) {
            images.kernel = unpacked_kernel_once(&images.kernel)
                .map_err(|error| io::Error::other(format!("{error:#}")))?;
        }
        self.write_early()
    }

    fn write_early(&self) -> io::Result<()> {
        let Some(images) = self.images.as_ref().filter(|_| !self.early.is_empty()) else {
            return Ok(());
        };
        let mut image = initramfs::write(&with_parents(&self.early))?;
        image.resize(image.len().next_multiple_of(ARCHIVE_ALIGNMENT), 0);
        image.extend(fs::read(&images.initramfs)?);
        fs::write(self.initramfs(images), image)
    }

    /// A failure of the lab before there is a guest.
    pub(crate) fn failure(name: &str, error: io::Error) -> Failure {
        Failure {
            run: name.to_owned(),
            waiting_for: "the start".to_owned(),
            outcome: Outcome::Lab(error.to_string()),
            machine_state: None,
            last_lines: Vec::new(),
            logs: logs(name),
        }
    }
}

/// These files, each folder of their paths in front of them.
fn with_parents(files: &[Entry]) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    for file in files {
        for (end, _) in file.name.match_indices('/') {
            let folder = Entry::folder(&file.name[..end]);
            if !entries.contains(&folder) {
                entries.push(folder);
            }
        }
        entries.push(file.clone());
    }
    entries
}

fn logs(name: &str) -> PathBuf {
    output_folder().join("lab").join(name)
}

/// An empty folder for the logs of a run: what an earlier run left there must not be taken for this one's.
pub(crate) fn empty_folder(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    fs::create_dir_all(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_stand_before_what_is_in_them_and_once() {
        let file = |name: &str| Entry::program(name, Vec::new());
        let entries = with_parents(&[file("kernel/a"), file("kernel/b"), file("init")]);
        let names: Vec<_> = entries.iter().map(|entry| entry.name.as_str()).collect();
        assert_eq!(names, ["kernel", "kernel/a", "kernel/b", "init"]);
    }

    #[test]
    fn options_come_after_what_every_boot_has() {
        let images = Images {
            kernel: "vmlinuz".into(),
            initramfs: "initramfs.img".into(),
        };
        let boot = Boot::new("options", &images, Machine::q35()).option("preflight.end=poweroff");
        assert!(boot.command_line().starts_with(COMMAND_LINE));
        assert!(boot.command_line().ends_with(" preflight.end=poweroff"));
    }
}
