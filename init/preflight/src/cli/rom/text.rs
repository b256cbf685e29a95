use std::fmt::Write as _;

use option_rom::{Checksum, EfiHeader, Image, ImageType, Problem, Rom, Trailing, Verdict};

/// Everything that is known of a ROM of `length` bytes in a file of this name.
pub(super) fn show(name: &str, rom: &Rom, length: usize) -> String {
    let mut text = summary(name, rom, length);
    for (index, image) in rom.images.iter().enumerate() {
        let number = index + 1;
        let _ = writeln!(
            text,
            "\nImage {number}, at {:#x}: {}",
            image.offset,
            kind(image.kind)
        );
        for (label, value) in lines(image) {
            let _ = writeln!(text, "  {label:<12} {value}");
        }
    }
    let around = around(rom);
    if !around.is_empty() {
        let _ = writeln!(text, "\n{}", around.join("\n"));
    }
    text + &problems(rom)
}

/// The verdict and its reasons.
pub(super) fn check(name: &str, rom: &Rom, length: usize) -> String {
    summary(name, rom, length) + &problems(rom)
}

/// One line: what it is and what it is worth.
pub(super) fn summary(name: &str, rom: &Rom, length: usize) -> String {
    let images = match rom.images.as_slice() {
        [] => "no image".to_owned(),
        [one] => format!("one image ({})", one.kind),
        several => {
            let kinds: Vec<_> = several.iter().map(|image| image.kind.to_string()).collect();
            format!("{} images ({})", several.len(), kinds.join(", "))
        }
    };
    format!(
        "{name}: {length} bytes, {images}: {}\n",
        verdict(rom.verdict)
    )
}

fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Good => "good",
        Verdict::Usable => "usable",
        Verdict::Bad => "bad",
    }
}

/// NVIDIA's own code types.
const NVIDIA: [u8; 2] = [0x70, 0xe0];

fn kind(kind: ImageType) -> String {
    match kind {
        ImageType::X86 => "x86, for a legacy BIOS (type 0)".to_owned(),
        ImageType::OpenFirmware => "Open Firmware (type 1)".to_owned(),
        ImageType::Efi => "EFI (type 3)".to_owned(),
        ImageType::Other(code) if NVIDIA.contains(&code) => {
            format!("NVIDIA's own (type {code:#04x})")
        }
        ImageType::Other(code) => format!("unknown (type {code:#04x})"),
    }
}

fn lines(image: &Image) -> Vec<(&'static str, String)> {
    let mut lines = vec![
        (
            "ids",
            format!("{}:{}, class {}", image.vendor, image.device, image.class),
        ),
        ("length", length(image)),
        ("PCIR", pcir(image)),
    ];
    if let Some(npde) = image.npde {
        let last = if npde.last {
            "the last"
        } else {
            "not the last"
        };
        let what = format!(
            "at {:#x}, revision {:#06x}: {} bytes, {last}; overrides PCIR",
            npde.offset, npde.revision, npde.image_length
        );
        lines.push(("NPDE", what));
    }
    if !image.pcir.devices.is_empty() {
        let devices: Vec<_> = image.pcir.devices.iter().map(ToString::to_string).collect();
        lines.push(("devices", devices.join(", ")));
    }
    if let Some(header) = &image.efi {
        lines.push(("EFI", efi(header)));
    }
    let checksum = match image.checksum {
        Checksum::Ok => "right",
        Checksum::Bad => "wrong",
        Checksum::None if image.kind == ImageType::X86 => "unknown, the image is not whole",
        Checksum::None => "none, only x86 images have one",
    };
    lines.push(("checksum", checksum.to_owned()));
    let last = if image.last { "yes" } else { "no" };
    lines.push(("last image", last.to_owned()));
    lines
}

fn length(image: &Image) -> String {
    let end = image.end();
    let length = format!("{} bytes, up to {end:#x}", image.length);
    // In other images the byte behind the signature means something else.
    if image.kind == ImageType::X86 && image.header_length != image.length {
        return format!("{length}; the size byte says {}", image.header_length);
    }
    length
}

fn pcir(image: &Image) -> String {
    let pcir = &image.pcir;
    let run_time = pcir.runtime_length.map_or(String::new(), |length| {
        format!("; at run time {length} bytes at most")
    });
    format!(
        "at {:#x}, revision {}, {} bytes; code revision {:#06x}{run_time}",
        pcir.offset, pcir.revision, pcir.length, pcir.vendor_revision
    )
}

fn efi(header: &EfiHeader) -> String {
    let machine = header.machine_name().unwrap_or("unknown");
    let subsystem = header.subsystem_name().unwrap_or("unknown");
    let compressed = match (header.compressed, header.unpacked_length) {
        (false, _) => "not compressed".to_owned(),
        (true, None) => "compressed".to_owned(),
        (true, Some(length)) => format!("compressed, {length} bytes unpacked"),
    };
    format!(
        "machine {machine} ({:#06x}), subsystem {subsystem} ({:#04x}), {compressed}, driver at {:#x}",
        header.machine, header.subsystem, header.pe_offset
    )
}

fn around(rom: &Rom) -> Vec<String> {
    let mut lines = Vec::new();
    if rom.leading > 0 {
        lines.push(format!("Before the first image: {} bytes.", rom.leading));
    }
    let behind = if rom.images.is_empty() {
        "In no image"
    } else {
        "Behind the last image"
    };
    match rom.trailing {
        Trailing::None => {}
        Trailing::Padding(length) => lines.push(format!("{behind}: {length} bytes of padding.")),
        Trailing::Data(length) => lines.push(format!("{behind}: {length} bytes of data.")),
    }
    lines
}

/// What is wrong, what it means and what to do; then what is good to know.
fn problems(rom: &Rom) -> String {
    let mut text = String::new();
    for Problem { id, detail } in &rom.problems {
        let _ = writeln!(
            text,
            "\n[{id}] {}\n  {detail}\n  {}\n  What to do: {}",
            verdict_allowed(id.allows()),
            id.meaning(),
            id.remedy()
        );
    }
    if rom.problems.is_empty() {
        text.push_str("\nNo problem was found.\n");
    } else {
        text.push_str("\nWhat is in [brackets] is explained in docs/findings.md.\n");
    }
    if rom.has(ImageType::X86) && !rom.has(ImageType::Efi) {
        text.push_str(
            "There is no EFI image: with this ROM a guest with UEFI shows nothing before its driver \
             runs.\n",
        );
    }
    text
}

fn verdict_allowed(best: Verdict) -> &'static str {
    match best {
        Verdict::Good => "no harm",
        Verdict::Usable => "usable at best",
        Verdict::Bad => "makes it bad",
    }
}
