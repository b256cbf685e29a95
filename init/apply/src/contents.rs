use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Cursor, Read};
use std::path::{Path, PathBuf};

use crate::change::ChangeSet;
use crate::digest::Digest;
use crate::error::ApplyError;
use crate::place::Places;

/// The bytes behind digests.
pub trait Contents {
    /// Opens the bytes with this digest. They are checked when they are read.
    fn open(&self, digest: &Digest) -> Result<Box<dyn Read + '_>, ApplyError>;
}

/// Bytes in memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory(BTreeMap<Digest, Vec<u8>>);

impl Memory {
    /// Adds bytes, and gives their digest.
    pub fn add(&mut self, bytes: Vec<u8>) -> Digest {
        let digest = Digest::of(&bytes);
        self.0.insert(digest, bytes);
        digest
    }
}

impl Contents for Memory {
    fn open(&self, digest: &Digest) -> Result<Box<dyn Read + '_>, ApplyError> {
        let bytes = self.0.get(digest);
        let bytes = bytes.ok_or(ApplyError::NoContent(*digest))?;
        Ok(Box::new(Cursor::new(bytes)))
    }
}

/// Copies in a folder of this machine's memory, each under its digest. They go with it.
#[derive(Debug)]
pub struct Kept {
    folder: PathBuf,
}

impl Kept {
    /// Copies what a change set writes from where a rehearsal has made it. The folder is made anew.
    pub fn copy(set: &ChangeSet, made: &Places, folder: &Path) -> Result<Self, ApplyError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |error: io::Error| ApplyError::Kept { path, error }
        };
        match fs::remove_dir_all(folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(failed(folder)(error));
            }
            _ => {}
        }
        fs::create_dir_all(folder).map_err(failed(folder))?;
        let kept = Self {
            folder: folder.to_owned(),
        };
        for file in set.files.iter().filter(|file| !file.is_same()) {
            let Some(after) = file.after else { continue };
            let path = kept.path(&after.digest);
            if path.exists() {
                continue;
            }
            let mut input = made.get(&file.place)?.root.file(&file.path)?;
            let mut output = File::create(&path).map_err(failed(&path))?;
            io::copy(&mut input, &mut output).map_err(failed(&path))?;
        }
        Ok(kept)
    }

    /// Keeps these bytes too.
    pub fn add(&self, bytes: &[u8]) -> Result<Digest, ApplyError> {
        let digest = Digest::of(bytes);
        let path = self.path(&digest);
        fs::write(&path, bytes).map_err(|error| ApplyError::Kept { path, error })?;
        Ok(digest)
    }

    fn path(&self, digest: &Digest) -> PathBuf {
        self.folder.join(digest.to_string())
    }
}

impl Contents for Kept {
    fn open(&self, digest: &Digest) -> Result<Box<dyn Read + '_>, ApplyError> {
        let file = File::open(self.path(digest)).map_err(|_| ApplyError::NoContent(*digest))?;
        Ok(Box::new(file))
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}
