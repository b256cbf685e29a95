use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use crate::change::PlaceId;
use crate::error::ApplyError;
use crate::place::Places;

/// Nobody else changes this system while there is such a value.
pub(crate) struct Lock(
    #[allow(dead_code, reason = "it is what holds the lock")] Flock<std::fs::File>,
);

impl Lock {
    /// Takes the root's own folder: that of the receipts comes and goes with them.
    pub fn take(places: &Places) -> Result<Self, ApplyError> {
        let folder = places.root()?.root.handle("/")?;
        match Flock::lock(folder, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => Ok(Self(lock)),
            Err((_, Errno::EWOULDBLOCK)) => Err(ApplyError::Busy),
            Err((_, errno)) => Err(ApplyError::System {
                action: "lock",
                place: PlaceId::root(),
                path: "/".into(),
                errno,
            }),
        }
    }
}
