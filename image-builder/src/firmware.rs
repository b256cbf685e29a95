//! Firmware that modules load into their devices. An image carries none unless a person gives it: most of it has no
//! source and licences of its own, and the files of one driver are larger than all others.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use serde::Serialize;
use tempfile::TempDir;

use crate::apt::{self, AptError};
use crate::elf::{Located, SystemRoot};
use crate::image::Image;
use crate::io::{self, Context, IoError};
use crate::modules::{Modules, alias_matches};
use crate::package::{Compression, PackageError, debs_in};

/// Where the kernel looks for it (its Documentation/driver-api/firmware/fw_search_path.rst).
pub const FOLDER: &str = "lib/firmware";

/// Where packages and systems have it.
const PLACES: [&str; 2] = ["/lib/firmware", "/usr/lib/firmware"];
/// How distributions compress it.
const ENDINGS: [&str; 3] = ["", ".xz", ".zst"];

/// Where firmware is taken from.
pub struct Firmware {
    root: SystemRoot,
    /// Keeps what was unpacked.
    _unpacked: Option<TempDir>,
}

/// Firmware that a carried module asks for and that is not in the image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Missing {
    /// The module.
    pub module: String,
    /// Paths below lib/firmware, or patterns of them.
    pub files: Vec<String>,
}

/// No firmware can be had from what was given.
#[derive(Debug, thiserror::Error)]
pub enum FirmwareError {
    /// The file system said no.
    #[error(transparent)]
    Io(#[from] IoError),
    /// Packages cannot be listed.
    #[error(transparent)]
    Package(#[from] PackageError),
    /// A package cannot be unpacked.
    #[error(transparent)]
    Unpack(#[from] AptError),
    /// It is something else.
    #[error(
        "{} has no lib/firmware: give --firmware a Debian package, a folder of packages, or a folder such as \
         /lib/firmware",
        path.display()
    )]
    NoFolder {
        /// What was given.
        path: PathBuf,
    },
    /// No carried module asks for any of it.
    #[error(
        "{} has none of the firmware that the carried modules ask for; without it the build says what they ask for. \
         --add-modules carries more modules",
        path.display()
    )]
    Nothing {
        /// What was given.
        path: PathBuf,
    },
}

impl Firmware {
    /// A .deb file, a folder of them, or a folder: `lib/firmware` itself, or what has it.
    pub fn open(path: &Path) -> Result<Self, FirmwareError> {
        let debs = match path.is_dir() {
            true => debs_in(path)?,
            false if path.extension() == Some(OsStr::new("deb")) => vec![path.to_owned()],
            false => Vec::new(),
        };
        let (root, unpacked) = if debs.is_empty() {
            (root_of(path)?, None)
        } else {
            let folder = tempfile::tempdir().at("make a folder in", &std::env::temp_dir())?;
            apt::unpack(&debs, folder.path())?;
            (folder.path().to_owned(), Some(folder))
        };
        let root = SystemRoot::new(&root);
        if !PLACES.iter().any(|place| root.outside(place).is_dir()) {
            let path = path.to_owned();
            return Err(FirmwareError::NoFolder { path });
        }
        Ok(Self {
            root,
            _unpacked: unpacked,
        })
    }

    /// The system or the packages that it is in.
    pub fn root(&self) -> &SystemRoot {
        &self.root
    }

    /// The files that a module asks for by a name or a pattern, by their paths below lib/firmware without a
    /// compression's ending.
    pub fn find(&self, wanted: &str) -> Result<BTreeMap<String, Located>, FirmwareError> {
        let mut found = BTreeMap::new();
        let names = match wanted.contains(['*', '?', '[']) {
            true => self.names(wanted)?,
            false => vec![wanted.to_owned()],
        };
        for name in names {
            if let Some(located) = self.locate(&name)? {
                found.insert(name, located);
            }
        }
        Ok(found)
    }

    /// The plain bytes: not every kernel unpacks firmware.
    pub fn read(&self, located: &Located) -> Result<Vec<u8>, IoError> {
        let stored = self.root.read(&located.path)?;
        let path = self.root.outside(&located.path);
        Compression::of(&located.path)
            .decompress(stored)
            .at("decompress", &path)
    }

    fn locate(&self, name: &str) -> Result<Option<Located>, IoError> {
        for place in PLACES {
            for ending in ENDINGS {
                let found = self.root.locate(&format!("{place}/{name}{ending}"))?;
                let is_file = |it: &Located| self.root.outside(&it.path).is_file();
                if let Some(located) = found.filter(is_file) {
                    return Ok(Some(located));
                }
            }
        }
        Ok(None)
    }

    /// Of the folder that the pattern names.
    fn names(&self, pattern: &str) -> Result<Vec<String>, IoError> {
        let folder = pattern.rsplit_once('/').map_or("", |(folder, _)| folder);
        let mut names = Vec::new();
        for place in PLACES {
            let Some(located) = self.root.locate(&format!("{place}/{folder}"))? else {
                continue;
            };
            for path in io::list(&self.root.outside(&located.path))? {
                let file = path.file_name().unwrap_or_default().to_string_lossy();
                let mut plain = file.as_ref();
                for ending in ENDINGS {
                    plain = plain.strip_suffix(ending).unwrap_or(plain);
                }
                let name = format!("{folder}/{plain}");
                names.push(name.trim_start_matches('/').to_owned());
            }
        }
        names.retain(|name| alias_matches(pattern, name));
        Ok(names)
    }
}

/// The root folder that a folder of firmware is in.
fn root_of(path: &Path) -> Result<PathBuf, IoError> {
    let path = std::path::absolute(path).at("find", path)?;
    let root = PLACES.iter().rev().find_map(|place| {
        let text = path.to_str()?.trim_end_matches('/');
        text.strip_suffix(place)
    });
    Ok(match root {
        Some("") => PathBuf::from("/"),
        Some(root) => PathBuf::from(root),
        None => path,
    })
}

/// What the carried modules ask for, by module. A name that leads out of the folder is none.
pub fn wanted(modules: &Modules) -> Vec<Missing> {
    let wanted = modules.iter().map(|(name, module)| Missing {
        module: name.to_string(),
        files: {
            let files = module.info.firmware.iter();
            let files =
                files.filter(|file| file.split('/').all(|part| !matches!(part, "" | ".." | ".")));
            files.cloned().collect()
        },
    });
    wanted.filter(|it| !it.files.is_empty()).collect()
}

/// What of it an image does not have.
pub fn missing(image: &Image, modules: &Modules) -> Vec<Missing> {
    let start = format!("{FOLDER}/");
    let carried = image
        .iter()
        .filter_map(|(path, _)| path.strip_prefix(&start));
    let carried: Vec<&str> = carried.collect();
    let mut missing = wanted(modules);
    for module in &mut missing {
        let has = |wanted: &String| carried.iter().any(|name| alias_matches(wanted, name));
        module.files.retain(|wanted| !has(wanted));
    }
    missing.retain(|module| !module.files.is_empty());
    missing
}
