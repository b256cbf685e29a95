use assess::{RomCopy, RomSummary};
use option_rom::{Image, Verdict};

/// So many digits of a hash tell one file from another for a person.
const SHORT_HASH: usize = 16;

/// What is known of a ROM, a line each.
pub(crate) fn lines(rom: &RomSummary) -> Vec<String> {
    match rom {
        RomSummary::Absent => vec!["none: the function has no ROM region".to_owned()],
        RomSummary::Unread => vec!["there, and not read".to_owned()],
        RomSummary::Failed { why, .. } => vec![format!("could not be read: {why}")],
        RomSummary::Read(choice) => {
            let copy = &choice.copy;
            let mut lines = vec![summary(copy)];
            lines.push(format!(
                "sha256 {}...",
                copy.sha256.get(..SHORT_HASH).unwrap_or(&copy.sha256)
            ));
            lines.extend(copy.taint.clone());
            if choice.copies.len() > 1 {
                lines.push(choice.why.clone());
            }
            lines
        }
    }
}

fn summary(copy: &RomCopy) -> String {
    let source = copy.source.words();
    let images: Vec<_> = copy.rom.images.iter().map(image).collect();
    let images = if images.is_empty() {
        "no image".to_owned()
    } else {
        images.join(" + ")
    };
    let verdict = match (copy.rom.verdict, &copy.taint) {
        (Verdict::Good, None) => "good",
        (Verdict::Good, Some(_)) => "tainted",
        (Verdict::Usable, None) => "usable",
        (Verdict::Usable, Some(_)) => "usable, tainted",
        (Verdict::Bad, None) => "bad",
        (Verdict::Bad, Some(_)) => "bad, tainted",
    };
    format!("{images}, {} from {source}: {verdict}", size(copy.length))
}

fn image(image: &Image) -> String {
    let machine = image.efi.as_ref().and_then(|efi| efi.machine_name());
    match machine {
        Some(machine) => format!("{} ({machine})", image.kind),
        None => image.kind.to_string(),
    }
}

fn size(bytes: usize) -> String {
    if bytes > 0 && bytes.is_multiple_of(1024) {
        format!("{} KiB", bytes / 1024)
    } else {
        format!("{bytes} bytes")
    }
}
