use std::collections::BTreeMap;

use hardware::Reading;
use proxmox::disks::DiskUse;
use proxmox::{DisksSeen, Installation};
use storage::{DiskFacts, Trouble};

use crate::label::fact;
use crate::page::Page;

/// What one system has on the disks.
pub(super) fn own(page: &mut Page, installation: &Installation) {
    if let Reading::Known(layout) = &installation.layout {
        fact(page, "root", &layout.to_string());
    }
    match &installation.disk_uses {
        Reading::Known(uses) => {
            for (disk, uses) in by_disk(uses) {
                fact(
                    page,
                    "disk",
                    &format!("{}: {}", on(disk, &uses), words(&uses)),
                );
            }
        }
        Reading::Absent => fact(page, "disk", "the disks below the root were not looked at"),
        Reading::Unknown(why) => fact(page, "disk", &format!("not known: {why}")),
    }
}

/// All disks, and how the look at them went.
pub(super) fn all(page: &mut Page, look: &DisksSeen) {
    page.title("DISKS OF THIS MACHINE");
    let uses = by_disk(&look.uses);
    for disk in &look.storage.disks {
        one(page, look, disk, uses.get(disk.id.0.as_str()));
    }
    if look.storage.disks.is_empty() {
        fact(page, "", "None but the stick.");
    }
    left_alone(page, look);
    if !look.storage.disks.is_empty() {
        how_it_went(page, look);
    }
}

fn one(page: &mut Page, look: &DisksSeen, disk: &DiskFacts, uses: Option<&Vec<&DiskUse>>) {
    let mut head = disk.id.0.clone();
    let name = look.kernel_names.get(&disk.id.0);
    let about = [
        disk.model.clone(),
        Some(size(disk.size)),
        disk.usb.then(|| "USB".to_owned()),
        name.map(|name| format!("now {name}")),
    ];
    let about: Vec<String> = about.into_iter().flatten().collect();
    head.push_str(&format!(" ({})", about.join(", ")));
    if let Some(function) = disk.function {
        head.push_str(&format!(" on {function}"));
    }
    page.indented("  ", &head, 4);
    for used in uses.into_iter().flatten() {
        let label = match used.partition {
            Some(number) => format!("part {number}"),
            None => "whole".to_owned(),
        };
        fact(page, &label, &word(used, true));
    }
}

/// Volumes that were not opened on purpose, those of one reason together: a host has a disk for every guest.
fn left_alone(page: &mut Page, look: &DisksSeen) {
    const NAMED: usize = 4;
    let mut by_reason: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for trouble in &look.storage.troubles {
        if let Trouble::LeftAlone { name, why, .. } = trouble {
            by_reason.entry(why).or_default().push(name);
        }
    }
    for (why, names) in by_reason {
        let shown = names.iter().take(NAMED).copied().collect::<Vec<_>>();
        let more = match names.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        fact(
            page,
            "untouched",
            &format!("{}{more}: {why}", shown.join(", ")),
        );
    }
}

fn how_it_went(page: &mut Page, look: &DisksSeen) {
    let text = format!(
        "in {}.{} s{}; {} of journals and the like went into memory ({} at most)",
        look.took_ms / 1000,
        look.took_ms % 1000 / 100,
        writes(look),
        size(look.written_over),
        size(look.storage.overlay_bound),
    );
    fact(page, "looked", &text);
}

/// What the kernel counted. A disk that it did not count for is named, and is none with 0 bytes.
fn writes(look: &DisksSeen) -> String {
    let counted: Vec<u64> = look
        .writes
        .iter()
        .map(|disk| disk.writes.sectors.saturating_mul(512))
        .collect();
    let mut text = match counted.as_slice() {
        [] => String::new(),
        [one] => format!(", with {one} bytes written to one disk by the kernel's own count"),
        several => format!(
            ", with {} bytes written to {} disks by the kernel's own count",
            several.iter().sum::<u64>(),
            several.len()
        ),
    };
    let is_counted = |disk: &&DiskFacts| look.writes.iter().any(|one| one.disk == disk.id);
    let disks = look.storage.disks.iter();
    let others: Vec<&str> = disks
        .filter(|disk| !is_counted(disk))
        .map(|disk| disk.id.0.as_str())
        .collect();
    if !others.is_empty() {
        text.push_str(&format!(
            "; not counted is what was written to {}",
            others.join(", ")
        ));
    }
    text
}

fn by_disk(uses: &[DiskUse]) -> BTreeMap<&str, Vec<&DiskUse>> {
    let mut disks: BTreeMap<&str, Vec<&DiskUse>> = BTreeMap::new();
    for used in uses {
        disks.entry(&used.disk).or_default().push(used);
    }
    disks
}

fn on(disk: &str, uses: &[&DiskUse]) -> String {
    match uses.iter().find_map(|used| used.function) {
        Some(function) => format!("{disk} on {function}"),
        None => disk.to_owned(),
    }
}

fn words(uses: &[&DiskUse]) -> String {
    let words: Vec<String> = uses
        .iter()
        .map(|used| {
            let place = match (used.partition, &used.within) {
                (Some(number), None) => format!("partition {number} "),
                _ => String::new(),
            };
            format!("{place}{}", word(used, false))
        })
        .collect();
    words.join("; ")
}

fn word(used: &DiskUse, with_systems: bool) -> String {
    let mut text = used.purpose.to_string();
    if let Some(within) = &used.within {
        text.push_str(&format!(" ({within})"));
    }
    if with_systems && !used.systems.is_empty() {
        let numbers: Vec<String> = used.systems.iter().map(ToString::to_string).collect();
        let systems = if numbers.len() == 1 {
            "system"
        } else {
            "systems"
        };
        text.push_str(&format!(", of {systems} {}", numbers.join(" and ")));
    }
    text
}

/// Bytes as a person says them: in units of 1024, one digit behind the point.
fn size(bytes: u64) -> String {
    const UNITS: [(&str, u32); 4] = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)];
    let unit = UNITS.iter().find(|(_, shift)| bytes >> shift > 0);
    unit.map_or_else(
        || format!("{bytes} bytes"),
        |(unit, shift)| {
            let tenths = (u128::from(bytes) * 10) >> shift;
            format!("{}.{} {unit}", tenths / 10, tenths % 10)
        },
    )
}

#[cfg(test)]
mod tests {
    use storage::{DiskId, DiskWrites, Storage, Writes};

    use super::*;

    #[test]
    fn a_disk_that_was_not_counted_is_none_that_nothing_was_written_to() {
        let disk = |id: &str| DiskFacts {
            id: DiskId(id.to_owned()),
            model: None,
            serial: None,
            wwn: None,
            size: 0,
            usb: false,
            function: None,
        };
        let counted = |id: &str, sectors| DiskWrites {
            disk: DiskId(id.to_owned()),
            writes: Writes {
                sectors,
                ..Writes::default()
            },
        };
        let mut look = DisksSeen {
            storage: Storage {
                disks: vec![disk("a"), disk("b")],
                ..Storage::default()
            },
            uses: Vec::new(),
            writes: vec![counted("a", 0), counted("b", 2)],
            written_over: 0,
            kernel_names: BTreeMap::new(),
            took_ms: 0,
        };
        assert!(writes(&look).contains("1024 bytes written to 2 disks"));
        look.writes.truncate(1);
        let text = writes(&look);
        assert!(text.contains("0 bytes written to one disk"), "{text}");
        assert!(
            text.ends_with("not counted is what was written to b"),
            "{text}"
        );
        look.writes.clear();
        assert_eq!(writes(&look), "; not counted is what was written to a, b");
    }

    #[test]
    fn sizes_are_said_in_the_unit_that_fits() {
        let said: Vec<String> = [0, 4096, 180 << 20, 8 << 30, u64::MAX]
            .into_iter()
            .map(size)
            .collect();
        assert_eq!(
            said,
            [
                "0 bytes",
                "4.0 KiB",
                "180.0 MiB",
                "8.0 GiB",
                "16777215.9 TiB"
            ]
        );
    }
}
