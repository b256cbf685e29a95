//! Every refusal.

use std::collections::BTreeSet;

use assess::Verdict;
use hardware::{HostRole, Reading};
use proxmox::initrd::InitramfsTool;

use super::*;
use crate::refusal_ids;

/// One host for each refusal.
fn refused() -> Vec<(&'static str, Host)> {
    let chosen = |devices: &[&str]| {
        let mut host = Host::on_lvm();
        host.choice.devices = devices.iter().map(|text| address(text)).collect();
        host
    };
    let changed = |change: fn(&mut proxmox::Installation)| Host {
        change,
        ..Host::on_lvm()
    };
    let guest = |number: u32, text: &str| {
        let mut host = Host::on_lvm().pve(GUEST, text);
        host.choice.guest = Some(number);
        host
    };
    let in_group =
        |place: &str, class: u32| Host::on_lvm().function(place, class, (0x1b21, 0x1142), 1);
    let mut bad_rom = Host::on_lvm();
    bad_rom.choice.rom = Some(rom(b"nothing"));
    let mut taken = Host::on_lvm().file("usr/share/kvm/my_card.rom", "QEMU's own");
    taken.choice.rom = Some(rom(b"nothing"));
    let mut two_displays = two_cards();
    two_displays.choice.rom = Some(rom(b"nothing"));
    let no_guests = Host::on_lvm().without_guests();
    vec![
        ("nothing-chosen", chosen(&[])),
        ("device-missing", chosen(&["0000:77:00.0"])),
        ("device-is-bridge", {
            let mut host = Host::on_lvm().function("0000:00:1c.0", 0x06_04_00, (0x8086, 0xa110), 9);
            host.choice.devices = vec![address("0000:00:1c.0")];
            host
        }),
        (
            "other-system",
            changed(|system| system.release = proxmox::system::release::Release::Unknown),
        ),
        (
            "no-vfio",
            Host::on_lvm().kernel("6.5.13-1-pve", "CONFIG_X=y\n"),
        ),
        (
            "card-blocked",
            Host {
                judge: |assessment| {
                    for card in &mut assessment.cards {
                        card.verdict = Verdict::Blocked;
                    }
                },
                ..Host::on_lvm()
            },
        ),
        (
            "host-disk",
            in_group("0000:06:00.0", 0x01_06_01).with(HostRole::Disk, "sda", "0000:06:00.0"),
        ),
        ("host-network", chosen(&[NIC])),
        (
            "host-keyboard",
            in_group("0000:06:00.0", 0x0c_03_30).with(
                HostRole::Keyboard,
                "keyboard",
                "0000:06:00.0",
            ),
        ),
        ("only-display", {
            let mut host = boot_display().without_ssh();
            host.choice.devices = vec![address("0000:00:02.0"), address(GPU)];
            host
        }),
        ("cluster", Host::on_lvm().pve("corosync.conf", "totem {}\n")),
        (
            "no-iommu",
            Host {
                judge: |assessment| assessment.iommu.firmware = assess::Answer::No,
                ..Host::on_lvm()
            },
        ),
        (
            "mdev-not-possible",
            gvt().on("0000:00:02.0", |function| {
                function.mediated_types = Reading::Known(vec!["i915-GVTg_V5_8".to_owned()])
            }),
        ),
        ("sriov-not-possible", Host::on_lvm().set("sriov=2")),
        ("ids-shared", twins().set("bind=ids")),
        (
            "address-with-dracut",
            Host {
                change: |system| system.initramfs_tool = Reading::Known(InitramfsTool::Dracut),
                ..twins()
            },
        ),
        (
            "blacklist-host-driver",
            Host::on_lvm().set("blacklist=nvme"),
        ),
        (
            "initramfs-unknown",
            changed(|system| system.initramfs_tool = Reading::Known(InitramfsTool::Mkinitcpio)),
        ),
        (
            "disable-vga-with-legacy-igd",
            integrated().set("igd-legacy=yes").set("disable-vga=yes"),
        ),
        ("rom-bad", bad_rom),
        ("rom-name-taken", taken),
        ("rom-not-for-one", two_displays),
        ("guest-unreadable", no_guests),
        ("guest-missing", guest(101, "memory: 1\n")),
        ("guest-is-container", {
            let mut host = guest(102, "memory: 1\n").pve("nodes/pve/lxc/102.conf", "memory: 1\n");
            host.choice.guest = Some(102);
            host
        }),
        ("guest-is-template", guest(100, "template: 1\n")),
        (
            "guest-names-device-twice",
            guest(100, "hostpci0: 01:00\nhostpci1: 01:00.1\n"),
        ),
        (
            "igd-legacy-not-possible",
            Host::on_lvm().set("igd-legacy=yes"),
        ),
        (
            "mapping-not-possible",
            Host::on_lvm()
                .pve(
                    "mapping/pci.cfg",
                    "gpu\n\tmap id=1:2,node=pve,path=0000:09:00\n",
                )
                .set("mapping=gpu"),
        ),
        (
            "file-not-understood",
            Host::on_lvm().file("etc/default/grub", "GRUB_CMDLINE_LINUX_DEFAULT=\"quiet\n"),
        ),
        (
            "file-unread",
            Host::on_lvm().unreadable("etc/initramfs-tools/modules"),
        ),
    ]
}

#[test]
fn every_refusal_is_met_and_nothing_else_is_refused() {
    let hosts = refused();
    let covered: BTreeSet<&str> = hosts.iter().map(|(id, _)| *id).collect();
    assert_eq!(covered, refusal_ids().collect::<BTreeSet<_>>());
    for (id, mut host) in hosts {
        let plan = host.plan();
        assert!(plan.refused().contains(&id), "{id}: {}", diff(&plan));
        assert!(plan.is_refused());
        let refusal = plan
            .refusals
            .iter()
            .find(|refusal| refusal.id == id)
            .unwrap()
            .clone();
        host.choice.accepted = refusal_ids().map(str::to_owned).collect();
        assert_eq!(
            !host.plan().refused().contains(&id),
            refusal.can_be_accepted,
            "{id}"
        );
    }
}

#[test]
fn the_manual_has_every_option_and_every_refusal() {
    let manual = include_str!("../../../../../docs/plan.md");
    for option in crate::OPTIONS {
        let row = format!(
            "| `{}` | `{}` |",
            option.name,
            option.values.replace('|', "\\|")
        );
        assert!(manual.contains(&row), "{row}");
    }
    for id in refusal_ids() {
        assert!(manual.contains(&format!("| `{id}` |")), "{id}");
    }
}
