use std::collections::BTreeSet;
use std::fs::File;

use nix::errno::Errno;
use nix::sys::signal::{SigSet, SigmaskHow};
use nix::sys::stat::fstat;
use nix::unistd::syncfs;
use storage::Root;

use crate::change::PlaceId;
use crate::error::ApplyError;
use crate::ioctl;
use crate::place::{Durability, Place};

/// What a file system says that cannot be frozen, or not by us.
const NOT_FROZEN: [Errno; 3] = [Errno::EOPNOTSUPP, Errno::ENOTTY, Errno::EPERM];

/// A thaw that another call of the kernel stands in the way of is tried so often more.
const THAW_TRIES: usize = 1000;

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
    match freeze_and_thaw(|| ioctl::freeze(&folder), || ioctl::thaw(&folder)) {
        Ok(thawed) => thawed.map_err(failed("thaw")),
        Err(errno) if NOT_FROZEN.contains(&errno) => Ok(()),
        Err(errno) => Err(failed("freeze")(errno)),
    }
}

/// Freezes and thaws while no signal can come between the two: who is killed there leaves a file system on which
/// every other writer waits until the next start.
fn freeze_and_thaw(
    freeze: impl FnOnce() -> Result<(), Errno>,
    thaw: impl Fn() -> Result<(), Errno>,
) -> Result<Result<(), Errno>, Errno> {
    let _held = HeldSignals::hold()?;
    freeze()?;
    let mut tries = 0..THAW_TRIES;
    loop {
        match thaw() {
            Err(Errno::EINTR | Errno::EAGAIN | Errno::EBUSY) if tries.next().is_some() => {}
            ended => return Ok(ended),
        }
    }
}

/// Signals of this thread wait while there is such a value.
struct HeldSignals(SigSet);

impl HeldSignals {
    fn hold() -> Result<Self, Errno> {
        SigSet::all()
            .thread_swap_mask(SigmaskHow::SIG_BLOCK)
            .map(Self)
    }
}

impl Drop for HeldSignals {
    fn drop(&mut self) {
        // The kernel refuses only what is no mask.
        let _ = self.0.thread_set_mask();
    }
}

/// Everything written so far is on the disk, on each file system that one of these folders is on; those that are not
/// there are passed over. For what only a running system reads, whose kernel replays the journal.
pub(crate) fn sync_folders(root: &Root, folders: &[&str]) -> Result<(), ApplyError> {
    let mut done = BTreeSet::new();
    for path in folders {
        let folder = match root.handle(path) {
            Ok(folder) => folder,
            Err(error) if error.errno == Errno::ENOENT => continue,
            Err(error) => return Err(error.into()),
        };
        let failed = |errno| ApplyError::System {
            action: "write out",
            place: PlaceId::root(),
            path: path.into(),
            errno,
        };
        if done.insert(fstat(&folder).map_err(failed)?.st_dev) {
            syncfs(&folder).map_err(failed)?;
            flush(&folder).map_err(failed)?;
        }
    }
    Ok(())
}

fn flush(folder: &File) -> Result<(), Errno> {
    match nix::unistd::fsync(folder) {
        // Some file systems have no fsync for folders.
        Err(Errno::EINVAL) => Ok(()),
        other => other,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::cell::Cell;

    use nix::sys::signal::Signal;

    use super::*;

    fn is_held(signal: Signal) -> bool {
        SigSet::thread_get_mask().unwrap().contains(signal)
    }

    #[test]
    fn no_signal_comes_between_a_freeze_and_its_thaw() {
        let held = || assert!(is_held(Signal::SIGTERM) && is_held(Signal::SIGINT));
        assert!(!is_held(Signal::SIGTERM));
        let ended = freeze_and_thaw(
            || {
                held();
                Ok(())
            },
            || {
                held();
                Ok(())
            },
        );
        assert_eq!(ended, Ok(Ok(())));
        assert!(!is_held(Signal::SIGTERM));
        assert_eq!(
            freeze_and_thaw(|| Err(Errno::EPERM), || panic!("thawed what is not frozen")),
            Err(Errno::EPERM)
        );
        assert!(!is_held(Signal::SIGTERM));
    }

    #[test]
    fn a_thaw_that_was_interrupted_is_done_again() {
        let tries = Cell::new(0);
        let thaw = || {
            tries.set(tries.get() + 1);
            if tries.get() < 3 {
                Err(Errno::EINTR)
            } else {
                Ok(())
            }
        };
        assert_eq!(freeze_and_thaw(|| Ok(()), thaw), Ok(Ok(())));
        assert_eq!(tries.get(), 3);
    }
}
