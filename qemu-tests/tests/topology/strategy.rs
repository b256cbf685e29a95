//! Machines that a board maker could have built. In every choice the simplest comes first: what fails
//! shrinks towards it.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::sample::select;
use proptest::strategy::Union;
use qemu_tests::{Bridge, Chipset, Description, Function, Iommu, Part, Port, Slot};

type Parts = Slot<Part>;
type Boxed<T> = proptest::strategy::BoxedStrategy<T>;

/// Levels of bridges and switches below a port.
const DEPTH: u32 = 2;

/// SeaBIOS has 36 KiB of I/O ports for all bridges, a little of which is the chipset's, and stops when they are
/// spent (`pci_bios_init_root_regions_io`, src/fw/pciinit.c).
const IO_WINDOWS: usize = 8;

/// Any machine.
pub fn machines() -> impl Strategy<Value = Description> {
    any_machine().prop_filter("its firmware has I/O ports for all bridges", |machine| {
        machine.io_windows() <= IO_WINDOWS
    })
}

fn any_machine() -> impl Strategy<Value = Description> {
    prop_oneof![
        5 => q35(),
        1 => vec(conventional_slot(DEPTH), 0..=3).prop_map(|slots| Description {
            chipset: Chipset::I440fx,
            iommu: Iommu::None,
            slots,
            root_buses: Vec::new(),
        }),
    ]
}

fn q35() -> impl Strategy<Value = Description> {
    // QEMU takes ports alone on a root bus that is not the first.
    let root_buses = vec(vec(ports(), 0..=2), 0..=1);
    (iommus(), vec(root_slot(), 0..=4), root_buses).prop_map(|(iommu, slots, root_buses)| {
        Description {
            chipset: Chipset::Q35,
            iommu,
            slots,
            root_buses,
        }
    })
}

fn iommus() -> impl Strategy<Value = Iommu> {
    prop_oneof![
        1 => Just(Iommu::None),
        6 => any::<bool>().prop_map(|interrupt_remapping| Iommu::Intel {
            interrupt_remapping,
        }),
        3 => any::<(bool, bool)>().prop_map(|(interrupt_remapping, x2apic)| Iommu::Amd {
            interrupt_remapping,
            // Such interrupts are remapped ones.
            x2apic: interrupt_remapping && x2apic,
        }),
    ]
}

/// What is at one device number of the first root bus: ports, or a device.
fn root_slot() -> impl Strategy<Value = Parts> {
    prop_oneof![
        1 => functions(),
        6 => ports(),
    ]
}

/// One to three root ports at one device number.
fn ports() -> impl Strategy<Value = Parts> {
    let kind = select(vec![Port::RootPort, Port::RootPortWithoutAcs]);
    let port = (kind, option::weighted(0.9, below_port(DEPTH)))
        .prop_map(|(port, below)| Function::Port(port, below));
    vec(port, 1..=3).prop_map(Slot)
}

/// What is behind a port.
fn below_port(depth: u32) -> Boxed<Parts> {
    if depth == 0 {
        return express_device().boxed();
    }
    let bridge = vec(conventional_slot(depth - 1), 0..=3)
        .prop_map(|slots| Slot::function(Function::Bridge(Bridge::FromExpress, slots)));
    let switch = vec(option::weighted(0.8, below_port(depth - 1)), 1..=3)
        .prop_map(|ports| Slot::function(Function::Switch(ports)));
    prop_oneof![
        5 => express_device(),
        2 => switch,
        2 => bridge,
    ]
    .boxed()
}

/// A device behind a port. The one with SR-IOV is only there, and alone: its virtual functions take 256
/// numbers.
fn express_device() -> impl Strategy<Value = Parts> {
    prop_oneof![
        4 => functions(),
        1 => Just(Slot::function(Function::Device(Part::Igb))),
    ]
}

/// A device of one to three functions.
fn functions() -> impl Strategy<Value = Parts> {
    let part = select(vec![Part::Nic, Part::Nvme, Part::Usb]);
    vec(part.prop_map(Function::Device), 1..=3).prop_map(Slot)
}

/// What is at one device number of a conventional bus.
fn conventional_slot(depth: u32) -> Boxed<Parts> {
    let part = select(vec![Part::ConventionalNic, Part::Audio]);
    let device = vec(part.prop_map(Function::Device), 1..=2).prop_map(Slot);
    let mut choices = vec![(3, device.boxed())];
    if depth > 0 {
        let bridge = vec(conventional_slot(depth - 1), 0..=2)
            .prop_map(|slots| Slot::function(Function::Bridge(Bridge::Conventional, slots)));
        choices.push((1, bridge.boxed()));
    }
    Union::new_weighted(choices).boxed()
}
