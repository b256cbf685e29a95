//! The medium as an ISO 9660 image that starts as a CD and, written to a stick, as a disk, on BIOS and on UEFI.
//! xorriso writes it: an El Torito catalogue for both kinds of firmware, boot code in front, and a GPT that names the
//! EFI file system and the place for results behind the CD's own file system.

mod error;

use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;

pub use error::IsoError;

use crate::apt::{self, Request};
use crate::boot_menu::GRUB_FOLDER;
use crate::cache::Cache;
use crate::fat::{self, Kind, NewFile, Volume};
use crate::gpt::{EFI_SYSTEM, Guid, PREFLIGHT_DATA};
use crate::grub::{CD_CORE, Packages};
use crate::io::{self, Context};
use crate::medium::{BOOT_CODE, BuiltFile, Content, MediumError, Recipe, manifest};
use crate::package::program;
use crate::progress::Progress::Doing;
use crate::progress::Watch;

const MIB: u64 = 1 << 20;
const XORRISO: &str = "usr/bin/xorriso";
/// Names the file system.
const VOLUME: &str = "PREFLIGHT";
/// Ventoy looks for it, and then leaves the initramfs alone: Preflight needs nothing of the medium once it runs
/// (<https://www.ventoy.net/en/compatible.html>).
const VENTOY_MARKER: &str = "ventoy.dat";

/// xorriso, unpacked with all that it depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Xorriso {
    root: PathBuf,
}

impl Xorriso {
    /// From the mirror that the machine's apt uses; the cache keeps it.
    pub fn fetch(cache: &Cache) -> Result<Self, IsoError> {
        let request = Request::new(["xorriso"]).with_dependencies();
        let root = apt::cached_tree(cache, &request)?;
        Ok(Self { root })
    }

    /// The program, to read an image with, too.
    pub fn command(&self) -> std::process::Command {
        program(&self.root, XORRISO)
    }
}

/// The first second of 1980, as on the FAT file systems beside it: xorriso takes the first one of 1970 for none, and
/// then the present.
const EARLIEST: u32 = 315_532_800;

/// What was built.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Built {
    /// `preflight.iso/1`
    pub schema: &'static str,
    /// Bytes of the image.
    pub bytes: u64,
    /// The files of the CD.
    pub files: Vec<BuiltFile>,
}

/// What xorriso is given.
struct Parts {
    files: Vec<NewFile>,
    /// The EFI system partition and the partition for results.
    efi: Vec<u8>,
    data: Vec<u8>,
    /// Boot code for the first sector of a stick.
    boot_code: Vec<u8>,
    disk: Guid,
}

impl Parts {
    fn collect(recipe: &Recipe, packages: &Packages) -> Result<Self, IsoError> {
        let content = Content::collect(recipe, packages)?;
        let data = content.data(recipe.modified)?;
        let marker = format!("boot/preflight-{:08x}", content.volume_id("CD"));
        let disk = Guid::derived(&content.digest, "CD");
        let efi_id = content.volume_id("EFI file system of a CD");
        let origins = content.origins;
        let mut files = content.files;
        // A unified kernel image shows no menu.
        if recipe.uki.is_none() {
            let search = packages.efi_search(&marker).map_err(MediumError::Grub)?;
            files.retain(|file| file.path != search.path);
            files.push(search);
        }
        let efi = efi_file_system(&files, efi_id, recipe.modified)?;
        let (core, boot_code) = packages.cd_boot().map_err(MediumError::Grub)?;
        files.push(NewFile::new(core_path(), core));
        files.push(NewFile::new(
            marker,
            "The boot loader finds its medium by this file.\n",
        ));
        files.push(NewFile::new(VENTOY_MARKER, "Needs nothing of Ventoy.\n"));
        files.push(manifest(&files, &origins, &patched(), &[BOOT_CODE])?);
        Ok(Self {
            files,
            efi,
            data,
            boot_code,
            disk,
        })
    }
}

fn core_path() -> String {
    format!("{GRUB_FOLDER}/{CD_CORE}")
}

/// What xorriso writes into where it lies (`-boot-info-table`).
fn patched() -> [String; 1] {
    [core_path()]
}

/// What firmware reads of a CD before there is a boot loader that knows ISO 9660.
fn efi_file_system(files: &[NewFile], id: u32, modified: u32) -> Result<Vec<u8>, MediumError> {
    let is_efi = |file: &&NewFile| file.path.starts_with("EFI/");
    let files: Vec<NewFile> = files.iter().filter(is_efi).cloned().collect();
    let content: usize = files.iter().map(|file| file.content.len()).sum();
    let length = (content as u64 + MIB).next_multiple_of(MIB).max(4 * MIB);
    let volume = Volume {
        kind: Kind::Fat16,
        label: "PREFLT-BOOT",
        id,
        modified,
    };
    fat::file_system(&volume, length, &files).map_err(MediumError::Fat)
}

/// Builds the image of a recipe into a file, which appears only when it is whole. `progress` hears what is being
/// done. The bytes depend on the recipe, the packages and xorriso alone.
pub fn build(
    recipe: &Recipe,
    packages: &Packages,
    xorriso: &Xorriso,
    output: &Path,
    progress: Watch,
) -> Result<Built, IsoError> {
    progress(Doing("collecting kernel, initramfs and boot loaders"));
    let parts = Parts::collect(recipe, packages)?;
    let staging = tempfile::tempdir().at("make a folder in", &std::env::temp_dir())?;
    let at = |name: &str| staging.path().join(name);
    for file in &parts.files {
        let path = at("tree").join(&file.path);
        if let Some(folder) = path.parent() {
            io::create_folder(folder)?;
        }
        io::write(&path, &file.content)?;
    }
    io::write(&at("efi"), &parts.efi)?;
    io::write(&at("data"), &parts.data)?;
    io::write(&at("boot-code"), &parts.boot_code)?;
    progress(Doing("writing the image"));
    let image = at("image");
    let modified = recipe.modified.max(EARLIEST);
    let mut command = xorriso.command();
    command
        .current_dir(staging.path())
        .args(arguments(modified, &parts.disk.to_string()))
        .env("SOURCE_DATE_EPOCH", modified.to_string());
    let program = xorriso.root.join(XORRISO);
    let ran = command.output().at("run", &program)?;
    if !ran.status.success() {
        let said = String::from_utf8_lossy(&ran.stderr).trim().to_owned();
        return Err(IsoError::Tool { program, said });
    }
    let bytes = io::put_in_place(output, |file| {
        let mut written = fs::File::open(&image).at("read", &image)?;
        std::io::copy(&mut written, file).at("write", output)?;
        Ok::<_, IsoError>(())
    })?;
    let patched = patched();
    let files = parts
        .files
        .iter()
        .map(|file| BuiltFile::patched(file, &patched));
    Ok(Built {
        schema: "preflight.iso/1",
        bytes,
        files: files.collect(),
    })
}

/// Words for xorriso, in a folder with the parts. Every time and every identity is given, for it would take the
/// present and chance; start-up files of whoever builds are left alone.
fn arguments(modified: u32, disk: &str) -> Vec<String> {
    let (efi, data) = (EFI_SYSTEM.to_string(), PREFLIGHT_DATA.to_string());
    let time = format!("={modified}");
    let core = format!("/{}", core_path());
    let catalogue = format!("/{GRUB_FOLDER}/boot.cat");
    #[rustfmt::skip]
    let words = [
        "-no_rc", "-as", "mkisofs", "-o", "image", "-V", VOLUME, "-r",
        "--set_all_file_dates", &time, "--gpt_disk_guid", disk,
        "-partition_offset", "16", "-no-pad", "--grub2-mbr", "boot-code",
        "-append_partition", "2", &efi, "efi",
        "-append_partition", "3", &data, "data", "-appended_part_as_gpt",
        "-c", &catalogue,
        "-b", &core, "-no-emul-boot", "-boot-load-size", "4", "-boot-info-table", "--grub2-boot-info",
        "-eltorito-alt-boot", "-e", "--interval:appended_partition_2:all::", "-no-emul-boot",
        "tree",
    ];
    words.map(str::to_owned).into()
}
