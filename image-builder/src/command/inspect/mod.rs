mod disk;
mod efi;
mod files;
mod initramfs;
mod iso;
mod table;

use std::path::PathBuf;

use anyhow::Context;
use image_builder::inspect::{Content, Inspected, inspect, spdx};
use image_builder::kernel_image::KernelImage;
use image_builder::progress::Progress;

use super::output::{clear_progress, harmless, megabytes, print, print_json, progress};

/// Say what a file is and what is in it: an initramfs of any maker, a kernel, a unified kernel image, a stick or CD
/// or the image of one, packed or not.
///
/// Of an initramfs: how it is packed, its kernel modules with sizes and licences, its programs, what its megabytes
/// are for; of one of ours also why each module is there. Of a stick or CD: what firmware starts, partitions, boot
/// code, every file with what it is. Of a unified kernel image: its sections, command line and initramfs.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The file, or a disk such as /dev/sdb; with --format spdx also a folder that `netboot` has written
    file: PathBuf,
    /// How to print what was seen
    #[arg(long, default_value = "text")]
    format: Format,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Format {
    Text,
    Json,
    /// Of an initramfs, a stick, a CD, a unified kernel image or a folder for network boot of ours: a bill of
    /// materials, SPDX 2.3 as JSON
    Spdx,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    if let Format::Spdx = arguments.format {
        let file = &arguments.file;
        let bill = spdx(file)
            .with_context(|| format!("cannot make a bill of materials of {}", file.display()))?;
        return print_json(&bill);
    }
    progress(Progress::Doing(&format!(
        "reading {}",
        arguments.file.display()
    )));
    let inspected = inspect(&arguments.file);
    clear_progress();
    let inspected = inspected?;
    match arguments.format {
        Format::Json | Format::Spdx => print_json(&inspected),
        Format::Text => {
            let name = arguments.file.display().to_string();
            print(&text(&name, &inspected))
        }
    }
}

/// The whole of it, for a person, in lines of at most 80 columns but for long names.
fn text(name: &str, inspected: &Inspected) -> String {
    let Inspected {
        bytes,
        packed,
        unread,
        content,
        ..
    } = inspected;
    let what = format!("{name}: {}", summary(content));
    let mut head = format!("{}, {} MB", harmless(&what), size(*bytes));
    if let Some(packed) = packed {
        let (compression, unpacked) = (packed.compression, size(packed.unpacked));
        head.push_str(&format!(", packed with {compression}: {unpacked} MB"));
    }
    if let Some(why) = unread {
        table::field(&mut head, "NOT READ", &format!("some of it: {why}"));
    }
    match content {
        Content::Initramfs(initramfs) => format!("{head}\n{}", initramfs::text(initramfs)),
        Content::Kernel(kernel) => format!("{head}\n{}", kernel_text(kernel)),
        Content::EfiProgram(program) => format!("{head}\n{}", efi::text(program)),
        Content::Iso(iso) => format!("{head}\n{}", iso::text(iso)),
        Content::Disk(disk) => format!("{head}\n{}", disk::text(disk)),
    }
}

/// What it is, in a few words.
fn summary(content: &Content) -> String {
    match content {
        Content::Initramfs(initramfs) => initramfs::summary(initramfs),
        Content::Kernel(kernel) => {
            format!(
                "kernel {}",
                kernel.release().unwrap_or("of unknown version")
            )
        }
        Content::EfiProgram(program) => efi::summary(program),
        Content::Iso(iso) => match iso.disk {
            Some(_) => "CD that is a stick, too".to_owned(),
            None => "CD (ISO 9660)".to_owned(),
        },
        Content::Disk(_) => "disk with a GUID partition table".to_owned(),
    }
}

fn kernel_text(kernel: &KernelImage) -> String {
    let version = kernel.version.as_deref().unwrap_or("not said");
    let bits = if kernel.is_64_bit { "64" } else { "32" };
    let uefi = match kernel.efi_stub {
        true => "starts by its own EFI stub",
        false => "has no EFI stub: only a boot loader can start it",
    };
    let (major, minor) = (kernel.protocol >> 8, kernel.protocol & 0xff);
    let mut text = String::new();
    table::field(&mut text, "version", version);
    table::field(&mut text, "bits", bits);
    table::field(&mut text, "UEFI", uefi);
    table::field(&mut text, "boot protocol", &format!("{major}.{minor}"));
    text + &signature(kernel.signed_by.as_deref())
}

fn signature(signed_by: Option<&[String]>) -> String {
    let mut text = String::new();
    table::field(&mut text, "signature", &signers(signed_by));
    text
}

/// Firmware alone says whether a signature holds.
fn signers(signed_by: Option<&[String]>) -> String {
    match signed_by {
        None => "none".to_owned(),
        Some([]) => "by an unknown name (not checked)".to_owned(),
        Some(names) => format!("{} (not checked)", names.join(", ")),
    }
}

fn size(bytes: u64) -> String {
    megabytes(usize::try_from(bytes).unwrap_or(usize::MAX))
}
