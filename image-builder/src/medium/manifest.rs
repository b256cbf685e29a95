use std::collections::BTreeMap;

use serde::Serialize;

use super::MediumError;
use crate::boot_menu::{GRUB_FOLDER, INITRAMFS, INITRAMFS_FILE, KERNEL, KERNEL_FILE, SCRIPT_FILE};
use crate::digest::sha256;
use crate::fat::NewFile;
use crate::image::{BUILDER, FileLine, Origins};
use crate::licenses::Package;

/// Where a medium, or a folder for network boot, says what is on it.
pub const MANIFEST: &str = "licenses/manifest.json";

/// Where a medium has the copyright file of a package.
pub(crate) fn license_path(package: &str) -> String {
    format!("licenses/{package}.txt")
}

/// What the files of a medium, or the sections of a unified kernel image, are for, by how their paths begin.
const REASONS: [(&str, &str); 12] = [
    ("EFI/", "boot loaders for UEFI"),
    (GRUB_FOLDER, "boot menu"),
    (KERNEL, "kernel"),
    (INITRAMFS, INITRAMFS_REASON),
    ("licenses/", "licences"),
    (KERNEL_FILE, "kernel"),
    (INITRAMFS_FILE, INITRAMFS_REASON),
    (SCRIPT_FILE, "boot menu"),
    (".linux", "kernel"),
    (".initrd", INITRAMFS_REASON),
    (".", "what the boot loader in front is told"),
    ("", "marks for boot loaders"),
];

const INITRAMFS_REASON: &str = "initramfs: its own manifest is in it";

#[derive(Serialize)]
struct Manifest<'a> {
    schema: &'static str,
    builder: &'static str,
    packages: &'a BTreeMap<String, Package>,
    files: Vec<FileLine<'a>>,
    #[serde(skip_serializing_if = "<[Outside]>::is_empty")]
    outside: &'a [Outside],
}

/// What is carried and in no file.
#[derive(Serialize)]
pub(crate) struct Outside {
    pub(crate) place: &'static str,
    pub(crate) package: &'static str,
}

/// On a medium that BIOSes start.
pub(crate) const BOOT_CODE: Outside = Outside {
    place: "boot code for BIOS: the first sector, and GRUB's core where it is in no file",
    package: crate::grub::BIOS_PACKAGE,
};

/// A document of these files: what each is for, and the package and licence that it is from. A tool still changes
/// those in `patched`, so that their digests say nothing.
pub(crate) fn manifest(
    files: &[NewFile],
    origins: &Origins,
    patched: &[String],
    outside: &[Outside],
) -> Result<NewFile, MediumError> {
    let lines = files.iter().map(|file| FileLine {
        path: file.path.clone(),
        bytes: file.content.len(),
        sha256: (!patched.contains(&file.path)).then(|| sha256(&file.content)),
        reason: reason(&file.path),
        package: origins.package_of(&file.path),
        license: origins.license_of(&file.path),
    });
    let manifest = Manifest {
        schema: "preflight.medium/1",
        builder: BUILDER,
        packages: origins.packages(),
        files: lines.collect(),
        outside,
    };
    let mut text = serde_json::to_vec_pretty(&manifest).map_err(MediumError::Manifest)?;
    text.push(b'\n');
    Ok(NewFile::new(MANIFEST, text))
}

fn reason(path: &str) -> &'static str {
    let found = REASONS.iter().find(|(start, _)| path.starts_with(start));
    found.map_or("", |(_, reason)| reason)
}
