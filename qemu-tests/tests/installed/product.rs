//! What the image itself finds: a session from power on, on the machine that each system was installed on.

use std::path::PathBuf;

use proxmox::Systems;
use proxmox::boot::way::Method;
use proxmox::disks::LayoutKind;
use qemu_tests::golden::{Golden, Installed};
use qemu_tests::{Boot, Milestone, Stick, image_with_zfs};

use crate::described::{Expected, hold};
use crate::lab::Lab;
use crate::untouched::Harm;

impl Lab {
    /// The systems that a session on the machine of `installed` finds. No disk but the stick is written to.
    pub fn session(&self, installed: &Installed) -> Systems {
        let name = format!("installed-session-{}", installed.golden().name());
        let disks: Vec<PathBuf> = self.overlays("session", &installed.disks);
        let machine = installed.machine(&disks, self.folder()).unwrap();
        let stick = Stick::new(self.folder()).unwrap();
        let images = image_with_zfs().unwrap();
        let boot = Boot::new(&name, &images, machine.stick(&stick)).deadlines(self.patient());
        let mut run = boot.start(&self.qemu).unwrap();
        run.wait_milestone(Milestone::Shown).unwrap();
        let result = run.result().unwrap();
        let harm = Harm::counted_of_disks(&mut run);
        drop(run);
        assert_eq!(harm.and_in(&self.qemu, &disks), Harm::default());
        let saved = result.saved.unwrap();
        let bytes = stick.file(&format!("{}/systems.json", saved.folder));
        serde_json::from_slice(&bytes.unwrap()).unwrap()
    }
}

fn is_read(golden: Golden, expected: &Expected) {
    let Some((lab, [installed])) = Lab::with([golden]) else {
        return;
    };
    let systems = lab.session(&installed);
    hold(golden, &systems, &installed.manifest, expected);
}

/// The guests of every host in Proxmox's layout name cards that the machines here do not have.
const GUESTS: [&str; 5] = [
    "system.dangling-link",
    "system.guest-device-missing",
    "system.guest-takes-host-device",
    "system.interface-name-by-bus",
    "system.mapping-differs",
];

const LVM: &[(u32, &str)] = &[
    (1, "BIOS boot partition"),
    (2, "ESP"),
    (3, "physical volume of pve"),
    (3, "root on pve/root"),
    (3, "swap on pve/swap"),
];
const ZFS: &[(u32, &str)] = &[
    (1, "BIOS boot partition"),
    (2, "ESP"),
    (3, "member of pool rpool"),
    (3, "root on rpool/ROOT/pve-1"),
];

#[test]
fn lvm_with_ext4_and_bios() {
    is_read(
        Golden::LvmExt4Bios,
        &Expected {
            method: Method::GrubBios,
            layout: LayoutKind::Lvm,
            uses: LVM,
            findings: &GUESTS,
        },
    );
}

#[test]
fn lvm_with_ext4_and_uefi_a_pinned_kernel_and_a_change_in_the_write_ahead_log() {
    is_read(
        Golden::LvmExt4Uefi,
        &Expected {
            method: Method::GrubUefi,
            layout: LayoutKind::Lvm,
            uses: LVM,
            // Guest 101 starts by itself too, as the log alone says.
            findings: &[
                "system.dangling-link",
                "system.guest-device-missing",
                "system.guest-takes-host-device",
                "system.guest-takes-host-device",
                "system.interface-name-by-bus",
                "system.mapping-differs",
            ],
        },
    );
}

#[test]
fn lvm_with_xfs_and_settings_that_the_initrd_does_not_have() {
    is_read(
        Golden::LvmXfsUefi,
        &Expected {
            method: Method::GrubUefi,
            layout: LayoutKind::Lvm,
            uses: LVM,
            findings: &[
                "system.dangling-link",
                "system.guest-device-missing",
                "system.guest-takes-host-device",
                "system.initrd-stale",
                "system.interface-name-by-bus",
                "system.mapping-differs",
            ],
        },
    );
}

#[test]
fn a_zfs_mirror_with_systemd_boot_and_a_command_line_that_was_not_written_to_its_esps() {
    is_read(
        Golden::ZfsSystemdBoot,
        &Expected {
            method: Method::SystemdBoot,
            layout: LayoutKind::Zfs,
            uses: ZFS,
            findings: &[
                "system.command-line-not-applied",
                "system.dangling-link",
                "system.guest-device-missing",
                "system.guest-takes-host-device",
                "system.interface-name-by-bus",
                "system.mapping-differs",
            ],
        },
    );
}

#[test]
fn a_zfs_mirror_with_grub_on_esps_that_still_have_systemd_boot() {
    is_read(
        Golden::ZfsGrub,
        &Expected {
            method: Method::GrubOnEsp,
            layout: LayoutKind::Zfs,
            uses: ZFS,
            findings: &[
                "system.command-line-wrong-file",
                "system.dangling-link",
                "system.esp-left-over",
                "system.esp-left-over",
                "system.guest-device-missing",
                "system.guest-takes-host-device",
                "system.interface-name-by-bus",
                "system.mapping-differs",
            ],
        },
    );
}

#[test]
fn a_btrfs_mirror() {
    is_read(
        Golden::BtrfsMirror,
        &Expected {
            method: Method::GrubBios,
            layout: LayoutKind::Btrfs,
            uses: &[(1, "BIOS boot partition"), (2, "ESP"), (3, "root")],
            findings: &GUESTS,
        },
    );
}

#[test]
fn debian_with_dracut_and_libvirt() {
    is_read(
        Golden::DebianDracut,
        &Expected {
            method: Method::GrubUefi,
            layout: LayoutKind::Partition,
            uses: &[(1, "ESP"), (2, "swap"), (3, "root")],
            // Its initrd forces vfio_pci and has no /etc/modprobe.d.
            findings: &[
                "system.guest-device-missing",
                "system.guest-device-missing",
                "system.initrd-generic",
                "system.passthrough-error-logged",
            ],
        },
    );
}
