//! What the running system stands on: its disks, its default route, its memory nodes, its board's slots.

use crate::sys::{Sys, at, bridge};
use hardware::{Mount, Reading, SlotUsage};

fn block(sys: &Sys, name: &str, place: &str, partition: bool) {
    sys.link(
        &format!("class/block/{name}"),
        &format!("../../devices/{place}/{name}"),
    );
    sys.folder(&format!("devices/{place}/{name}"));
    if partition {
        sys.file(&format!("devices/{place}/{name}/partition"), "1\n");
    }
}

fn number(sys: &Sys, number: &str, place: &str) {
    sys.link(
        &format!("dev/block/{number}"),
        &format!("../../devices/{place}"),
    );
}

fn mounts(sys: &Sys) -> Vec<Mount> {
    sys.read().mounts.known().unwrap().clone()
}

fn disks<'a>(mounts: &'a [Mount], point: &str) -> &'a Reading<Vec<String>> {
    &mounts
        .iter()
        .find(|mount| mount.point == point)
        .unwrap()
        .disks
}

#[test]
fn a_root_on_a_logical_volume_is_on_the_disks_below_it() {
    const DISK: &str = "pci0000:00/0000:00:17.0/ata1/block";
    let sys = Sys::new();
    block(&sys, "sda", DISK, false);
    block(&sys, "sda3", &format!("{DISK}/sda"), true);
    block(&sys, "sda2", &format!("{DISK}/sda"), true);
    block(&sys, "dm-1", "virtual/block", false);
    sys.link("devices/virtual/block/dm-1/slaves/sda3", "../../../../x");
    number(&sys, "253:1", "virtual/block/dm-1");
    number(&sys, "8:2", &format!("{DISK}/sda/sda2"));
    sys.file(
        "proc/self/mountinfo",
        "27 1 253:1 / / rw shared:1 - ext4 /dev/mapper/pve-root rw\n\
         28 27 8:2 / /boot/efi rw - vfat /dev/sda2 rw\n\
         29 27 0:21 / /proc rw - proc proc rw\n\
         30 27 0:50 / /mnt/pve/nas rw - nfs4 nas:/export rw\n",
    );
    let mounts = mounts(&sys);
    assert_eq!(mounts.len(), 2, "{mounts:?}");
    let sda = Reading::Known(vec!["sda".to_owned()]);
    assert_eq!(disks(&mounts, "/"), &sda);
    assert_eq!(disks(&mounts, "/boot/efi"), &sda);
}

#[test]
fn btrfs_on_two_nvme_disks_is_on_both_and_a_zfs_root_is_unknown() {
    let sys = Sys::new();
    for disk in ["nvme0n1", "nvme1n1"] {
        let place = format!("virtual/nvme-subsystem/{disk}s");
        block(&sys, disk, &place, false);
        block(&sys, &format!("{disk}p2"), &format!("{place}/{disk}"), true);
        sys.folder(&format!("fs/btrfs/aaaa/devices/{disk}p2"));
    }
    sys.file(
        "proc/self/mountinfo",
        "27 1 0:30 /@ / rw - zfs rpool/ROOT/pve-1 rw\n\
         28 27 0:31 / /data rw - btrfs /dev/nvme1n1p2 rw\n",
    );
    let mounts = mounts(&sys);
    assert!(disks(&mounts, "/").is_unknown());
    let both = vec!["nvme0n1".to_owned(), "nvme1n1".to_owned()];
    assert_eq!(disks(&mounts, "/data"), &Reading::Known(both));
}

#[test]
fn what_no_copy_has_is_unknown() {
    let machine = Sys::new().read();
    assert!(machine.mounts.is_unknown());
    assert!(machine.default_routes.is_unknown());
    assert!(machine.numa_nodes.is_unknown());
    assert!(machine.board_slots.is_unknown());
}

#[test]
fn a_default_route_over_a_bridge_leaves_through_the_interface_below_it() {
    let sys = Sys::new();
    sys.file(
        "proc/net/route",
        "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\n\
         vmbr0\t00000000\t0102A8C0\t0003\t0\t0\t0\t00000000\n",
    );
    sys.link("class/net/vmbr0", "../../devices/virtual/net/vmbr0");
    sys.link("devices/virtual/net/vmbr0/lower_enp5s0", "../../../x");
    sys.link("devices/virtual/net/vmbr0/lower_tap100i0", "../tap100i0");
    sys.folder("devices/virtual/net/tap100i0");
    assert_eq!(
        sys.read().default_routes,
        Reading::Known(vec!["enp5s0".to_owned(), "tap100i0".to_owned()])
    );
}

#[test]
fn memory_nodes_and_capabilities_of_functions_are_read() {
    let sys = Sys::new();
    sys.file("devices/system/node/online", "0-1\n");
    sys.function(
        "0000:01:00.0",
        &[
            ("d3cold_allowed", "1\n"),
            ("sriov_numvfs", "4\n"),
            ("mdev_supported_types/i915-GVTg_V5_4/name", "x\n"),
        ],
    );
    sys.function(
        "0000:02:00.4",
        &[(
            "nvidia/creatable_vgpu_types",
            "ID    : vGPU Name\n1428 : NVIDIA H200X-141C\n1414 : NVIDIA H200X-1-18C\n",
        )],
    );
    let machine = sys.read();
    assert_eq!(machine.numa_nodes, Reading::Known(vec![0, 1]));
    let gpu = at(&machine, "0000:01:00.0");
    assert_eq!(gpu.d3cold_allowed, Reading::Known(true));
    assert_eq!(gpu.enabled_virtual_functions, Reading::Known(4));
    assert_eq!(
        gpu.mediated_types,
        Reading::Known(vec!["i915-GVTg_V5_4".to_owned()])
    );
    let virtual_function = at(&machine, "0000:02:00.4");
    assert_eq!(virtual_function.mediated_types.known().unwrap().len(), 2);
    assert_eq!(virtual_function.enabled_virtual_functions, Reading::Absent);
}

/// A type 9 structure of SMBIOS 2.6.
fn slot(name: &str, usage: u8, bus: u8, place: u8) -> Vec<u8> {
    let mut bytes = vec![
        9, 0x11, 0, 9, 1, 0xa5, 0x0d, usage, 4, 0, 0, 0, 0, 0, 0, bus, place,
    ];
    bytes.extend(name.as_bytes());
    bytes.extend([0, 0]);
    bytes
}

#[test]
fn a_function_is_named_by_the_slot_that_firmware_gives_for_it_or_for_its_port() {
    let sys = Sys::new();
    let class = ("class", "0x060400\n");
    sys.linked("pci0000:00", "0000:00:01.0", &[class]);
    sys.file("devices/pci0000:00/0000:00:01.0/config", bridge(0, 1, 1));
    sys.linked("pci0000:00/0000:00:01.0", "0000:01:00.0", &[]);
    sys.linked("pci0000:00/0000:00:02.0", "0000:02:00.0", &[]);
    sys.linked("pci0000:00", "0000:00:1f.2", &[]);
    let table = [
        slot("PCIEX16_1", 4, 0, 0x08),
        slot("M2_1", 4, 2, 0),
        slot("PCIEX1_1", 3, 0, 0xfa),
    ];
    sys.file("firmware/dmi/tables/DMI", table.concat());
    let machine = sys.read();
    let name = |place: &str| at(&machine, place).slot.known().cloned();
    assert_eq!(name("0000:01:00.0").as_deref(), Some("PCIEX16_1"));
    assert_eq!(name("0000:02:00.0").as_deref(), Some("M2_1"));
    assert_eq!(name("0000:00:1f.2"), None, "an empty slot names nothing");
    assert_eq!(name("0000:00:01.0"), None, "the port is not in the slot");
    let slots = machine.board_slots.known().unwrap();
    assert_eq!(slots[2].usage, SlotUsage::Available);
    assert_eq!(slots[0].lanes, Some(16));
}
