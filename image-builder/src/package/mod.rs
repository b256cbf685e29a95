//! Reads files out of a Debian package or an unpacked folder, without installing anything.

mod compression;
mod deb;
mod folder;
mod program;
mod stored;

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

pub use compression::Compression;
use deb::Deb;
use folder::Folder;
pub use program::program;
pub(crate) use stored::Stored;

use crate::io::{IoError, list};
use crate::licenses::DOCUMENTS;

/// A tree of files with paths relative to its root, such as `boot/vmlinuz-6.1.0-13-amd64`.
pub struct Tree {
    origin: PathBuf,
    kind: Kind,
}

enum Kind {
    /// Several make one tree: newer kernels are split.
    Debs(Vec<Deb>),
    Folder(Folder),
}

/// A package or folder could not be read.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    /// The file system said no.
    #[error(transparent)]
    Io(#[from] IoError),
    /// The file is damaged or no Debian package.
    #[error("{} is not a readable Debian package", path.display())]
    NotADeb {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: io::Error,
    },
    /// A file that should be in the tree is not.
    #[error("{} has no {file}", origin.display())]
    Missing {
        /// The package or folder.
        origin: PathBuf,
        /// The path in it.
        file: String,
    },
    /// A compressed file in the tree cannot be decompressed.
    #[error("cannot decompress {file} of {}", origin.display())]
    Damaged {
        /// The package or folder.
        origin: PathBuf,
        /// The path in it.
        file: String,
        /// What is wrong with it.
        source: io::Error,
    },
}

impl Tree {
    /// Opens a .deb file, a folder of .deb files, or a folder that is the tree.
    pub fn open(path: &Path) -> Result<Self, PackageError> {
        let kind = if path.is_dir() {
            let debs = debs_in(path)?;
            if debs.is_empty() {
                Kind::Folder(Folder::new(path))
            } else {
                let debs = debs.iter().map(|path| Deb::open(path));
                Kind::Debs(debs.collect::<Result<_, _>>()?)
            }
        } else {
            Kind::Debs(vec![Deb::open(path)?])
        };
        Ok(Self {
            origin: path.to_owned(),
            kind,
        })
    }

    /// The package file or folder.
    pub fn origin(&self) -> &Path {
        &self.origin
    }

    /// All files below a folder of the tree, sorted; nothing when there is no such folder.
    pub fn files_below(&self, folder: &str) -> Result<Vec<String>, PackageError> {
        match &self.kind {
            Kind::Debs(debs) => {
                let files = debs.iter().flat_map(|deb| deb.files_below(folder));
                // One path in two packages cannot be installed either; the first one counts.
                Ok(files.collect::<BTreeSet<_>>().into_iter().collect())
            }
            Kind::Folder(root) => Ok(root.files_below(folder)?),
        }
    }

    /// A file's bytes as they are stored.
    pub fn read(&self, file: &str) -> Result<Vec<u8>, PackageError> {
        let content = match &self.kind {
            Kind::Debs(debs) => {
                let mut found = debs
                    .iter()
                    .map(|deb| deb.read(file))
                    .filter_map(Result::transpose);
                found.next().transpose()?
            }
            Kind::Folder(root) => root.read(file)?,
        };
        content.ok_or_else(|| PackageError::Missing {
            origin: self.origin.clone(),
            file: file.to_owned(),
        })
    }

    /// A file to be read in parts; none where there is no such file.
    pub(crate) fn stored(&self, file: &str) -> Result<Option<Stored<'_>>, PackageError> {
        match &self.kind {
            Kind::Debs(debs) => Ok(debs.iter().find_map(|deb| deb.stored(file))),
            Kind::Folder(root) => Ok(root.stored(file)?),
        }
    }

    /// Whether this is the root folder of an installed system and no package: what its files are from, its package
    /// manager knows (os-release(5) is in every system).
    pub fn is_system(&self) -> bool {
        let Kind::Folder(_) = self.kind else {
            return false;
        };
        let places = ["etc/os-release", "usr/lib/os-release"];
        places.iter().any(|place| self.origin.join(place).exists())
    }

    /// The names of the Debian packages whose copyright files are in it, sorted.
    pub fn packages(&self) -> Result<Vec<String>, PackageError> {
        let files = self.files_below(DOCUMENTS)?;
        Ok(files.iter().filter_map(|file| documented(file)).collect())
    }

    /// The Debian package that a file is from: the one that documents itself in the same .deb file, and of several
    /// or in a folder the one with `release` in its name.
    pub fn package_of(&self, file: &str, release: &str) -> Option<String> {
        let documents = match &self.kind {
            Kind::Debs(debs) => {
                let mut debs = debs.iter();
                debs.find(|deb| deb.has(file))?.files_below(DOCUMENTS)
            }
            Kind::Folder(root) => root.files_below(DOCUMENTS).ok()?,
        };
        let names: Vec<String> = documents
            .iter()
            .filter_map(|file| documented(file))
            .collect();
        match names.as_slice() {
            [only] => Some(only.clone()),
            several => several.iter().find(|name| name.contains(release)).cloned(),
        }
    }

    /// A file's bytes, decompressed when its name says that it is compressed.
    pub fn read_plain(&self, file: &str) -> Result<Vec<u8>, PackageError> {
        let stored = self.read(file)?;
        Compression::of(file)
            .decompress(stored)
            .map_err(|source| PackageError::Damaged {
                origin: self.origin.clone(),
                file: file.to_owned(),
                source,
            })
    }
}

/// The package whose copyright file this is.
fn documented(file: &str) -> Option<String> {
    let name = file.strip_prefix(DOCUMENTS)?.strip_prefix('/')?;
    let name = name.strip_suffix("/copyright")?;
    (!name.contains('/')).then(|| name.to_owned())
}

/// The Debian packages in a folder, sorted by name.
pub fn debs_in(folder: &Path) -> Result<Vec<PathBuf>, IoError> {
    let mut debs = list(folder)?;
    debs.retain(|path| path.extension().is_some_and(|extension| extension == "deb"));
    Ok(debs)
}
