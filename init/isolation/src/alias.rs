//! Functions that do DMA under another requester id (`pci_add_dma_alias`, drivers/pci/quirks.c). Switchtec
//! bridges tell theirs in a memory BAR, which nobody reads here.

use hardware::Function;
use pci::FunctionId;

/// A set of device and function numbers of one bus (`devfn`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Devfns([u64; 4]);

impl Devfns {
    pub fn insert(&mut self, devfn: u8) {
        if let Some(word) = self.0.get_mut(usize::from(devfn >> 6)) {
            *word |= 1 << (devfn & 63);
        }
    }

    pub fn has(&self, devfn: u8) -> bool {
        let word = self.0.get(usize::from(devfn >> 6));
        word.is_some_and(|word| word & (1 << (devfn & 63)) != 0)
    }

    pub fn is_empty(&self) -> bool {
        self.0 == [0; 4]
    }
}

#[derive(Clone, Copy)]
enum Alias {
    /// The same device's function of this number.
    Function(u8),
    /// These, whatever its own number is.
    Fixed(&'static [u8]),
    /// Functions 0 to 4 of every device.
    FirstFiveOfEach,
    /// All 256.
    All,
}

struct Quirk {
    vendor: u16,
    devices: &'static [u16],
    /// Only on boards with one of these subsystem ids.
    boards: Option<&'static [FunctionId]>,
    alias: Alias,
}

const fn quirk(vendor: u16, devices: &'static [u16], alias: Alias) -> Quirk {
    Quirk {
        vendor,
        devices,
        boards: None,
        alias,
    }
}

const ADAPTEC: u16 = 0x9005;
/// Adaptec 3405 and 3805.
const ADAPTEC_BOARDS: &[FunctionId] = &[
    FunctionId::new(ADAPTEC, 0x02bb),
    FunctionId::new(ADAPTEC, 0x02bc),
];

const fn devfn(device: u8, function: u8) -> u8 {
    device * 8 + function
}

const QUIRKS: &[Quirk] = &[
    // Ricoh
    quirk(0x1180, &[0xe832, 0xe476], Alias::Function(0)),
    // Glenfly
    quirk(0x6766, &[0x3d40, 0x3d41], Alias::Function(0)),
    // Marvell
    quirk(
        0x1b4b,
        &[
            0x9120, 0x9123, 0x9125, 0x9128, 0x9130, 0x9170, 0x9172, 0x917a, 0x9182, 0x9183, 0x91a0,
            0x9215, 0x9220, 0x9230, 0x9235,
        ],
        Alias::Function(1),
    ),
    // HighPoint
    quirk(0x1103, &[0x0642, 0x0645], Alias::Function(1)),
    // JMicron
    quirk(0x197b, &[0x2392], Alias::Function(1)),
    // Lite-On
    quirk(0x1c28, &[0x0122], Alias::Function(1)),
    Quirk {
        boards: Some(ADAPTEC_BOARDS),
        ..quirk(ADAPTEC, &[0x0285], Alias::Fixed(&[devfn(1, 0)]))
    },
    // Intel MIC x200
    quirk(
        0x8086,
        &[0x2260, 0x2264],
        Alias::Fixed(&[devfn(0x10, 0), devfn(0x11, 0), devfn(0x12, 3)]),
    ),
    // Intel Visual Compute Accelerator
    quirk(
        0x8086,
        &[0x2954, 0x2955, 0x2956, 0x2958, 0x2959, 0x295a],
        Alias::FirstFiveOfEach,
    ),
    // PLX
    quirk(0x10b5, &[0x87b0, 0x87b1], Alias::All),
];

/// PCI Express bridges to conventional PCI that show no Express capability. They use the id of the bus behind
/// them, which changes no group: it is the bridge's in either case (`quirk_use_pcie_bridge_dma_alias`).
///
/// Ports behind which the translation unit sits: no alias from above them counts
/// (`PCI_DEV_FLAGS_BRIDGE_XLATE_ROOT`).
const TRANSLATION_ROOTS: &[FunctionId] = &[
    FunctionId::new(0x14e4, 0x9000),
    FunctionId::new(0x14e4, 0x9084),
];

/// Whether nothing above this bridge gives aliases.
pub(crate) fn is_translation_root(id: FunctionId) -> bool {
    TRANSLATION_ROOTS.contains(&id)
}

/// The other ids under which a function does DMA, on its own bus.
pub(crate) fn aliases(function: &Function) -> Devfns {
    let mut set = Devfns::default();
    let id = function.id;
    let found = QUIRKS
        .iter()
        .filter(|quirk| quirk.vendor == id.vendor.0 && quirk.devices.contains(&id.device.0))
        .find(|quirk| {
            let board = function.subsystem.known();
            quirk
                .boards
                .is_none_or(|boards| board.is_some_and(|board| boards.contains(board)))
        });
    let own = function.address;
    match found.map(|quirk| quirk.alias) {
        None => {}
        Some(Alias::Function(number)) if number == own.function => {}
        Some(Alias::Function(number)) => set.insert(devfn(own.device, number)),
        Some(Alias::Fixed(fixed)) => fixed.iter().for_each(|devfn| set.insert(*devfn)),
        Some(Alias::FirstFiveOfEach) => (0..=u8::MAX)
            .filter(|devfn| devfn & 7 < 5)
            .for_each(|devfn| set.insert(devfn)),
        Some(Alias::All) => (0..=u8::MAX).for_each(|devfn| set.insert(devfn)),
    }
    set
}

#[cfg(test)]
mod tests {
    use hardware::Reading;

    use super::*;
    use crate::testing::{address, endpoint, machine, short};

    /// The devices and functions of its bus under whose ids it does DMA.
    fn of(place: &str, vendor: u16, device: u16, board: Option<FunctionId>) -> Vec<String> {
        let made = endpoint(place).id(vendor, device).change(|function| {
            function.subsystem = board.map_or(Reading::Absent, Reading::Known);
        });
        let machine = machine([made]);
        let set = aliases(&machine.functions[0]);
        let own = address(place);
        (0..=u8::MAX)
            .filter(|devfn| set.has(*devfn))
            .map(|devfn| {
                short(pci::Address {
                    device: devfn >> 3,
                    function: devfn & 7,
                    ..own
                })
            })
            .collect()
    }

    #[test]
    fn a_function_that_uses_the_id_of_another_does_so_whatever_its_own_number_is() {
        assert_eq!(of("01:02.0", 0x1180, 0xe832, None), [""; 0]);
        assert_eq!(of("01:02.3", 0x1180, 0xe476, None), ["01:02.0"]);
        assert_eq!(of("01:02.1", 0x6766, 0x3d40, None), ["01:02.0"]);
        assert_eq!(of("01:02.1", 0x1b4b, 0x9235, None), [""; 0]);
        for (vendor, device) in [
            (0x1b4b, 0x9120),
            (0x1103, 0x0645),
            (0x197b, 0x2392),
            (0x1c28, 0x0122),
        ] {
            assert_eq!(of("01:02.0", vendor, device, None), ["01:02.1"]);
        }
        assert_eq!(of("01:02.0", 0x1b4b, 0x9121, None), [""; 0]);
        assert_eq!(of("01:02.0", 0x1b4c, 0x9120, None), [""; 0]);
    }

    #[test]
    fn some_use_the_ids_of_functions_that_are_not_there() {
        let board = |device| Some(FunctionId::new(0x9005, device));
        assert_eq!(of("02:0e.0", 0x9005, 0x0285, board(0x02bb)), ["02:01.0"]);
        assert_eq!(of("02:0e.0", 0x9005, 0x0285, board(0x02bc)), ["02:01.0"]);
        assert_eq!(of("02:0e.0", 0x9005, 0x0285, board(0x02bd)), [""; 0]);
        assert_eq!(of("02:0e.0", 0x9005, 0x0285, None), [""; 0]);
        assert_eq!(
            of("02:00.0", 0x8086, 0x2260, None),
            ["02:10.0", "02:11.0", "02:12.3"]
        );
        let five = of("02:00.0", 0x8086, 0x295a, None);
        assert_eq!(five.len(), 32 * 5);
        assert_eq!(
            five[..6],
            [
                "02:00.0", "02:00.1", "02:00.2", "02:00.3", "02:00.4", "02:01.0"
            ]
        );
        assert_eq!(of("02:00.0", 0x10b5, 0x87b1, None).len(), 256);
    }
}
