//! A change that is taken back on the system that it is in force on, by the same program.

use std::fs;
use std::path::PathBuf;

use qemu_tests::golden::Golden;
use qemu_tests::{Said, preflight_of_image};

use crate::lab::Lab;
use crate::round_trip::{A_CHANGE, asked, is_the_same, takes_it_back, without_a_start};

/// The program in the running system, in memory. In /run nothing may be started.
const PROGRAM: &str = "/dev/shm/preflight";

/// Mounts each EFI system partition (UEFI specification, 5.3.3), and keeps the words for an undo that name them.
const ESPS: &str = "for part in $(lsblk -nrpo NAME,PARTTYPE | \
    sed -n 's/ c12a7328-f81f-11d2-ba4b-00a0c93ec93b//p'); do id=$(lsblk -nrdo PARTUUID $part); \
    mkdir /dev/shm/$id; mount $part /dev/shm/$id && echo --esp $id=/dev/shm/$id; done >/dev/shm/esps";

impl Lab {
    /// Starts the system on these disks, has the change listed and taken back there, and presses the power button.
    pub fn undo_while_it_runs(&self, phase: &str, disks: &[PathBuf]) -> Said {
        let program = preflight_of_image().unwrap();
        let length = fs::metadata(&program).unwrap().len();
        let machine = self.carried(&program, self.machine(disks));
        let commands = [
            format!(
                "head -c {length} /dev/vda >{PROGRAM}; chmod 755 {PROGRAM}; {PROGRAM} --version"
            ),
            ESPS.to_owned(),
            format!("{PROGRAM} undo $(cat /dev/shm/esps) 2>&1; echo status $?"),
            format!(
                "{PROGRAM} undo $(cat /dev/shm/esps) --yes 2>&1; echo status $?; umount /dev/shm/*-*"
            ),
        ];
        let host = self.start_on(phase, machine, &commands);
        let [version, _, listed, done] = host.answers.as_slice() else {
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
}

fn takes_back_while_it_runs(golden: Golden) {
    let Some(lab) = Lab::with(golden) else {
        return;
    };
    let disks = lab.disks("running");
    let mut shell = lab.stick("running-apply", &disks);
    let command = format!("preflight apply {} --native --yes", lab.choice());
    assert_eq!(asked(&mut shell, &command, A_CHANGE).status, 0);
    shell.power_off().unwrap();

    takes_it_back(&lab.undo_while_it_runs("running-undo", &disks));
    let before = without_a_start(&lab.inventory_as_installed());
    let after = without_a_start(&lab.inventory("running-after", &disks));
    is_the_same(&before, &after);
    lab.starts_as_before("running", &disks);
}

#[test]
#[ignore = "takes long: make soak"]
fn what_the_stick_has_changed_is_taken_back_on_the_system_that_runs() {
    takes_back_while_it_runs(Golden::LvmExt4Bios);
}

#[test]
#[ignore = "takes long: make soak"]
fn the_esps_of_a_mirror_are_taken_back_on_the_system_that_runs() {
    takes_back_while_it_runs(Golden::ZfsGrub);
}
