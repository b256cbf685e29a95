//! What becomes of a state: it starts, it is taken back, and the change is made again.

use std::path::PathBuf;

use qemu_tests::golden::Golden;
use qemu_tests::power_cut::Bounds;
use qemu_tests::storage_guest::Inventory;

use super::again::{ended, made_again};
use super::recovery::Progress;
use super::{Class, Cuts, Look, Recorded};
use crate::lab::Lab;
use crate::round_trip::{A_CHANGE, asked, is_the_same};

/// States that are looked at in `make soak`.
const STATES: Look = Look {
    states: 320,
    bounds: Bounds {
        every_subset: 5,
        of_a_kind: 8,
        drawn: 16,
        atomic: 4096,
    },
    thorough: true,
};

/// What an undo says of a change of which nothing is in use.
const NOT_SWITCHED: &str = "nothing of it had been switched, and what was staged is removed";

impl Class<'_> {
    /// It starts by its own firmware, it is taken back, and the change is made again.
    fn goes_every_way(&self, lab: &Lab, cuts: &Cuts, before: &Inventory, after: &Inventory) {
        println!("class {}", self.name);
        let phase = |way: &str| format!("cut-{way}-{}", self.name);
        let disks = |way: &str| cuts.disks(lab, &phase(way), &self.first);
        let asks = |way: &str, disks: &[PathBuf], command: &str| {
            let mut shell = lab.stick(&phase(way), disks);
            let said = asked(&mut shell, command, A_CHANGE);
            assert_eq!(said.status, 0, "{}", self.name);
            shell.power_off().unwrap();
            let files = lab.inventory(&phase(&format!("after-{way}")), disks);
            (said.text, files)
        };

        let host = lab.start(&phase("started"), &disks("started"), &[]);
        let is_new = host
            .command_line
            .split_whitespace()
            .any(|word| word == "iommu=pt");
        let wanted = self.starts_new.unwrap_or(is_new);
        assert_eq!(is_new, wanted, "{}: {}", self.name, host.command_line);

        let (said, undone) = asks("undo", &disks("undone"), "preflight undo --root auto --yes");
        let was_there = said.contains(" is undone: ");
        let says = match self.progress {
            Progress::Nothing => "There is nothing to undo on ",
            Progress::Copied => NOT_SWITCHED,
            Progress::Begun if self.starts_new == Some(false) && !was_there => NOT_SWITCHED,
            Progress::Begun | Progress::Done => " is undone: ",
        };
        assert!(said.contains(says), "{}: no '{says}'", self.name);
        is_the_same(before, &undone);

        let apply = format!("preflight apply {} --yes", lab.choice());
        let (_, again) = asks("again", &disks("again"), &apply);
        match was_there {
            // It was only ended, if at all: it is the same change.
            true => is_the_same(&ended(after), &ended(&again)),
            false => is_the_same(&made_again(after), &made_again(&again)),
        }
    }
}

/// The whole of it with one system.
fn every_state_is_old_or_new(golden: Golden) {
    let Some(lab) = Lab::with(golden) else { return };
    let recorded = Recorded::of(&lab);
    let mut shell = lab.shell("cut-apply", recorded.machine(&lab));
    let command = format!("preflight apply {} --yes", lab.choice());
    assert_eq!(asked(&mut shell, &command, A_CHANGE).status, 0);
    shell.power_off().unwrap();
    let cuts = recorded.cuts(&lab);
    let classes = cuts.judge(&lab, STATES);
    assert!(classes.len() >= 3);
    let before = lab.inventory_as_installed();
    let after = lab.inventory("cut-after", &cuts.complete(&lab));
    for class in &classes {
        class.goes_every_way(&lab, &cuts, &before, &after);
    }
}

#[test]
#[ignore = "takes long: make soak"]
fn on_lvm_and_ext4_every_crash_state_is_old_or_new_and_goes_on_from_there() {
    every_state_is_old_or_new(Golden::LvmExt4Bios);
}

#[test]
#[ignore = "takes long: make soak"]
fn on_a_zfs_mirror_with_two_esps_every_crash_state_is_old_or_new_and_goes_on_from_there() {
    every_state_is_old_or_new(Golden::ZfsSystemdBoot);
}

#[test]
#[ignore = "takes long: make soak"]
fn on_a_btrfs_mirror_every_crash_state_is_old_or_new_and_goes_on_from_there() {
    every_state_is_old_or_new(Golden::BtrfsMirror);
}
