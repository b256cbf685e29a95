//! Removing files from FAT so that a power cut leaves nothing that leads astray.
//!
//! FAT has no journal, and its file allocation table and directories go to the disk in no order. A directory entry
//! whose clusters are already free is dangerous: the next file is given them, and removing the first frees them
//! under the second. So the entry is removed and on the disk before the clusters are freed; clusters that nobody
//! has are only lost space.
//!
//! An exchange writes two entries. When they lie in two sectors and the power goes between the two, both lead to the
//! same clusters, of which only one may ever be removed.

use std::fs::File;

use nix::sys::statfs::{MSDOS_SUPER_MAGIC, fstatfs};
use storage::RootError;

use crate::change::PlaceId;
use crate::digest::Digest;
use crate::durable::sync;
use crate::error::ApplyError;
use crate::ioctl;
use crate::perform::{absent_is_fine, exchange, write};
use crate::place::Place;
use crate::sequence::with_letter;

/// Removes a file, or finds it gone. Where it shares its clusters with `twin`, that one gets clusters of its own
/// first.
pub(crate) fn remove(
    id: &PlaceId,
    place: &Place,
    path: &str,
    twin: Option<&str>,
) -> Result<(), ApplyError> {
    let Some(file) = opened(place, path)? else {
        return Ok(());
    };
    let shared = match twin.map(|twin| opened(place, twin)).transpose()?.flatten() {
        Some(other) => share_clusters(&file, &other, id, path)?,
        None => false,
    };
    if let (true, Some(twin)) = (shared, twin) {
        let copy = copy_apart(id, place, path, twin)?;
        free(id, place, &copy, None)?;
        // Its clusters are free by now. The kernel says so in its log and, unless mounted with errors=continue,
        // makes the file system read-only; the entry is gone all the same.
    }
    free(id, place, path, Some(file))
}

fn opened(place: &Place, path: &str) -> Result<Option<File>, ApplyError> {
    match place.root.file(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.is_missing() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// While somebody has a removed file open, the kernel keeps its clusters.
fn free(id: &PlaceId, place: &Place, path: &str, file: Option<File>) -> Result<(), ApplyError> {
    let file = match file {
        Some(file) => Some(file),
        None => opened(place, path)?,
    };
    absent_is_fine(place.root.remove(path))?;
    sync(id, place)?;
    drop(file);
    sync(id, place)
}

fn share_clusters(one: &File, other: &File, id: &PlaceId, path: &str) -> Result<bool, ApplyError> {
    let failed = |errno| ApplyError::System {
        action: "ask for the clusters of",
        place: id.clone(),
        path: path.into(),
        errno,
    };
    // A folder that stands for an ESP shares nothing.
    if fstatfs(one).map_err(failed)?.filesystem_type() != MSDOS_SUPER_MAGIC {
        return Ok(false);
    }
    let one = ioctl::first_block(one).map_err(failed)?;
    let other = ioctl::first_block(other).map_err(failed)?;
    Ok(one != 0 && one == other)
}

/// Gives `twin` clusters of its own; its old ones stay with `path` and with the file whose name is returned.
fn copy_apart(id: &PlaceId, place: &Place, path: &str, twin: &str) -> Result<String, ApplyError> {
    let copy = with_letter(path, 'u');
    let unread = |error: std::io::Error| RootError::Io {
        path: twin.into(),
        reason: error.to_string(),
    };
    let (digest, _) = Digest::of_all(place.root.file(twin)?).map_err(unread)?;
    let mut input = place.root.file(twin)?;
    write(id, place, &copy, &mut input, &digest, None, &mut |_| ())?;
    sync(id, place)?;
    exchange(id, place, &copy, twin)?;
    sync(id, place)?;
    Ok(copy)
}
