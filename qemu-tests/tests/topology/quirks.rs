//! Cards whose ids the kernel knows: it groups their functions by its tables, and so does the prediction.

use cards::{CardProfile, ExtendedCapability, Function, profiles};
use pci::{AcsBits, FunctionId};
use qemu_tests::{Device, Iommu, Machine, Port, ServedCard};

use crate::look::Lab;

/// A PCI Express function with this id, and with ACS.
fn isolating(vendor: u16, device: u16) -> Function {
    plain(vendor, device).extended(ExtendedCapability::AccessControl {
        capability: AcsBits(AcsBits::ISOLATING),
        control: AcsBits(0),
    })
}

fn plain(vendor: u16, device: u16) -> Function {
    let generic = profiles::generic(FunctionId::new(vendor, device));
    generic.functions[0].clone()
}

#[test]
fn functions_are_grouped_by_the_ids_that_the_kernel_knows() {
    let Some(lab) = Lab::open() else { return };
    if !lab.qemu.is_recent() {
        return qemu_tests::skip("this QEMU takes no cards");
    }
    // Ids that no driver of the image binds to, but for the storage controller's.
    let cards: [(Vec<Function>, &[&[u8]]); 6] = [
        // Function 0 uses the id of function 1.
        (
            vec![
                isolating(0x1b4b, 0x917a),
                isolating(0x1af4, 1),
                isolating(0x1af4, 1),
            ],
            &[&[0, 1], &[2]],
        ),
        // All use the id of function 0.
        (
            vec![
                isolating(0x1180, 0xe832),
                isolating(0x1180, 0xe832),
                isolating(0x1af4, 1),
            ],
            &[&[0, 1], &[2]],
        ),
        // It uses every id of its bus.
        (
            vec![
                isolating(0x1af4, 1),
                isolating(0x10b5, 0x87b0),
                isolating(0x1af4, 1),
            ],
            &[&[0, 1, 2]],
        ),
        // The vendor says that its functions do not talk to each other.
        (
            vec![
                plain(0x19a2, 0x0710),
                plain(0x19a2, 0x0710),
                plain(0x1af4, 1),
            ],
            &[&[0], &[1], &[2]],
        ),
        // The kernel does not take this vendor's word for other devices, whatever their registers say.
        (
            vec![
                isolating(0x8088, 0x9999),
                isolating(0x8088, 0x9999),
                isolating(0x1af4, 1),
            ],
            &[&[0, 1], &[2]],
        ),
        (
            vec![isolating(0x1af4, 1), plain(0x1af4, 1), plain(0x1af4, 1)],
            &[&[0], &[1, 2]],
        ),
    ];
    let machine = Machine::q35().iommu(Iommu::Intel {
        interrupt_remapping: true,
    });
    let machine = cards.iter().fold(machine, |machine, (functions, _)| {
        let card = ServedCard::start(&CardProfile::new(functions.clone())).unwrap();
        machine.card(Port::RootPort, Device::Card(card))
    });
    let look = lab.look(lab.boot("topology-quirks", machine)).unwrap();
    for (bus, (_, together)) in (1..).zip(&cards) {
        for group in *together {
            let members: Vec<String> = group
                .iter()
                .map(|function| format!("{bus:02x}:00.{function}"))
                .collect();
            assert_eq!(look.group(&members[0]), members);
        }
    }
    assert_eq!(look.differences(), [""; 0]);
}
