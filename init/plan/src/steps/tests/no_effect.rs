//! Options that were asked for and change nothing.

use super::*;

/// What is said of each option that has no effect.
fn said(host: &Host) -> Vec<String> {
    let warnings = host.plan().warnings.into_iter();
    warnings
        .filter(|warning| {
            ["has no effect here", "changes no guest"]
                .iter()
                .any(|part| warning.contains(part))
        })
        .collect()
}

const OF_GUEST: [&str; 7] = [
    "x-vga=yes",
    "rombar=no",
    "machine=q35",
    "bios=ovmf",
    "igd-legacy=yes",
    "hide-kvm=yes",
    "mapping=gpu",
];

#[test]
fn an_option_of_the_guest_without_a_guest_is_said_with_what_it_needs() {
    for setting in OF_GUEST {
        let mut host = Host::on_lvm().set(setting);
        host.choice.guest = None;
        assert_eq!(
            said(&host),
            [format!(
                "{setting} changes no guest, for none is named: name one with --vm."
            )]
        );
        assert_eq!(said(&Host::on_lvm().set(setting)), [""; 0]);
    }
}

#[test]
fn a_value_that_asks_for_nothing_is_not_said() {
    let mut host = Host::on_lvm();
    host.choice.guest = None;
    for setting in [
        "x-vga=no",
        "rombar=leave",
        "machine=leave",
        "hide-kvm=no",
        "mapping=none",
        "libvirt-hook=no",
        "sriov=none",
        "x2apic-opt-out=leave",
    ] {
        host = host.set(setting);
    }
    assert_eq!(said(&host), [""; 0]);
}

#[test]
fn what_a_card_that_stays_with_the_host_does_not_need_is_said() {
    let host = virtual_functions()
        .set("sriov=4")
        .set("bind=ids")
        .set("blacklist=igb")
        .set("unsafe-interrupts=yes");
    let said = said(&host);
    assert_eq!(said.len(), 3, "{said:?}");
    for (line, setting) in said
        .iter()
        .zip(["bind=ids", "blacklist=igb", "unsafe-interrupts=yes"])
    {
        assert_eq!(
            *line,
            format!(
                "{setting} has no effect here: with sriov and mdev the card stays with the host's driver."
            )
        );
    }
}

#[test]
fn what_the_machine_or_the_system_has_no_use_for_is_said_with_the_reason() {
    let of = |host: Host, reason: &str| {
        let said = said(&host);
        assert!(
            matches!(said.as_slice(), [one] if one.contains(reason)),
            "{reason}: {said:?}"
        );
    };
    let mut nic = Host::on_lvm().set("framebuffer=off");
    nic.choice.devices = vec![address(NIC)];
    of(nic, "none of the devices is a display");
    of(
        Host::on_lvm().set("libvirt-hook=yes"),
        "for guests of libvirt",
    );
    let mut without = Host::on_lvm().set("iommu=on");
    without.vendor = assess::IommuVendor::None;
    of(without, "whose IOMMU");
    let mut later = virtual_functions().set("sriov=4").set("machine=q35");
    later.choice.guest = Some(100);
    of(later, "until the virtual functions are there");
}
