use pci::{Bar, BarKind, ConfigSpace, Header, MemoryWidth, Window};

use super::Expected;

pub fn header(space: &ConfigSpace, header: &Header) -> Vec<Expected> {
    let mut lines: Vec<_> = header.bars.iter().filter_map(bar).collect();
    if let Some(buses) = header.buses.or(header.cardbus.map(|cardbus| cardbus.buses)) {
        lines.push(
            Expected::line("Bus:")
                .field(format!("primary={:02x}", buses.primary))
                .field(format!("secondary={:02x}", buses.secondary))
                .field(format!("subordinate={:02x}", buses.subordinate)),
        );
    }
    if let Some(windows) = header.windows {
        lines.push(window("I/O behind bridge:", windows.io));
        lines.push(window("Memory behind bridge:", windows.memory));
        lines.push(window(
            "Prefetchable memory behind bridge:",
            windows.prefetchable,
        ));
    }
    if let Some(control) = header.bridge_control {
        lines.push(Expected::line("BridgeCtl:").flags([
            ("Parity", control.parity_error_response()),
            ("SERR", control.serr()),
            ("NoISA", control.isa()),
            ("VGA", control.vga()),
            ("VGA16", control.vga_16_bit()),
            ("MAbort", control.master_abort()),
            (">Reset", control.secondary_bus_reset()),
            ("FastB2B", control.fast_back_to_back()),
            ("PriDiscTmr", control.primary_discard_timer()),
            ("SecDiscTmr", control.secondary_discard_timer()),
            ("DiscTmrStat", control.discard_timer_status()),
            ("DiscTmrSERREn", control.discard_timer_serr()),
        ]));
    }
    if let Some(cardbus) = header.cardbus {
        let control = cardbus.control;
        let prefetchable = [
            control.memory_0_prefetchable(),
            control.memory_1_prefetchable(),
        ];
        for (number, window) in cardbus.memory.iter().enumerate() {
            let prefetchable = prefetchable[number];
            let line = Expected::numbered("Memory window", format!("Memory window {number}:"));
            lines.push(
                line.field(format!("{:08x}-{:08x}", window.base, window.limit))
                    .when(prefetchable, |line| line.field("prefetchable")),
            );
        }
        for (number, window) in cardbus.io.iter().enumerate() {
            let line = Expected::numbered("I/O window", format!("I/O window {number}:"));
            lines.push(line.field(format!("{:08x}-{:08x}", window.base, window.limit)));
        }
        lines.push(Expected::line("BridgeCtl:").flags([
            ("Parity", control.parity_error_response()),
            ("SERR", control.serr()),
            ("ISA", control.isa()),
            ("VGA", control.vga()),
            ("MAbort", control.master_abort()),
            (">Reset", control.card_reset()),
            ("16bInt", control.legacy_interrupts()),
            ("PostWrite", control.write_posting()),
        ]));
    }
    if let Some(pin @ 1..=4) = space.interrupt_pin() {
        let letter = ["A", "B", "C", "D"][usize::from(pin - 1)];
        lines.push(Expected::line("Interrupt:").field(format!("pin {letter}")));
    }
    lines
}

fn bar(bar: &Bar) -> Option<Expected> {
    let line = Expected::numbered("Region", format!("Region {}:", bar.index));
    match bar.kind {
        BarKind::Io { address: 0 } => Some(line.field("I/O ports at <unassigned>")),
        BarKind::Io { address } => Some(line.field(format!("I/O ports at {address:04x}"))),
        BarKind::Memory {
            address,
            width,
            prefetchable,
        } => {
            let place = match address {
                0 => "<unassigned>".to_owned(),
                address => format!("{address:08x}"),
            };
            let width = match width {
                MemoryWidth::Bits32 => "32-bit",
                MemoryWidth::Below1M => "low-1M",
                MemoryWidth::Bits64 => "64-bit",
            };
            let reads = if prefetchable { "" } else { "non-" };
            Some(
                line.field(format!("Memory at {place}"))
                    .field(format!("{width} {reads}prefetchable")),
            )
        }
        BarKind::Reserved { .. } => None,
    }
}

fn window(start: &'static str, window: Window) -> Expected {
    let width = usize::from(window.bits) / 4;
    Expected::line(start)
        .field(format!(
            "{:0width$x}-{:0width$x}",
            window.base, window.limit
        ))
        .when(!window.is_open(), |line| line.field("[disabled]"))
}
