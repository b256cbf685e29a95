use qemu_tests::{Bridge, Device, Function, Iommu, Machine, Port, Slot};

use crate::look::Lab;

fn nic() -> Device {
    Device::E1000e { rom: None }
}

/// One of each: 00:10 and up, buses 1 and up.
fn topologies() -> Machine {
    let without_acs = |device| Function::Port(Port::RootPortWithoutAcs, Some(Slot::device(device)));
    let behind_port = |below| Slot::function(Function::Port(Port::RootPort, Some(below)));
    Machine::q35()
        .card(Port::RootPort, nic())
        .card(Port::RootPortWithoutAcs, nic())
        .slot(Slot(vec![
            without_acs(Device::StandardVga),
            without_acs(nic()),
        ]))
        .slot(behind_port(Slot::function(Function::Switch(vec![
            Some(Slot::device(nic())),
            Some(Slot::device(nic())),
        ]))))
        .slot(behind_port(Slot::function(Function::Bridge(
            Bridge::FromExpress,
            vec![
                Slot::device(Device::ConventionalNic),
                Slot::device(Device::Audio),
            ],
        ))))
}

fn look_at_groups(name: &str, iommu: Iommu) {
    let Some(lab) = Lab::open() else { return };
    let machine = topologies().iommu(iommu);
    let expected = machine.addresses();
    let look = lab.look(lab.boot(name, machine)).unwrap();
    assert_eq!(Vec::from_iter(look.functions()), expected);
    let group = |of| match iommu {
        Iommu::None => look.predicted_group(of),
        Iommu::Intel { .. } | Iommu::Amd { .. } => look.group(of),
    };
    // A root port that isolates.
    assert_eq!(group("00:10.0"), ["00:10.0"]);
    assert_eq!(group("01:00.0"), ["01:00.0"]);
    // One that does not.
    assert_eq!(group("02:00.0"), ["00:11.0", "02:00.0"]);
    // Two functions of one device, neither of which isolates.
    let both = ["00:12.0", "00:12.1", "03:00.0", "04:00.0"];
    assert_eq!(group("03:00.0"), both);
    // A switch: the upstream port alone, each downstream port with its device.
    assert_eq!(group("05:00.0"), ["05:00.0"]);
    assert_eq!(group("07:00.0"), ["06:00.0", "07:00.0"]);
    assert_eq!(group("08:00.0"), ["06:01.0", "08:00.0"]);
    // A bridge with all that is on its bus.
    let bridged = ["09:00.0", "0a:01.0", "0a:02.0"];
    assert_eq!(group("0a:01.0"), bridged);
    // The ports above those two isolate.
    assert_eq!(group("00:13.0"), ["00:13.0"]);
    assert_eq!(group("00:14.0"), ["00:14.0"]);
    assert_eq!(look.differences(), [""; 0]);
}

#[test]
fn each_topology_has_the_groups_that_vt_d_makes_of_it() {
    look_at_groups(
        "topology-intel",
        Iommu::Intel {
            interrupt_remapping: true,
        },
    );
}

#[test]
fn each_topology_has_the_same_groups_under_amd_vi() {
    look_at_groups(
        "topology-amd",
        Iommu::Amd {
            interrupt_remapping: true,
            x2apic: false,
        },
    );
}

#[test]
fn each_topology_is_predicted_the_same_groups_while_no_iommu_is_in_use() {
    look_at_groups("topology-off", Iommu::None);
}
