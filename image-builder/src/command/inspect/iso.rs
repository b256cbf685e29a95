use image_builder::inspect::{BootImage, Iso};

use super::{disk, files, table};

/// All about a CD but the summary.
pub(super) fn text(iso: &Iso) -> String {
    let mut text = String::new();
    let made = iso.made.as_deref().and_then(date);
    let fields = [
        ("volume", iso.volume.as_str()),
        ("made", made.as_deref().unwrap_or("not said")),
    ];
    for (name, value) in fields {
        table::field(&mut text, name, value);
    }
    text.push('\n');
    boot(&mut text, &iso.boot);
    text.push_str(&files::text(
        "on the CD",
        &iso.files,
        iso.broken.as_deref(),
        &iso.differences,
    ));
    text.push_str("\n\nas a stick:");
    match &iso.disk {
        Some(disk) => text.push_str(&disk::text(disk)),
        None => text.push_str(" no GUID partition table"),
    }
    text
}

fn boot(text: &mut String, images: &[BootImage]) {
    if images.is_empty() {
        return table::field(
            text,
            "as a CD",
            "no firmware starts it: it has no El Torito catalogue",
        );
    }
    let head = ["as a CD", "at byte", "bytes", "what firmware starts"].map(str::to_owned);
    let lines = images.iter().map(|image| {
        let place = match (&image.file, image.partition) {
            (Some(file), _) => file.clone(),
            (None, Some(number)) => format!("partition {number}"),
            (None, None) => "neither a file nor a partition".to_owned(),
        };
        let bootable = if image.bootable {
            ""
        } else {
            " (marked as not to be started)"
        };
        let firmware = image.firmware.clone();
        [
            firmware,
            image.start.to_string(),
            image.length.to_string(),
            format!("{place}{bootable}"),
        ]
    });
    let lines: Vec<_> = std::iter::once(head).chain(lines).collect();
    table::columns(text, &lines);
}

/// `YYYYMMDDHHMMSS` as people write it.
fn date(digits: &str) -> Option<String> {
    let part = |from: usize, to: usize| digits.get(from..to);
    Some(format!(
        "{}-{}-{} {}:{}:{}",
        part(0, 4)?,
        part(4, 6)?,
        part(6, 8)?,
        part(8, 10)?,
        part(10, 12)?,
        part(12, 14)?
    ))
}
