use image_builder::inspect::{BootCode, Disk, DiskPartition, FatVolume, TableCopy};

use super::{files, size, table};

/// All about a disk but the summary.
pub(super) fn text(disk: &Disk) -> String {
    let mut text = String::new();
    let tables = [("first table", &disk.primary), ("last table", &disk.backup)];
    for (name, copy) in tables {
        let state = match copy {
            TableCopy::Whole => "whole".to_owned(),
            TableCopy::Damaged(why) => format!("DAMAGED: {why}"),
        };
        table::field(&mut text, name, &state);
    }
    table::field(
        &mut text,
        "BIOS starts",
        &boot_code(disk.boot_code.as_ref()),
    );
    text.push('\n');
    partitions(&mut text, &disk.partitions);
    for partition in &disk.partitions {
        if let Some(fat) = &partition.fat {
            text.push_str(&volume(partition, fat));
        }
    }
    text
}

fn boot_code(code: Option<&BootCode>) -> String {
    match code {
        None => "nothing: the first sector has no boot code".to_owned(),
        Some(BootCode::Other) => "boot code that is not GRUB's".to_owned(),
        Some(BootCode::Grub {
            partition: Some(number),
            ..
        }) => {
            format!("GRUB, with its core in partition {number}")
        }
        Some(BootCode::Grub {
            file: Some(file), ..
        }) => {
            format!("GRUB, with its core in the file {file}")
        }
        Some(BootCode::Grub { core, .. }) => {
            format!("GRUB, with its core at byte {core}, where no BIOS boot partition begins")
        }
    }
}

fn partitions(text: &mut String, partitions: &[DiskPartition]) {
    let head = ["", "MB", "at byte", "name", "kind", "file system"].map(str::to_owned);
    let lines = partitions.iter().map(|partition| {
        let fat = partition.fat.as_ref();
        [
            partition.number.to_string(),
            size(partition.length),
            partition.start.to_string(),
            partition.name.clone(),
            partition.kind.clone(),
            fat.map_or_else(|| "-".to_owned(), |fat| format!("{} {}", fat.kind, fat.id)),
        ]
    });
    let lines: Vec<_> = std::iter::once(head).chain(lines).collect();
    table::columns(text, &lines);
}

fn volume(partition: &DiskPartition, fat: &FatVolume) -> String {
    let label = fat.label.as_deref().unwrap_or("no label");
    let head = format!("partition {}, {label}", partition.number);
    files::text(&head, &fat.files, fat.broken.as_deref(), &fat.differences)
}
