//! What goes wrong on the way: it is said, and the system starts as before.

use std::path::PathBuf;

use qemu_tests::golden::{self, Golden};
use qemu_tests::power_cut::FailingDisk;
use qemu_tests::{Device, Machine, Said};

use crate::lab::Lab;
use crate::round_trip::{A_CHANGE, asked};

/// Something that stands in the way of a change.
struct Trouble {
    name: &'static str,
    golden: Golden,
    /// What root does on the running system to bring it about; it has no double quotes.
    cause: &'static str,
    /// Words for the apply beside the choice.
    words: &'static str,
    /// What the apply has to say.
    says: &'static [&'static str],
}

/// All but three megabytes of the root, what is reserved for its administrator included.
const FULL_ROOT: Trouble = Trouble {
    name: "full-root",
    golden: Golden::LvmExt4Bios,
    cause: "fallocate -l $(($(stat -f -c %f /) * $(stat -f -c %S /) - 3000000)) /filler; sync",
    words: "",
    says: &[
        "update-initramfs",
        "No space left on device",
        "nothing was written",
    ],
};

/// Of the two ESPs of a mirror, the second one.
const FULL_ESP: Trouble = Trouble {
    name: "full-esp",
    golden: Golden::ZfsSystemdBoot,
    cause: "mount /dev/disk/by-uuid/$(tail -n 1 /etc/kernel/proxmox-boot-uuids) /mnt; \
            head -c $(($(stat -f -c %f /mnt) * $(stat -f -c %S /mnt) - 3000000)) /dev/zero >/mnt/filler; umount /mnt",
    words: "",
    says: &["room", "Nothing was changed"],
};

const FAILING_HOOK: Trouble = Trouble {
    name: "failing-hook",
    golden: Golden::LvmExt4Bios,
    cause: "cd /etc/initramfs-tools/hooks; printf '#!/bin/sh\\necho the hook is broken; exit 1\\n' >zz-broken; \
            chmod 755 zz-broken",
    words: "",
    says: &["update-initramfs", "the hook is broken"],
};

const HANGING_HOOK: Trouble = Trouble {
    name: "hanging-hook",
    golden: Golden::LvmExt4Bios,
    cause: "cd /etc/initramfs-tools/hooks; printf '#!/bin/sh\\nexec sleep 100000\\n' >zz-hangs; chmod 755 zz-hangs",
    words: " --tool-limit 120",
    says: &["update-initramfs", "120 seconds"],
};

/// A logical volume that its group says may only be read: nothing is mounted on it for writing.
const READ_ONLY_ROOT: Trouble = Trouble {
    name: "read-only-root",
    golden: Golden::LvmExt4Bios,
    cause: "lvchange -pr pve/root; sync",
    words: "",
    says: &["read-only"],
};

impl Trouble {
    /// Brings it about on disks of their own.
    fn brought_about(&self) -> Option<(Lab, Vec<PathBuf>)> {
        let lab = Lab::with(self.golden)?;
        let disks = lab.disks(self.name);
        lab.start(
            &format!("{}-cause", self.name),
            &disks,
            &[self.cause.to_owned()],
        );
        Some((lab, disks))
    }

    /// It is told, and the system starts as before.
    fn is_told_and_harms_nothing(&self) {
        let Some((lab, disks)) = self.brought_about() else {
            return;
        };
        let said = lab.apply(self.name, lab.stick_machine(&disks), self.words);
        self.is_told(&said);
        lab.starts_as_before(self.name, &disks);
    }

    fn is_told(&self, said: &Said) {
        assert_ne!(said.status, 0);
        for words in self.says {
            assert!(
                said.text.contains(words),
                "'{words}' is not said:\n{}",
                said.text
            );
        }
    }
}

impl Lab {
    /// What an apply on this machine says.
    pub fn apply(&self, phase: &str, machine: Machine, words: &str) -> Said {
        let mut shell = self.shell(&format!("{phase}-apply"), machine);
        let command = format!("preflight apply {}{words} --yes", self.choice());
        let said = asked(&mut shell, &command, A_CHANGE);
        shell.power_off().unwrap();
        said
    }

    /// What starts from these disks is what was installed.
    pub fn starts_as_before(&self, phase: &str, disks: &[PathBuf]) {
        let host = self.start(&format!("{phase}-after"), disks, &[]);
        assert_eq!(host.command_line, self.installed.manifest.command_line);
        assert_eq!(host.drivers()[1], Some("snd_hda_intel"));
    }
}

#[test]
#[ignore = "takes long: make soak"]
fn a_hook_that_fails_is_told_and_the_system_starts_as_before() {
    FAILING_HOOK.is_told_and_harms_nothing();
}

#[test]
#[ignore = "takes long: make soak"]
fn a_hook_that_hangs_is_ended_and_the_system_starts_as_before() {
    HANGING_HOOK.is_told_and_harms_nothing();
}

#[test]
#[ignore = "takes long: make soak"]
fn a_full_esp_is_told_before_anything_is_written_to_the_other_one() {
    FULL_ESP.is_told_and_harms_nothing();
}

#[test]
#[ignore = "takes long: make soak"]
fn a_full_root_is_told_and_the_system_starts_as_before() {
    FULL_ROOT.is_told_and_harms_nothing();
}

#[test]
#[ignore = "takes long: make soak"]
fn a_root_that_may_only_be_read_is_told_and_no_disk_is_written_to() {
    let Some((lab, disks)) = READ_ONLY_ROOT.brought_about() else {
        return;
    };
    let disks = lab.copy("as-they-are", &disks);
    let said = lab.apply(READ_ONLY_ROOT.name, lab.stick_machine(&disks), "");
    READ_ONLY_ROOT.is_told(&said);
    for disk in &disks {
        assert!(
            !golden::holds_something(&lab.qemu, disk).unwrap(),
            "{}",
            disk.display()
        );
    }
}

/// The second disk takes no write from the beginning; what is read of it is right.
#[test]
#[ignore = "takes long: make soak"]
fn a_disk_of_a_mirror_that_fails_is_told_and_the_system_starts_as_before() {
    let Some(lab) = Lab::with(Golden::ZfsSystemdBoot) else {
        return;
    };
    let disks = lab.disks("failing-disk");
    let failing = lab.raw(&disks[1]);
    let machine = lab
        .stick_machine(&disks[..1])
        .integrated(Device::Failing(FailingDisk::at_every_write(&failing)));
    let said = lab.apply("failing-disk", machine, "");
    assert_ne!(said.status, 0);
    assert!(said.text.contains("Input/output error"), "{}", said.text);
    lab.starts_as_before("failing-disk", &[disks[0].clone(), failing]);
}
