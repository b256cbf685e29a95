use std::collections::BTreeMap;

use serde::Deserialize;

use super::{FileSeen, MANIFEST};
use crate::licenses::Package;

/// More differences than these tell nothing new.
const DIFFERENCES: usize = 20;

/// What an image of ours says about itself, see [`crate::image::manifest`].
#[derive(Default)]
pub(super) struct Manifest {
    modules: BTreeMap<String, String>,
    pub(super) files: BTreeMap<String, FileLine>,
    /// Debian packages, by name; none in images that were built before they were told.
    pub(super) packages: BTreeMap<String, Package>,
}

#[derive(Deserialize)]
struct Document {
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

impl Manifest {
    /// None where the bytes are no manifest.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let document: Document = serde_json::from_slice(bytes).ok()?;
        let modules = document.modules.into_iter();
        let files = document.files.into_iter();
        Some(Self {
            packages: document.packages,
            modules: modules.map(|line| (line.name, line.because)).collect(),
            files: files
                .map(|line| (line.path.trim_start_matches('/').to_owned(), line))
                .collect(),
        })
    }

    /// Why a module is there.
    pub(super) fn module(&self, name: &str) -> Option<&str> {
        self.modules.get(name).map(String::as_str)
    }

    /// What a file is for.
    pub(super) fn reason(&self, path: &str) -> Option<&str> {
        match path {
            // It does not list itself.
            MANIFEST if !self.files.is_empty() => Some("manifest"),
            _ => self.files.get(path).map(|line| line.reason.as_str()),
        }
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
                Some(file) if u64::from(file.bytes) != line.bytes => Some(format!(
                    "/{path} has {} bytes; the manifest says {}",
                    file.bytes, line.bytes
                )),
                Some(file) if line.sha256.is_some() && file.sha256 != line.sha256 => Some(format!(
                    "/{path} has another content than the manifest says"
                )),
                Some(_) => None,
            });
        let added = files.keys().filter(|path| {
            path.as_str() != MANIFEST && !super::is_early(path) && !self.files.contains_key(*path)
        });
        let added = added.map(|path| format!("/{path} is in the image and not in the manifest"));
        listed.chain(added).take(DIFFERENCES).collect()
    }
}
