//! What reads foreign bytes, each behind one function that takes any bytes and panics when a promise is
//! broken. libFuzzer looks for such bytes (`make fuzz`); the tests replay those that were found or made.

mod archive;
mod installed;
mod machine;
mod targets;

use std::path::{Path, PathBuf};

pub use targets::TARGETS;

/// Something that reads foreign bytes.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name, which its corpus folder has, too.
    pub name: &'static str,
    /// The longest input that is worth trying, in bytes.
    pub longest: usize,
    /// Folders of real data in `shared/fixtures` beside the checkout: more to start from, where they are.
    pub fixtures: &'static [&'static str],
    /// Takes any bytes. Panics when a promise is broken.
    pub run: fn(&[u8]),
}

impl Target {
    /// The target of this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        TARGETS.iter().find(|target| target.name == name)
    }

    /// Folder of the inputs that are kept with the code.
    pub fn corpus(&self) -> PathBuf {
        corpora().join(self.name)
    }

    /// Folders of real data that are there.
    pub fn fixture_folders(&self) -> Vec<PathBuf> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/fixtures");
        let folders = self.fixtures.iter().map(|folder| root.join(folder));
        folders.filter(|folder| folder.is_dir()).collect()
    }
}

/// The folder with a corpus for each target.
pub fn corpora() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")
}
