use hardware::lspci;
use proptest::prelude::*;

/// Pieces that the reader looks for, to be put together wrongly.
const PIECES: &[&str] = &[
    "00:01.0 ",
    "0000:ff:1f.7 ",
    "ffffffff:00:00.0 ",
    "IOMMU Group 4294967295:\n",
    "Group: 1 ",
    "\n",
    "PCI bridge [0604]: x [1022:1483] (rev ff) (prog-if 00",
    "Class zzzz: Device",
    "00: ff ff ff ff",
    "ff0: 00 00",
    "Bus: primary=00, secondary=",
    "Capabilities: [",
    "Capabilities: [100 v1] ",
    "Express (v2) ",
    "Access Control Services\n",
    "ACSCap: SrcValid+",
    "Region 0: Memory at ",
    "[size=99999999999999999999T]",
    "[size=18446744073709551615]",
    "Expansion ROM at ffffffffffffffff ",
    "Initial VFs: 65535, Total VFs: 65535, Number of VFs: 65535\n",
    "VF offset: 65535, stride: 65535\n",
    "LnkCap: Speed ",
    "Width x999",
    "Subsystem: ",
    "Flags: devsel, IOMMU group ",
    "\u{feff}",
    "> ",
    "\r\n",
    "Driver: ",
    "!!! Unknown header type 7f\n",
    "é",
    "0: ",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_text_is_read_without_panic(text in "\\PC*") {
        let _ = lspci::parse(&text, None);
    }

    #[test]
    fn pieces_in_any_order_are_read_without_panic(
        pieces in prop::collection::vec(prop::sample::select(PIECES), 0..200)
    ) {
        if let Ok(machine) = lspci::parse(&pieces.concat(), None) {
            for function in &machine.functions {
                let _ = (function.port_type(), function.acs(), function.bridge_buses());
                prop_assert!(function.config.known().is_none_or(|c| c.bytes().len() <= 4096));
            }
            prop_assert!(machine.functions.is_sorted_by_key(|function| function.address));
        }
    }

    #[test]
    fn a_dump_reads_back_as_it_was_printed(
        configs in prop::collection::btree_map(
            (0..4_u32, any::<u8>(), 0..32_u8, 0..8_u8),
            prop::sample::select(vec![64_usize, 256, 4096])
                .prop_flat_map(|length| prop::collection::vec(any::<u8>(), length)),
            1..4,
        )
    ) {
        let mut text = String::new();
        for ((domain, bus, device, function), bytes) in &configs {
            text += &format!("{domain:04x}:{bus:02x}:{device:02x}.{function} Host bridge: x\n");
            for (row, line) in bytes.chunks(16).enumerate() {
                let digits: Vec<String> = line.iter().map(|byte| format!("{byte:02x}")).collect();
                text += &format!("{:02x}: {}\n", row * 16, digits.join(" "));
            }
            text.push('\n');
        }
        let machine = lspci::parse(&text, None).unwrap();
        let read: Vec<&[u8]> = machine
            .functions
            .iter()
            .map(|function| function.config.known().unwrap().bytes())
            .collect();
        prop_assert_eq!(read, configs.values().map(Vec::as_slice).collect::<Vec<_>>());
    }
}
