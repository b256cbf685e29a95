use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::os::unix::fs::FileExt;

/// Bytes that are read where they are wanted: a disk is larger than memory.
pub(super) enum Source<'a> {
    File { file: &'a File, length: u64 },
    Bytes(&'a [u8]),
}

impl<'a> Source<'a> {
    /// A file, or a disk, which has its length at its end alone.
    pub(super) fn of_file(mut file: &'a File) -> io::Result<Self> {
        let length = file.seek(SeekFrom::End(0))?;
        Ok(Self::File { file, length })
    }

    pub(super) fn length(&self) -> u64 {
        match self {
            Self::File { length, .. } => *length,
            Self::Bytes(bytes) => bytes.len() as u64,
        }
    }

    /// So many bytes from a place on; none where they go past the end or cannot be read.
    pub(super) fn read(&self, at: u64, length: u64) -> Option<Vec<u8>> {
        if at.checked_add(length)? > self.length() {
            return None;
        }
        match self {
            Self::File { file, .. } => {
                let mut bytes = vec![0; usize::try_from(length).ok()?];
                file.read_exact_at(&mut bytes, at).ok()?;
                Some(bytes)
            }
            Self::Bytes(bytes) => {
                let at = usize::try_from(at).ok()?;
                let length = usize::try_from(length).ok()?;
                Some(bytes.get(at..)?.get(..length)?.to_vec())
            }
        }
    }
}
