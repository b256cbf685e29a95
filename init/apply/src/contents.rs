use std::collections::BTreeMap;
use std::io::{Cursor, Read};

use storage::Root;

use crate::digest::Digest;
use crate::error::ApplyError;

/// The bytes behind digests.
pub trait Contents {
    /// Opens the bytes with this digest. They are checked when they are read.
    fn open(&self, digest: &Digest) -> Result<Box<dyn Read + '_>, ApplyError>;
}

/// Bytes in memory.
#[derive(Clone, Debug, Default)]
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

/// Files of other roots, such as the overlays of a rehearsal.
#[derive(Clone, Debug, Default)]
pub struct Elsewhere(BTreeMap<Digest, (Root, String)>);

impl Elsewhere {
    /// The file at `path` of `root` has the bytes with this digest.
    pub fn add(&mut self, digest: Digest, root: &Root, path: &str) {
        self.0.insert(digest, (root.clone(), path.to_owned()));
    }
}

impl Contents for Elsewhere {
    fn open(&self, digest: &Digest) -> Result<Box<dyn Read + '_>, ApplyError> {
        let (root, path) = self.0.get(digest).ok_or(ApplyError::NoContent(*digest))?;
        Ok(Box::new(root.file(path)?))
    }
}
