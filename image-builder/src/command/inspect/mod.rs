mod disk;
mod initramfs;
mod table;

use std::path::PathBuf;

use anyhow::Context;
use image_builder::inspect::{Content, EfiProgram, inspect, spdx};
use image_builder::io;
use image_builder::kernel_image::KernelImage;

use super::output::{clear_progress, megabytes, print, progress};

/// Say what a file is and what is in it: an initramfs of any maker, a kernel, a stick or its image.
///
/// Of an initramfs: how it is packed, its kernel modules with sizes and licences, its programs, what its megabytes
/// are for; of one of ours also why each module is there. Of a stick: partitions, boot code, every file for
/// firmware, kernel and initramfs.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The file, or a disk such as /dev/sdb
    file: PathBuf,
    /// How to print what was seen
    #[arg(long, default_value = "text")]
    format: Format,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Format {
    Text,
    Json,
    /// Of an initramfs of ours: a bill of materials, SPDX 2.3 as JSON
    Spdx,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    if let Format::Spdx = arguments.format {
        let file = &arguments.file;
        let bill = spdx(&io::read(file)?)
            .with_context(|| format!("cannot make a bill of materials of {}", file.display()))?;
        return print(&serde_json::to_string_pretty(&bill)?);
    }
    progress(&format!("reading {}", arguments.file.display()));
    let inspected = inspect(&arguments.file);
    clear_progress();
    let inspected = inspected?;
    print(&match arguments.format {
        Format::Json | Format::Spdx => serde_json::to_string_pretty(&inspected)?,
        Format::Text => {
            let name = arguments.file.display().to_string();
            text(&name, inspected.bytes, &inspected.content)
        }
    })
}

/// The whole of it, for a person, in lines of at most 80 columns but for long names.
fn text(name: &str, bytes: u64, content: &Content) -> String {
    let size = size(bytes);
    let head = format!("{name}: {}, {size} MB", summary(content));
    match content {
        Content::Initramfs(initramfs) => format!("{head}\n{}", initramfs::text(initramfs)),
        Content::Kernel(kernel) => format!("{head}\n{}", kernel_text(kernel)),
        Content::EfiProgram(EfiProgram { signed_by }) => {
            format!("{head}\n{}", signature(signed_by.as_deref()))
        }
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
        Content::EfiProgram(_) => "program for UEFI".to_owned(),
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
