//! An initramfs, whoever made it.

mod purpose;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

pub use archives::{Compression, Segment};
use archives::{Entry, walk};
pub use purpose::Maker;

use super::budget::{Budget, LARGEST_FILE, Modules};
use super::manifest::{FileSeen, Manifest};
use crate::digest::sha256;
use crate::modules::{ModInfo, ModuleName};
use crate::package;

/// Where our images say what is in them.
pub(super) const MANIFEST: &str = "usr/share/preflight/manifest.json";
pub(super) const LICENSES: &str = "usr/share/preflight/licenses/";

const FILE_TYPE: u32 = 0o170_000;
const LINK: u32 = 0o120_000;

/// What is in an initramfs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Initramfs {
    /// What made it; none where that is not known.
    pub maker: Option<Maker>,
    /// Its segments, in their order.
    pub segments: Vec<Segment>,
    /// The kernels that it has modules for.
    pub releases: Vec<ReleaseSeen>,
    /// What its bytes are for, most first.
    pub sizes: Vec<Totals>,
    /// Its modules, by name.
    pub modules: Vec<ModuleSeen>,
    /// Names of the programs that can be called, links among them.
    pub programs: BTreeSet<String>,
    /// Debian packages whose copyright files it carries.
    pub license_texts: BTreeSet<String>,
    /// How many modules have which licence.
    pub module_licenses: BTreeMap<String, usize>,
    /// Files for the kernel alone, in front of what becomes the root folder: microcode and ACPI tables.
    pub early: Vec<ArchiveFile>,
    /// What does not agree with its manifest.
    pub differences: Vec<String>,
    /// Why it could not be read to its end; none where it was.
    pub broken: Option<String>,
}

/// A kernel that an initramfs has modules for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReleaseSeen {
    /// As `uname -r` has it.
    pub release: String,
    /// How many modules.
    pub modules: usize,
    /// Bytes of the files.
    pub bytes: u64,
}

/// Bytes with one purpose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// What for.
    pub purpose: String,
    /// Number of files.
    pub files: usize,
    /// Their bytes, unpacked.
    pub bytes: u64,
}

/// A kernel module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ModuleSeen {
    /// With underscores.
    pub name: String,
    /// In the folder of its release: `kernel/drivers/ata/ahci.ko`.
    pub path: String,
    /// The kernel that it is for.
    pub release: String,
    /// Bytes of the file.
    pub bytes: u32,
    /// As MODULE_LICENSE has it; none where it says none or could not be read.
    pub license: Option<String>,
    /// Why it is there, where a manifest says so.
    pub because: Option<String>,
}

/// A file in an archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ArchiveFile {
    /// From the root, without a slash in front.
    pub path: String,
    /// Bytes.
    pub bytes: u32,
}

impl Initramfs {
    /// Reads an initramfs as far as it and the budget go; none where not one entry could be read.
    pub(super) fn parse(bytes: &[u8], budget: &mut Budget) -> Option<Self> {
        let mut collected = Collected::default();
        let Budget { unpacking, modules } = budget;
        let walked = walk(bytes, unpacking, &is_read, &mut |entry, bytes| {
            collected.take(entry, bytes, modules);
        });
        let segments = walked.segments;
        let entries: usize = segments.iter().map(|segment| segment.entries).sum();
        (entries > 0).then(|| Self {
            segments,
            broken: walked.broken,
            ..collected.into_initramfs()
        })
    }
}

/// Whether Linux would unpack what these bytes begin with; zeros may stand before it (init/initramfs.c,
/// unpack_to_rootfs).
pub(crate) fn begins_as_initramfs(bytes: &[u8]) -> bool {
    let first = bytes.iter().position(|byte| *byte != 0);
    let rest = first.and_then(|first| bytes.get(first..));
    rest.and_then(Compression::of).is_some()
}

/// What entries leave behind. Of two files with one path the later one holds, as in the kernel.
#[derive(Default)]
struct Collected {
    files: BTreeMap<String, FileSeen>,
    modules: BTreeMap<String, ModuleSeen>,
    programs: BTreeSet<String>,
    maker: Option<Maker>,
    manifest: Option<Manifest>,
}

pub(super) fn is_read(entry: &Entry) -> bool {
    entry.is_file() && entry.size <= LARGEST_FILE
}

impl Collected {
    fn take(&mut self, entry: Entry, bytes: Vec<u8>, modules: &mut Modules) {
        let is_file = entry.is_file();
        let Entry {
            name: path,
            mode,
            size,
            ..
        } = entry;
        if let Some((folder, program)) = path.rsplit_once('/')
            && purpose::is_program_folder(folder)
            && (mode & FILE_TYPE == LINK || is_file && mode & 0o111 != 0)
        {
            self.programs.insert(program.to_owned());
        }
        if !is_file {
            return;
        }
        if let Some(maker) = Maker::of(&path) {
            self.maker.get_or_insert(maker);
        }
        if path == MANIFEST {
            self.manifest = Manifest::parse(&bytes, MANIFEST);
        }
        let file = FileSeen {
            bytes: size.into(),
            sha256: (size <= LARGEST_FILE).then(|| sha256(&bytes)),
        };
        if let Some(module) = module(&path, size, bytes, modules) {
            self.modules.insert(path.clone(), module);
        }
        self.files.insert(path, file);
    }
}

impl Collected {
    fn into_initramfs(self) -> Initramfs {
        let manifest = self.manifest.unwrap_or_default();
        let mut modules: Vec<_> = self.modules.into_values().collect();
        for module in &mut modules {
            module.because = manifest.module(&module.name).map(str::to_owned);
        }
        modules.sort_by(|one, other| (&one.name, &one.release).cmp(&(&other.name, &other.release)));
        let mut module_licenses = BTreeMap::new();
        for module in &modules {
            let license = module.license.as_deref().unwrap_or("unknown");
            *module_licenses.entry(license.to_owned()).or_default() += 1;
        }
        let early = self.files.iter().filter(|(path, _)| is_early(path));
        let texts = self
            .files
            .keys()
            .filter_map(|path| path.strip_prefix(LICENSES));
        Initramfs {
            maker: self.maker,
            releases: releases(&modules),
            sizes: sizes(&self.files, &manifest),
            programs: self.programs,
            license_texts: texts.map(str::to_owned).collect(),
            module_licenses,
            early: early
                .map(|(path, file)| ArchiveFile {
                    path: path.clone(),
                    bytes: u32::try_from(file.bytes).unwrap_or(u32::MAX),
                })
                .collect(),
            differences: manifest.differences(&self.files),
            modules,
            ..Initramfs::default()
        }
    }
}

fn is_early(path: &str) -> bool {
    path.starts_with("kernel/x86/microcode/") || path.starts_with("kernel/firmware/acpi/")
}

/// The module in a file, whose path is like `usr/lib/modules/6.8.12/kernel/drivers/vfio/vfio.ko.zst`.
fn module(path: &str, size: u32, stored: Vec<u8>, modules: &mut Modules) -> Option<ModuleSeen> {
    let name = ModuleName::from_path(path)?;
    let below = path.strip_prefix("usr/").unwrap_or(path);
    let (release, inside) = below.strip_prefix("lib/modules/")?.split_once('/')?;
    let plain = modules.unpack(package::Compression::of(path), stored);
    let info = plain.and_then(|plain| ModInfo::parse(&plain).ok());
    Some(ModuleSeen {
        name: name.to_string(),
        path: inside.to_owned(),
        release: release.to_owned(),
        bytes: size,
        license: info.and_then(|info| info.license),
        because: None,
    })
}

fn releases(modules: &[ModuleSeen]) -> Vec<ReleaseSeen> {
    let mut sums: BTreeMap<&str, (usize, u64)> = BTreeMap::new();
    for module in modules {
        let sum = sums.entry(&module.release).or_default();
        *sum = (sum.0 + 1, sum.1 + u64::from(module.bytes));
    }
    let releases = sums.into_iter();
    releases
        .map(|(release, (modules, bytes))| ReleaseSeen {
            release: release.to_owned(),
            modules,
            bytes,
        })
        .collect()
}

fn sizes(files: &BTreeMap<String, FileSeen>, manifest: &Manifest) -> Vec<Totals> {
    let mut sums: BTreeMap<&str, (usize, u64)> = BTreeMap::new();
    for (path, file) in files {
        let purpose = manifest
            .reason(path)
            .unwrap_or_else(|| purpose::purpose(path));
        let sum = sums.entry(purpose).or_default();
        *sum = (sum.0 + 1, sum.1 + file.bytes);
    }
    let sums = sums.into_iter();
    let mut sizes: Vec<_> = sums
        .map(|(purpose, (files, bytes))| Totals {
            purpose: purpose.to_owned(),
            files,
            bytes,
        })
        .collect();
    sizes.sort_by_key(|total| std::cmp::Reverse(total.bytes));
    sizes
}
