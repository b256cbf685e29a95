use image_builder::inspect::{
    BootCode, Content, Disk, DiskPartition, FatFile, FatVolume, TableCopy,
};
use image_builder::kernel_image::KernelImage;

use super::{initramfs, signers, size, summary, table};

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
            core,
            partition: None,
        }) => {
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
    let mut text = format!("\n\npartition {}, {label}: ", partition.number);
    if let Some(why) = &fat.broken {
        text.push_str(&format!("DAMAGED: {why}; "));
    }
    match fat.files.as_slice() {
        [] => text.push_str("no files"),
        files => {
            text.push_str(&format!("{} files\n", files.len()));
            let head = ["MB", "file", "what it is"].map(str::to_owned);
            let lines = files
                .iter()
                .map(|file| [size(file.bytes.into()), file.path.clone(), words(file)]);
            let lines: Vec<_> = std::iter::once(head).chain(lines).collect();
            table::columns(&mut text, &lines);
        }
    }
    for file in &fat.files {
        text.push_str(&details(file));
    }
    text
}

fn words(file: &FatFile) -> String {
    match (&file.content, &file.sha256) {
        (Some(content), _) => summary(content),
        (None, None) => "UNREADABLE".to_owned(),
        (None, Some(_)) => String::new(),
    }
}

/// What else there is to say about a file that a machine boots with.
fn details(file: &FatFile) -> String {
    let mut text = String::new();
    match &file.content {
        Some(Content::Initramfs(content)) => text.push_str(&initramfs::overview(content)),
        Some(Content::Kernel(KernelImage { signed_by, .. })) => {
            table::field(&mut text, "signature", &signers(signed_by.as_deref()));
        }
        Some(Content::EfiProgram(program)) => {
            table::field(
                &mut text,
                "signature",
                &signers(program.signed_by.as_deref()),
            );
        }
        Some(Content::Disk(_)) | None => return text,
    }
    format!("\n\n{}:{text}", file.path)
}
