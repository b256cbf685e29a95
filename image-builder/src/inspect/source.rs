use std::cell::OnceCell;
use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::os::unix::fs::FileExt;

/// Bytes that are read where they are wanted: a disk is larger than memory.
pub(super) enum Source<'a> {
    File {
        file: &'a File,
        length: u64,
        /// The first thing that the system said against reading.
        failure: OnceCell<io::Error>,
    },
    Bytes(&'a [u8]),
}

impl<'a> Source<'a> {
    /// A file, or a disk, which has its length at its end alone.
    pub(super) fn of_file(mut file: &'a File) -> io::Result<Self> {
        let length = file.seek(SeekFrom::End(0))?;
        Ok(Self::File {
            file,
            length,
            failure: OnceCell::new(),
        })
    }

    pub(super) fn length(&self) -> u64 {
        match self {
            Self::File { length, .. } => *length,
            Self::Bytes(bytes) => bytes.len() as u64,
        }
    }

    /// So many bytes from a place on; none where they go past the end, or cannot be read: then [`Source::failure`]
    /// knows why, and what lies elsewhere can still be told.
    pub(super) fn read(&self, at: u64, length: u64) -> Option<Vec<u8>> {
        if at.checked_add(length)? > self.length() {
            return None;
        }
        let length = usize::try_from(length).ok()?;
        match self {
            Self::File { file, failure, .. } => {
                let mut bytes = vec![0; length];
                match file.read_exact_at(&mut bytes, at) {
                    Ok(()) => Some(bytes),
                    Err(error) => {
                        failure.get_or_init(|| error);
                        None
                    }
                }
            }
            Self::Bytes(bytes) => {
                let at = usize::try_from(at).ok()?;
                Some(bytes.get(at..)?.get(..length)?.to_vec())
            }
        }
    }

    /// Why some of it could not be read; none where all that was asked for could, or lies past the end.
    pub(super) fn failure(self) -> Option<io::Error> {
        match self {
            Self::File { failure, .. } => failure.into_inner(),
            Self::Bytes(_) => None,
        }
    }
}
