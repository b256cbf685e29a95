use std::collections::BTreeMap;

use archives::{Unpacking, walk};
use serde::Deserialize;

use super::initramfs::MANIFEST;
use crate::digest::sha256;
use crate::image::{KernelLine, Origins};
use crate::licenses::Package;

/// What a file is held against a manifest by.
pub(super) struct FileSeen {
    pub(super) bytes: u64,
    /// None where it could not be read, or is too large to be.
    pub(super) sha256: Option<String>,
}

/// What makers and tools may add, by how paths begin: microcode and ACPI tables in front of an initramfs, and the
/// boot catalogue of a CD.
const MADE_LATER: [&str; 3] = [
    "kernel/x86/microcode/",
    "kernel/firmware/acpi/",
    "boot/grub/boot.cat",
];
/// More differences than these tell nothing new.
const DIFFERENCES: usize = 20;

/// What an image of ours says about itself: an initramfs ([`crate::image::manifest`]), or a medium, a unified kernel
/// image or a folder for network boot ([`crate::medium::MANIFEST`]).
#[derive(Default)]
pub(super) struct Manifest {
    /// Its own path: it does not list itself.
    own: &'static str,
    pub(super) kernel_image: Option<KernelLine>,
    modules: BTreeMap<String, String>,
    pub(super) files: BTreeMap<String, FileLine>,
    /// Debian packages, by name.
    pub(super) packages: BTreeMap<String, Package>,
    /// Images that were built before packages were told do not name their builder either.
    has_packages: bool,
}

#[derive(Deserialize)]
struct Document {
    builder: Option<String>,
    kernel_image: Option<KernelLine>,
    #[serde(default)]
    modules: Vec<ModuleLine>,
    #[serde(default)]
    packages: BTreeMap<String, Package>,
    files: Vec<FileLine>,
}

#[derive(Deserialize)]
struct ModuleLine {
    name: String,
    because: String,
}

#[derive(Deserialize)]
pub(super) struct FileLine {
    path: String,
    bytes: u64,
    sha256: Option<String>,
    reason: String,
    pub(super) package: Option<String>,
    pub(super) license: Option<String>,
}

impl FileLine {
    /// Whether it is this file that it speaks of.
    pub(super) fn is(&self, seen: &FileSeen) -> bool {
        self.bytes == seen.bytes && (self.sha256.is_none() || self.sha256 == seen.sha256)
    }
}

impl Manifest {
    /// None where the bytes are no manifest.
    pub(super) fn parse(bytes: &[u8], own: &'static str) -> Option<Self> {
        let document: Document = serde_json::from_slice(bytes).ok()?;
        let modules = document.modules.into_iter();
        let files = document.files.into_iter();
        Some(Self {
            own,
            kernel_image: document.kernel_image,
            has_packages: document.builder.is_some() || !document.packages.is_empty(),
            packages: document.packages,
            modules: modules.map(|line| (line.name, line.because)).collect(),
            files: files
                .map(|line| (line.path.trim_start_matches('/').to_owned(), line))
                .collect(),
        })
    }

    /// Whether it says of packages at all.
    pub(super) fn has_packages(&self) -> bool {
        self.has_packages
    }

    /// Name and version of the package that a file is from, when it is the file that is meant.
    pub(super) fn package_label(&self, path: &str, sha256: Option<&str>) -> Option<String> {
        let line = self.files.get(path)?;
        let name = line
            .package
            .as_deref()
            .filter(|_| line.sha256.as_deref() == sha256)?;
        let source = self.packages.get(name)?.source.as_deref();
        let version = source.and_then(|source| source.split_once(' '));
        Some(match version {
            Some((_, version)) => format!("{name} {version}"),
            None => name.to_owned(),
        })
    }

    /// Why a module is there.
    pub(super) fn module(&self, name: &str) -> Option<&str> {
        self.modules.get(name).map(String::as_str)
    }

    /// What a file is for.
    pub(super) fn reason(&self, path: &str) -> Option<&str> {
        match path {
            own if own == self.own && !self.files.is_empty() => Some("manifest"),
            _ => self.files.get(path).map(|line| line.reason.as_str()),
        }
    }

    /// Whether a file may be there that is not listed: the manifest itself, and what is made later.
    pub(super) fn may_add(&self, path: &str) -> bool {
        path == self.own || MADE_LATER.iter().any(|start| path.starts_with(start))
    }

    /// Files that are missing, added or of another size; none where there is no manifest.
    pub(super) fn differences(&self, files: &BTreeMap<String, FileSeen>) -> Vec<String> {
        if self.files.is_empty() {
            return Vec::new();
        }
        let listed = self
            .files
            .iter()
            .filter_map(|(path, line)| match files.get(path) {
                None => Some(format!("/{path} is in the manifest and not in the image")),
                Some(file) if file.bytes != line.bytes => Some(format!(
                    "/{path} has {} bytes; the manifest says {}",
                    file.bytes, line.bytes
                )),
                Some(file) if line.sha256.is_some() && file.sha256 != line.sha256 => Some(format!(
                    "/{path} has another content than the manifest says"
                )),
                Some(_) => None,
            });
        let added = files
            .keys()
            .filter(|path| !self.may_add(path) && !self.files.contains_key(*path));
        let added = added.map(|path| format!("/{path} is in the image and not in the manifest"));
        listed.chain(added).take(DIFFERENCES).collect()
    }
}

/// Adds the package that a kernel at `path` is from, where the initramfs beside it says it of the kernel that it was
/// built for.
pub(crate) fn tell_kernel(origins: &mut Origins, path: &str, kernel: &[u8], initramfs: &[u8]) {
    if let Some((name, known)) = package_of_kernel(kernel, initramfs) {
        origins.package(&name, known);
        origins.file(path, &name);
    }
}

fn package_of_kernel(kernel: &[u8], initramfs: &[u8]) -> Option<(String, Package)> {
    let mut manifest = None;
    walk(
        initramfs,
        &mut Unpacking::default(),
        &|entry| entry.name == MANIFEST,
        &mut |entry, bytes| {
            if entry.name == MANIFEST {
                manifest = Manifest::parse(&bytes, MANIFEST);
            }
        },
    );
    let manifest = manifest?;
    let line = manifest
        .kernel_image
        .filter(|line| line.sha256 == sha256(kernel))?;
    let name = line.package?;
    let known = manifest.packages.get(&name)?.clone();
    Some((name, known))
}
