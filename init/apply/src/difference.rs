use std::fmt;

use serde::{Deserialize, Serialize};

use crate::change::{FileState, PlaceId};

/// A file that is not as it should be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// The file system.
    pub place: PlaceId,
    /// Of the file.
    pub path: String,
    /// What should be there; none: no file.
    pub wanted: Option<FileState>,
    /// What is there; none: no file.
    pub found: Option<FileState>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}: ", self.path, self.place)?;
        let (wanted, found) = match (&self.wanted, &self.found) {
            (Some(wanted), Some(found)) => (wanted, found),
            (Some(_), None) => return f.write_str("it is gone"),
            (None, Some(_)) => return f.write_str("it is there and should not be"),
            (None, None) => return f.write_str("nothing is wrong"),
        };
        if wanted.digest != found.digest {
            let (size, digest) = (found.size, found.digest);
            let (should, sum) = (wanted.size, wanted.digest);
            return write!(
                f,
                "it has other bytes: {size} with SHA-256 {digest}, not {should} with {sum}"
            );
        }
        match (&wanted.attributes, &found.attributes) {
            (Some(wanted), Some(found)) => write!(
                f,
                "it has mode {:o} and belongs to {}:{}, not mode {:o} and {}:{}",
                found.mode, found.uid, found.gid, wanted.mode, wanted.uid, wanted.gid
            ),
            _ => f.write_str("nothing is wrong"),
        }
    }
}
