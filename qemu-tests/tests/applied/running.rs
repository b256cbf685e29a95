//! A change that is taken back on the system that it is in force on, by the same program.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use qemu_tests::{Device, Machine, Said, preflight_of_image};

use crate::lab::Lab;

/// A disk is as many whole sectors of this.
const SECTOR: u64 = 512;
/// The program in the running system: nothing that an undo restores.
const PROGRAM: &str = "/run/preflight-tool";

impl Lab {
    /// Starts the system on these disks, has the change listed and taken back there, and presses the power button.
    pub fn undo_while_it_runs(&self, phase: &str, disks: &[PathBuf]) -> Said {
        let program = preflight_of_image().unwrap();
        let length = fs::metadata(&program).unwrap().len();
        let machine = self.carrying(&program, self.machine(disks));
        let commands = [
            format!(
                "head -c {length} /dev/vda >{PROGRAM}; chmod 755 {PROGRAM}; {PROGRAM} --version"
            ),
            format!("{PROGRAM} undo 2>&1; echo status $?"),
            format!("{PROGRAM} undo --yes 2>&1; echo status $?"),
        ];
        let host = self.start_on(phase, machine, &commands);
        let [version, listed, done] = host.answers.as_slice() else {
            panic!("{:?}", host.answers);
        };
        assert!(version.starts_with("preflight "), "{version}");
        assert!(
            listed.contains("To be put back from the receipt") && listed.ends_with("status 0"),
            "{listed}"
        );
        let (text, status) = done.rsplit_once("status ").unwrap();
        Said {
            status: status.parse().unwrap(),
            text: text.to_owned(),
        }
    }

    /// The machine with a virtio disk that holds this file from its beginning.
    fn carrying(&self, file: &Path, machine: Machine) -> Machine {
        let image = self.folder().join("carried.img");
        fs::copy(file, &image).unwrap();
        let disk = File::options().write(true).open(&image).unwrap();
        let length = disk.metadata().unwrap().len();
        disk.set_len(length.next_multiple_of(SECTOR)).unwrap();
        machine.integrated(Device::VirtioBlock { image })
    }
}
