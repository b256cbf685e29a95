//! Programs for UEFI: boot loaders, and unified kernel images, which are a kernel with all that it starts with (the
//! specification of the UAPI group).

use goblin::pe::PE;
use goblin::pe::section_table::SectionTable;
use serde::Serialize;

use super::budget::Budget;
use super::manifest::Manifest;
use super::stored::{LARGEST_MANIFEST, Layout, MediumFiles};
use super::{Initramfs, begins_as_initramfs};
use crate::digest::sha256;
use crate::kernel_image::{self, KernelImage};
use crate::uki;

/// A program has a dozen.
const MOST_SECTIONS: usize = 96;
/// Texts are shorter.
const LONGEST_TEXT: usize = 64 << 10;

/// Of one that [`uki`] has built.
const UNIFIED: Layout = Layout {
    what: "uki",
    manifest: uki::MANIFEST,
    initramfs: uki::INITRAMFS,
};

/// A program that UEFI firmware starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EfiProgram {
    /// As [`KernelImage::signed_by`].
    pub signed_by: Option<Vec<String>>,
    /// Its parts, in their order.
    pub sections: Vec<PeSection>,
    /// What can be revoked of it: component and generation, such as `shim,4` (SBAT.md of shim).
    pub sbat: Vec<String>,
    /// What it starts, where it is a unified kernel image.
    pub unified: Option<Box<UnifiedKernel>>,
}

/// A part of a program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PeSection {
    /// Such as `.linux`.
    pub name: String,
    /// First byte in the file.
    pub start: u64,
    /// Bytes.
    pub bytes: u64,
    /// The Debian package that it is from, with its version, where the program says so and it is what is meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub package: Option<String>,
}

/// What a unified kernel image starts, by its sections.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnifiedKernel {
    /// `.osrel`: the system's name for people.
    pub system: Option<String>,
    /// `.uname`: the kernel's release.
    pub release: Option<String>,
    /// `.cmdline`: the kernel's command line.
    pub command_line: Option<String>,
    /// `.linux`; none where that is no kernel for a PC.
    pub kernel: Option<KernelImage>,
    /// `.initrd`; none where there is none, or one that is not an initramfs.
    pub initramfs: Option<Initramfs>,
}

/// What a program is; none where the bytes are none for UEFI.
pub(super) fn read(bytes: &[u8], budget: &mut Budget) -> Option<EfiProgram> {
    let signed_by = kernel_image::efi_program(bytes)?;
    let pe = PE::parse(bytes).ok()?;
    let sections = sections(&pe);
    let content = |wanted: &str| content(bytes, &pe, wanted);
    let text = |name: &str| {
        let bytes = content(name).filter(|bytes| bytes.len() <= LONGEST_TEXT)?;
        let text = String::from_utf8_lossy(bytes);
        let text = text.trim_matches(['\0', '\n', ' ']).to_owned();
        (!text.is_empty()).then_some(text)
    };
    let unified = content(".linux").map(|linux| {
        Box::new(UnifiedKernel {
            system: text(".osrel").and_then(|text| pretty_name(&text)),
            release: text(".uname"),
            command_line: text(".cmdline"),
            kernel: KernelImage::parse(linux),
            initramfs: content(".initrd").and_then(|bytes| Initramfs::parse(bytes, budget)),
        })
    });
    let packages = packages(bytes, &sections);
    let sbat = text(".sbat").unwrap_or_default();
    Some(EfiProgram {
        signed_by,
        sbat: sbat.lines().filter_map(generation).collect(),
        sections: sections
            .iter()
            .zip(packages)
            .map(|((name, section), package)| PeSection {
                name: name.clone(),
                start: section.pointer_to_raw_data.into(),
                bytes: length(section).into(),
                package,
            })
            .collect(),
        unified,
    })
}

/// The sections of a unified kernel image that its builder has put behind the stub's own, beginning with its manifest;
/// none of any other file. Of several of one name the first has it alone.
pub(super) fn files(bytes: &[u8]) -> Option<MediumFiles<'_>> {
    kernel_image::efi_program(bytes)?;
    let pe = PE::parse(bytes).ok()?;
    let sections = sections(&pe);
    let first = sections
        .iter()
        .position(|(name, _)| name == uki::MANIFEST)?;
    let (mut files, mut contents) = (Vec::new(), Vec::new());
    for (number, (name, section)) in sections.iter().enumerate().skip(first) {
        let is_first = !sections.iter().take(number).any(|(other, _)| other == name);
        let path = match is_first {
            true => name.clone(),
            false => format!("{name} ({number})"),
        };
        files.push((path, u64::from(length(section))));
        contents.push(slice(bytes, section));
    }
    Some(MediumFiles {
        layout: UNIFIED,
        files,
        read: Box::new(move |number| Some((*contents.get(number)?)?.to_vec())),
    })
}

/// For each section the package that it is from, by the manifest among them.
fn packages(bytes: &[u8], sections: &[(String, &SectionTable)]) -> Vec<Option<String>> {
    let of = |wanted: &str| sections.iter().position(|(name, _)| name == wanted);
    let content = |number: usize| slice(bytes, sections.get(number)?.1);
    let manifest = of(uki::MANIFEST).and_then(content);
    let manifest = manifest.filter(|section| section.len() as u64 <= LARGEST_MANIFEST);
    let manifest = manifest.and_then(|section| Manifest::parse(section, uki::MANIFEST));
    // Sections that claim each other's place could be of any length together.
    let mut left = bytes.len();
    let mut package = |number: usize, name: &str| {
        let manifest = manifest.as_ref()?;
        let is_meant = of(name) == Some(number);
        manifest
            .files
            .get(name)
            .filter(|line| is_meant && line.package.is_some())?;
        let content = content(number)?;
        left = left.checked_sub(content.len())?;
        manifest.package_label(name, Some(&sha256(content)))
    };
    let numbered = sections.iter().enumerate();
    numbered
        .map(|(number, (name, _))| package(number, name))
        .collect()
}

/// Whether a file is a program for UEFI with a kernel and what begins as an initramfs in it.
pub(crate) fn is_unified(bytes: &[u8]) -> bool {
    let pe = kernel_image::efi_program(bytes).and_then(|_| PE::parse(bytes).ok());
    pe.is_some_and(|pe| {
        let linux = content(bytes, &pe, ".linux").and_then(KernelImage::parse);
        let initrd = content(bytes, &pe, ".initrd").is_some_and(begins_as_initramfs);
        linux.is_some() && initrd
    })
}

fn sections<'a>(pe: &'a PE) -> Vec<(String, &'a SectionTable)> {
    let sections = pe.sections.iter().take(MOST_SECTIONS);
    sections
        .map(|section| (section.name().unwrap_or("?").to_owned(), section))
        .collect()
}

fn content<'a>(bytes: &'a [u8], pe: &PE, wanted: &str) -> Option<&'a [u8]> {
    let mut sections = pe.sections.iter().take(MOST_SECTIONS);
    let section = sections.find(|section| section.name().is_ok_and(|name| name == wanted))?;
    slice(bytes, section)
}

fn slice<'a>(bytes: &'a [u8], section: &SectionTable) -> Option<&'a [u8]> {
    let start = section.pointer_to_raw_data as usize;
    bytes.get(start..)?.get(..length(section) as usize)
}

/// The file has it filled up, memory has not.
fn length(section: &SectionTable) -> u32 {
    match section.virtual_size {
        0 => section.size_of_raw_data,
        length => length.min(section.size_of_raw_data),
    }
}

/// Of os-release(5).
fn pretty_name(text: &str) -> Option<String> {
    let value = |key: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
    };
    let name = value("PRETTY_NAME").or_else(|| value("NAME"))?;
    Some(name.trim_matches(['"', '\'']).to_owned())
}

/// The first two fields of a line.
fn generation(line: &str) -> Option<String> {
    let mut fields = line.split(',');
    let (component, number) = (fields.next()?, fields.next()?);
    let is_number = !number.is_empty() && number.chars().all(|c| c.is_ascii_digit());
    let is_plain = !component.is_empty() && !component.contains(char::is_control);
    (is_number && is_plain).then(|| format!("{component},{number}"))
}
