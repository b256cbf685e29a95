use apply::{ApplyError, ChangeSet, Places};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use super::database::is_database;

/// In the folder of the database (pve-cluster, src/pmxcfs/pmxcfs.c: LOCKFILE). pmxcfs has an flock on it from its
/// start to its end, and does not start without.
const LOCK: &str = ".pmxcfs.lockfile";

/// pmxcfs serves /etc/pve from the database that is to be written: it would not see the new one, and lose what it
/// writes itself.
#[derive(Debug, thiserror::Error)]
#[error(
    "the guests' database is in use, for pmxcfs runs on this system: 'systemctl stop pve-cluster' first (guests go on, but \
     /etc/pve is away until it is started again), or undo it from the stick. Nothing was changed"
)]
pub struct PmxcfsRuns;

/// pmxcfs does not start while there is such a value.
pub struct DatabaseLock(
    #[expect(dead_code, reason = "it is what holds the locks")] Vec<Flock<std::fs::File>>,
);

impl DatabaseLock {
    /// Takes the lock of each database that one of these changes has. A system whose pmxcfs never ran has none.
    pub fn take<'a>(
        places: &Places,
        sets: impl Iterator<Item = &'a ChangeSet>,
    ) -> anyhow::Result<Self> {
        let mut held = Vec::new();
        let mut taken = Vec::new();
        for file in sets
            .flat_map(|set| &set.files)
            .filter(|file| is_database(file))
        {
            let (folder, _) = file.path.rsplit_once('/').unwrap_or_default();
            let path = format!("{folder}/{LOCK}");
            // A second handle of this run would not get it.
            if taken.contains(&(&file.place, path.clone())) {
                continue;
            }
            let lock = match places.get(&file.place)?.root.file(&path) {
                Ok(lock) => lock,
                Err(error) if error.is_missing() => continue,
                Err(error) => return Err(error.into()),
            };
            match Flock::lock(lock, FlockArg::LockExclusiveNonblock) {
                Ok(lock) => held.push(lock),
                Err((_, Errno::EWOULDBLOCK)) => return Err(PmxcfsRuns.into()),
                Err((_, errno)) => {
                    return Err(ApplyError::System {
                        action: "lock",
                        place: file.place.clone(),
                        path: path.into(),
                        errno,
                    }
                    .into());
                }
            }
            taken.push((&file.place, path));
        }
        Ok(Self(held))
    }
}
