//! The stick as a raw disk image: a GPT with a BIOS boot partition, an EFI system partition, and the partition
//! for results, which is made anew at the stick's full size at its first boot.

mod error;

use std::fs::File;
use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::path::Path;

use serde::Serialize;

pub use error::UsbError;

use crate::fat::{self, Kind, NewFile, Volume};
use crate::gpt::{self, Guid, Partition};
use crate::grub::{BOOT_CODE, Packages};
use crate::image::zstd_on_all_processors;
use crate::io::{self, Context};
use crate::medium::{BuiltFile, Content, DATA_LENGTH, MediumError, Recipe};
use crate::progress::Progress::Doing;
use crate::progress::{Told, Watch};

const MIB: u64 = 1 << 20;

/// Room in front of the first partition and behind the last one: the tables, and what keeps partitions aligned.
const MARGIN: u64 = MIB;
const BIOS_BOOT_LENGTH: u64 = MIB;
/// Number of the EFI system partition in the table, from 1.
const ESP: u32 = 2;

/// What was built.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Built {
    /// `preflight.usb/1`
    pub schema: &'static str,
    /// Bytes of the image.
    pub bytes: u64,
    /// Bytes of the file: fewer where it is compressed.
    pub written: u64,
    /// Its partitions, in their order.
    pub partitions: Vec<BuiltPartition>,
    /// The files on the EFI system partition.
    pub files: Vec<BuiltFile>,
}

/// A partition of a stick.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BuiltPartition {
    /// PARTLABEL.
    pub name: &'static str,
    /// PARTUUID.
    pub id: String,
    /// First byte.
    pub start: u64,
    /// Bytes.
    pub length: u64,
}

/// Where the partitions lie.
#[derive(Debug, Clone, Copy)]
struct Layout {
    bios_boot: u64,
    esp: u64,
    esp_length: u64,
    data: u64,
    end: u64,
}

impl Layout {
    fn of(files: &[NewFile]) -> Self {
        let bios_boot = MARGIN;
        let esp = bios_boot + BIOS_BOOT_LENGTH;
        let esp_length = fat::fat32_length(files);
        let data = esp + esp_length;
        Self {
            bios_boot,
            esp,
            esp_length,
            data,
            end: data + DATA_LENGTH + MARGIN,
        }
    }

    fn partitions(&self, digest: &[u8; 32]) -> [Partition; 3] {
        let partition = |kind, name, start, length| Partition {
            kind,
            id: Guid::derived(digest, name),
            name,
            start,
            length,
        };
        [
            partition(
                gpt::BIOS_BOOT,
                "BIOS boot",
                self.bios_boot,
                BIOS_BOOT_LENGTH,
            ),
            partition(gpt::EFI_SYSTEM, "Preflight boot", self.esp, self.esp_length),
            partition(gpt::PREFLIGHT_DATA, "PREFLIGHT", self.data, DATA_LENGTH),
        ]
    }
}

/// Builds the image of a recipe into a file, which appears only when it is whole; compressed with zstd where its
/// name ends in `.zst`. `progress` hears what is being done. The bytes depend on the recipe and the packages alone.
pub fn build(
    recipe: &Recipe,
    packages: &Packages,
    output: &Path,
    progress: Watch,
) -> Result<Built, UsbError> {
    progress(Doing("collecting kernel, initramfs and boot loaders"));
    let mut content = Content::collect(recipe, packages)?;
    content.add_manifest()?;
    let layout = Layout::of(&content.files);
    let partitions = layout.partitions(&content.digest);
    progress(Doing("putting GRUB together for BIOS"));
    let bios = packages.bios_boot(layout.bios_boot, ESP)?;
    if bios.core.len() as u64 > BIOS_BOOT_LENGTH {
        return Err(UsbError::CoreTooLarge {
            bytes: bios.core.len(),
        });
    }
    progress(Doing("making the file systems"));
    let volume = |kind, label, name| Volume {
        kind,
        label,
        id: content.volume_id(name),
        modified: recipe.modified,
    };
    let esp = volume(Kind::Fat32, "PREFLT-BOOT", "boot file system");
    let esp =
        fat::file_system(&esp, layout.esp_length, &content.files).map_err(MediumError::Fat)?;
    let data = content.data(recipe.modified)?;
    let id = Guid::derived(&content.digest, "disk");
    let lay_out = |file: &mut File| {
        file.set_len(layout.end).at("size", output)?;
        gpt::write(file, id, &partitions).map_err(UsbError::Table)?;
        let (boot_code, core) = (bios.boot_code.as_slice(), bios.core.as_slice());
        debug_assert_eq!(boot_code.len(), BOOT_CODE);
        let pieces = [
            (0, boot_code),
            (layout.bios_boot, core),
            (layout.esp, &esp),
            (layout.data, &data),
        ];
        for (start, bytes) in pieces {
            write_sparse(file, start, bytes).at("write", output)?;
        }
        Ok::<_, UsbError>(())
    };
    progress(Doing("writing the image"));
    let written = if output.extension().is_some_and(|end| end == "zst") {
        let mut image = tempfile::tempfile().at("make a temporary file for", output)?;
        lay_out(&mut image)?;
        progress(Doing("compressing the image"));
        io::put_in_place(output, |file| {
            compress(&mut image, layout.end, file, progress).at("write", output)
        })?
    } else {
        io::put_in_place(output, lay_out)?
    };
    Ok(Built {
        schema: "preflight.usb/1",
        bytes: layout.end,
        written,
        partitions: partitions.iter().map(BuiltPartition::of).collect(),
        files: content.files.iter().map(BuiltFile::of).collect(),
    })
}

/// The strongest that every zstd unpacks without being told of its window.
const ZSTD: i32 = 19;

fn compress(
    image: &mut File,
    length: u64,
    output: &mut File,
    progress: Watch,
) -> std::io::Result<()> {
    image.rewind()?;
    let mut encoder = zstd_on_all_processors(BufWriter::new(output), ZSTD)?;
    encoder.set_pledged_src_size(Some(length))?;
    let mut told = Told::new(encoder, length, progress);
    std::io::copy(image, &mut told)?;
    told.into_output().finish()?.flush()
}

/// Holes stay holes: most of a new file system is empty.
fn write_sparse(file: &mut File, start: u64, bytes: &[u8]) -> std::io::Result<()> {
    const BLOCK: usize = 1 << 16;
    for (number, block) in (0_u64..).zip(bytes.chunks(BLOCK)) {
        if block.iter().any(|byte| *byte != 0) {
            file.seek(SeekFrom::Start(start + number * BLOCK as u64))?;
            file.write_all(block)?;
        }
    }
    Ok(())
}

impl BuiltPartition {
    fn of(partition: &Partition) -> Self {
        Self {
            name: partition.name,
            id: partition.id.to_string(),
            start: partition.start,
            length: partition.length,
        }
    }
}
