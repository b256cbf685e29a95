use super::number;
use crate::tree::Tree;
use crate::{FirmwareMemory, Reading, Source};

const MEMMAP: &str = "firmware/memmap";
/// A machine with thousands of functions has some hundred kilobytes of it.
const IOMEM_LIMIT: usize = 4 << 20;

/// Names by which the kernel calls the memory that firmware describes (arch/x86/kernel/e820.c,
/// `e820_type_to_string`). All else in /proc/iomem belongs to devices or to the kernel.
const KINDS: &[&str] = &[
    "System RAM",
    "Reserved",
    "ACPI Tables",
    "ACPI Non-volatile Storage",
    "Unusable memory",
    "Persistent Memory",
    "Persistent Memory (legacy)",
    "Soft Reserved",
];

/// The firmware's map of memory by ascending address: from /sys/firmware/memmap, which everybody may
/// read, or else from /proc/iomem, which shows its addresses to root alone.
pub(super) fn firmware_memory(source: &Source, sys: &Tree) -> Reading<Vec<FirmwareMemory>> {
    let mut memory = match sys.list(MEMMAP) {
        Ok(entries) if !entries.is_empty() => entries
            .iter()
            .map(|entry| range(sys, entry))
            .collect::<Result<_, _>>()
            .map_or_else(Reading::unknown, Reading::Known),
        _ => source
            .proc_text("iomem", IOMEM_LIMIT)
            .and_then(|text| iomem(&text)),
    };
    if let Reading::Known(ranges) = &mut memory {
        ranges.sort_by_key(|range| (range.start, range.end));
    }
    memory
}

fn range(sys: &Tree, entry: &str) -> Result<FirmwareMemory, String> {
    let read = |file: &str| {
        let path = format!("{MEMMAP}/{entry}/{file}");
        match sys.expected(&path, sys.text(&path)) {
            Reading::Known(text) => Ok(text),
            Reading::Unknown(why) => Err(why.into_owned()),
            Reading::Absent => Err(format!("{path} is not there")),
        }
    };
    Ok(FirmwareMemory {
        start: number(&read("start")?)?,
        end: number(&read("end")?)?,
        kind: read("type")?,
    })
}

fn iomem(text: &str) -> Result<Vec<FirmwareMemory>, String> {
    let ranges: Vec<_> = text.lines().filter_map(iomem_line).collect();
    if ranges.iter().all(|range| range.end == 0) {
        return Err("/proc/iomem shows no addresses: needs root".to_owned());
    }
    Ok(ranges)
}

/// One line, however deep it is nested: firmware reserves memory inside bridge windows, too.
fn iomem_line(line: &str) -> Option<FirmwareMemory> {
    let (bounds, kind) = line.split_once(" : ")?;
    let (start, end) = bounds.trim().split_once('-')?;
    let kind = KINDS.iter().find(|known| **known == kind.trim())?;
    Some(FirmwareMemory {
        start: u64::from_str_radix(start, 16).ok()?,
        end: u64::from_str_radix(end, 16).ok()?,
        kind: (*kind).to_owned(),
    })
}
