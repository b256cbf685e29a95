//! Machines of other kinds, each with every function at its address.

use std::collections::BTreeSet;

use qemu_tests::{Bridge, Device, Disk, Function, Iommu, Machine, Port, ScsiController, Slot};

use crate::look::{Lab, Look, address};

const REMAPPING: Iommu = Iommu::Intel {
    interrupt_remapping: true,
};

fn nic() -> Device {
    Device::E1000e { rom: None }
}

/// Boots it, and compares addresses.
fn look_at(lab: &Lab, name: &str, machine: Machine) -> Look {
    let expected = machine.addresses();
    let look = lab.look(lab.boot(name, machine)).unwrap();
    assert_eq!(Vec::from_iter(look.functions()), expected);
    assert_eq!(look.differences(), [""; 0]);
    look
}

#[test]
fn a_conventional_machine_has_bridges_behind_bridges_and_no_group() {
    let Some(lab) = Lab::open() else { return };
    let bridge = |slots| Slot::function(Function::Bridge(Bridge::Conventional, slots));
    let nic = || Slot::device(Device::ConventionalNic);
    let machine = Machine::i440fx()
        .integrated(Device::Audio)
        .slot(bridge(vec![nic(), bridge(vec![nic()])]));
    let look = look_at(&lab, "machine-i440fx", machine);
    assert_eq!(look.function("02:01.0")["device"], "100e");
    assert!(look.groups().is_empty());
}

#[test]
fn functions_on_a_second_root_bus_have_groups_of_their_own() {
    let Some(lab) = Lab::open() else { return };
    let machine = Machine::q35()
        .iommu(REMAPPING)
        .root_bus(vec![Slot::port(Port::RootPort, nic())])
        .root_bus(vec![Slot::port(Port::RootPortWithoutAcs, nic())]);
    let look = look_at(&lab, "machine-roots", machine);
    assert_eq!(look.group("41:00.0"), ["41:00.0"]);
    assert_eq!(look.group("81:00.0"), ["80:00.0", "81:00.0"]);
}

#[test]
fn virtual_functions_appear_after_their_physical_one_in_groups_of_their_own() {
    let Some(lab) = Lab::open() else { return };
    let controller = Device::NvmeController {
        virtual_functions: 2,
    };
    let machine = Machine::q35()
        .iommu(REMAPPING)
        .card(Port::RootPort, controller)
        .card(Port::RootPort, Device::Igb);
    let mut expected: BTreeSet<_> = machine.addresses().into_iter().collect();
    let virtual_functions = ["01:00.1", "01:00.2"];
    expected.extend(virtual_functions.map(address));
    let boot = lab
        .boot("machine-sriov", machine)
        .enable_virtual_functions();
    let look = lab.look(boot).unwrap();
    assert_eq!(look.functions(), expected);
    assert_eq!(look.differences(), [""; 0]);
    for function in ["01:00.0", "01:00.1", "01:00.2"] {
        assert_eq!(look.group(function), [function]);
    }
}

#[test]
fn a_disk_of_each_kind_is_found_by_the_kernel() {
    let Some(lab) = Lab::open() else { return };
    let disk = |name| Disk::blank(lab.folder(), name).unwrap().path().to_owned();
    let scsi = |name, controller| Device::ScsiDisk {
        controller,
        image: disk(name),
    };
    let machine = Machine::q35()
        .card(
            Port::RootPort,
            Device::Nvme {
                image: disk("nvme"),
            },
        )
        .card(
            Port::RootPort,
            Device::VirtioBlock {
                image: disk("virtio"),
            },
        )
        .integrated(Device::SataDisk {
            image: disk("sata"),
        })
        .integrated(scsi("virtio-scsi", ScsiController::Virtio))
        .integrated(scsi("megaraid", ScsiController::MegaRaid))
        .integrated(scsi("sas", ScsiController::LsiSas));
    let look = look_at(&lab, "machine-disks", machine);
    let drivers = [
        "01:00.0", "02:00.0", "00:05.0", "00:06.0", "00:07.0", "00:08.0",
    ];
    let drivers = drivers.map(|at| look.function(at)["driver"].as_str());
    let expected = [
        "nvme",
        "virtio-pci",
        "ahci",
        "virtio-pci",
        "megaraid_sas",
        "mptsas",
    ];
    assert_eq!(drivers, expected.map(Some));
    for disk in [
        "nvme0n1: p1",
        "vda: vda1",
        "sda: sda1",
        "sdb: sdb1",
        "sdc: sdc1",
        "sdd: sdd1",
    ] {
        assert!(look.serial.contains(disk), "{disk}: {}", look.serial);
    }
}
