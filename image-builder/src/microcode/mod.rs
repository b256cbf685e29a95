//! Processor microcode, for the kernel to load before anything else (its Documentation/arch/x86/microcode.rst).
//! An image carries none unless a person gives it: its licence allows to pass it on, and no source comes with it.

mod blob;
#[cfg(test)]
pub(crate) mod testing;

use std::path::{Path, PathBuf};

use archives::{Unpacking, walk};
pub use blob::{Blob, NotMicrocode, Vendor};

use crate::io::{IoError, read};
use crate::package::{PackageError, Tree};

/// Where packages and systems have it.
const FIRMWARE: [&str; 2] = ["lib/firmware", "usr/lib/firmware"];
const INTEL: &str = "intel-ucode";
const AMD: &str = "amd-ucode";

/// What a person gives microcode in, read.
pub struct Microcode {
    /// One for each vendor.
    pub blobs: Vec<Blob>,
    /// The package that it is from, when it is from one.
    pub package: Option<(String, Tree)>,
}

/// No microcode can be had from what was given.
#[derive(Debug, thiserror::Error)]
pub enum MicrocodeError {
    /// The file system said no.
    #[error(transparent)]
    Io(#[from] IoError),
    /// It is no package that can be read.
    #[error(transparent)]
    Package(#[from] PackageError),
    /// A file in it is none.
    #[error("{} is no microcode for x86 processors: {source}", path.display())]
    Not {
        /// The file, in a package too.
        path: PathBuf,
        /// Why.
        source: NotMicrocode,
    },
    /// Nothing in it is any.
    #[error(
        "{} has no microcode for x86 processors (looked for {places}). Give the Debian package intel-microcode or \
         amd64-microcode, an initramfs with microcode in front, or a .bin file",
        path.display()
    )]
    Nothing {
        /// The package, folder or archive.
        path: PathBuf,
        /// Where it should be.
        places: String,
    },
}

impl Microcode {
    /// Reads a .deb file, a folder with `lib/firmware`, an archive with `kernel/x86/microcode` as initramfs makers
    /// write it, or the vendor's updates as they are.
    pub fn open(path: &Path) -> Result<Self, MicrocodeError> {
        if path.is_dir() || path.extension().is_some_and(|end| end == "deb") {
            return Self::of_tree(path);
        }
        let bytes = read(path)?;
        let blobs = match bytes.starts_with(b"0707") {
            true => of_archive(path, &bytes)?,
            false => vec![blob(path.to_owned(), bytes)?],
        };
        Ok(Self {
            blobs,
            package: None,
        })
    }

    fn of_tree(path: &Path) -> Result<Self, MicrocodeError> {
        let tree = Tree::open(path)?;
        let mut blobs = Vec::new();
        let mut package = None;
        for (folder, is_update) in [(INTEL, is_intel as fn(&str) -> bool), (AMD, is_amd)] {
            let mut all = Vec::new();
            for place in FIRMWARE.map(|firmware| format!("{firmware}/{folder}")) {
                for file in tree.files_below(&place)? {
                    let name = file.rsplit('/').next().unwrap_or_default();
                    if !is_update(name) {
                        continue;
                    }
                    // One by one first, so that an error names the file.
                    all.extend(blob(path.join(&file), tree.read_plain(&file)?)?.content);
                    package = package.or_else(|| tree.package_of(&file, "microcode"));
                }
                // A merged /usr has one as a link to the other.
                if !all.is_empty() {
                    blobs.push(blob(path.join(place), std::mem::take(&mut all))?);
                    break;
                }
            }
        }
        if blobs.is_empty() {
            let places = [INTEL, AMD].map(|folder| format!("lib/firmware/{folder}"));
            return Err(MicrocodeError::Nothing {
                path: path.to_owned(),
                places: places.join(", "),
            });
        }
        let is_system = tree.is_system();
        Ok(Self {
            blobs,
            package: package.filter(|_| !is_system).map(|name| (name, tree)),
        })
    }
}

/// `06-9e-0a` after family, model and stepping, and what Debian keeps for the initramfs alone.
fn is_intel(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default();
    let parts: Vec<&str> = stem.split('-').collect();
    let is_number = |part: &&str| part.len() == 2 && part.chars().all(|c| c.is_ascii_hexdigit());
    parts.len() == 3 && parts.iter().all(is_number)
}

fn is_amd(name: &str) -> bool {
    let name = name.trim_end_matches(".xz").trim_end_matches(".zst");
    name.starts_with("microcode_amd") && name.ends_with(".bin")
}

fn of_archive(path: &Path, bytes: &[u8]) -> Result<Vec<Blob>, MicrocodeError> {
    let vendors = [Vendor::Intel, Vendor::Amd];
    let of = |name: &str| vendors.into_iter().find(|vendor| vendor.path() == name);
    let mut found = Vec::new();
    walk(
        bytes,
        &mut Unpacking::default(),
        &|entry| of(&entry.name).is_some(),
        &mut |entry, content| {
            if entry.is_file() && of(&entry.name).is_some() {
                found.push((entry.name, content));
            }
        },
    );
    if found.is_empty() {
        return Err(MicrocodeError::Nothing {
            path: path.to_owned(),
            places: vendors.map(Vendor::path).join(", "),
        });
    }
    let blobs = found
        .into_iter()
        .map(|(name, content)| blob(path.join(name), content));
    blobs.collect()
}

fn blob(path: PathBuf, bytes: Vec<u8>) -> Result<Blob, MicrocodeError> {
    Blob::parse(bytes).map_err(|source| MicrocodeError::Not { path, source })
}
