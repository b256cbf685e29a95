use std::fs::File;

use nix::errno::Errno;
use nix::unistd::syncfs;

use crate::change::PlaceId;
use crate::error::ApplyError;
use crate::ioctl;
use crate::place::{Durability, Place};

/// What a file system says that cannot be frozen, or not by us.
const NOT_FROZEN: [Errno; 3] = [Errno::EOPNOTSUPP, Errno::ENOTTY, Errno::EPERM];

/// Everything written so far is on the disk when this returns.
pub(crate) fn sync(id: &PlaceId, place: &Place) -> Result<(), ApplyError> {
    let folder = place.root.handle("/")?;
    let failed = |action| {
        move |errno| ApplyError::System {
            action,
            place: id.clone(),
            path: "/".into(),
            errno,
        }
    };
    syncfs(&folder).map_err(failed("write out"))?;
    // syncfs of vfat gives the disk no order to empty its cache; fsync of any of its files does.
    flush(&folder).map_err(failed("sync"))?;
    if place.durability == Durability::Synced || id.is_fat() {
        return Ok(());
    }
    match ioctl::freeze(&folder) {
        Ok(()) => ioctl::thaw(&folder).map_err(failed("thaw")),
        Err(errno) if NOT_FROZEN.contains(&errno) => Ok(()),
        Err(errno) => Err(failed("freeze")(errno)),
    }
}

fn flush(folder: &File) -> Result<(), Errno> {
    match nix::unistd::fsync(folder) {
        // Some file systems have no fsync for folders.
        Err(Errno::EINVAL) => Ok(()),
        other => other,
    }
}
