//! A folder of finished things that are slow to get: downloaded packages, unpacked tools.
//!
//! An entry is either there and complete, or not there: it is built in a folder beside its place and
//! renamed when it is done, under a lock that holds between processes and users.

use std::env;
use std::error::Error;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use sha2::{Digest, Sha256};

use crate::io::{self, Context, IoError};
use crate::progress::Watcher;

/// The environment variable that names the cache folder.
pub const FOLDER_VARIABLE: &str = "PREFLIGHT_CACHE";

/// A cache folder.
#[derive(Debug, Clone)]
pub struct Cache {
    folder: PathBuf,
    /// Entries from before count as missing.
    since: Option<SystemTime>,
    progress: Watcher,
}

/// An entry could not be had.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// Neither the variable nor a home folder is there.
    #[error("no place for the cache: set {FOLDER_VARIABLE} to a folder, or HOME")]
    NoFolder,
    /// The file system said no.
    #[error(transparent)]
    Io(#[from] IoError),
    /// What makes the entry failed.
    #[error("cannot make the cache entry '{name}'")]
    Build {
        /// The entry's name.
        name: String,
        /// Why.
        source: Box<dyn Error + Send + Sync>,
    },
}

impl Cache {
    /// The cache in `PREFLIGHT_CACHE`, else in `preflight` below `XDG_CACHE_HOME` or `~/.cache`.
    pub fn open() -> Result<Self, CacheError> {
        let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty());
        let folder = set(FOLDER_VARIABLE)
            .map(PathBuf::from)
            .or_else(|| set("XDG_CACHE_HOME").map(|home| Path::new(&home).join("preflight")))
            .or_else(|| set("HOME").map(|home| Path::new(&home).join(".cache/preflight")))
            .ok_or(CacheError::NoFolder)?;
        Self::at(&folder)
    }

    /// A cache in this folder, which is made when it is missing.
    pub fn at(folder: &Path) -> Result<Self, CacheError> {
        io::create_folder(folder)?;
        let folder = fs::canonicalize(folder).at("find", folder)?;
        Ok(Self {
            folder,
            since: None,
            progress: |_| {},
        })
    }

    /// The same, with all entries from before this time built again, once each.
    pub fn renewed_since(self, time: SystemTime) -> Self {
        let since = Some(time);
        Self { since, ..self }
    }

    /// The same, and `progress` hears how the downloads go on that fill it.
    pub fn watched_by(self, progress: Watcher) -> Self {
        Self { progress, ..self }
    }

    /// Who hears of downloads.
    pub(crate) fn progress(&self) -> Watcher {
        self.progress
    }

    /// Where the entries are. An absolute path.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The finished folder of `name` for these inputs; `build` fills it when it is not there yet.
    ///
    /// `inputs` is whatever the result depends on; its SHA-256 is part of the folder's name. When
    /// `build` fails nothing stays, and the next call tries again.
    pub fn entry<E>(
        &self,
        name: &str,
        inputs: impl AsRef<[u8]>,
        build: impl FnOnce(&Path) -> Result<(), E>,
    ) -> Result<PathBuf, CacheError>
    where
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        let key = key(name, inputs.as_ref());
        let finished = self.folder.join(&key);
        if self.has(&finished) {
            return Ok(finished);
        }
        let _lock = self.lock(&key)?;
        // Another process may have finished it while this one waited.
        if self.has(&finished) {
            return Ok(finished);
        }
        self.build(name, &key, build)
    }

    /// Whether an entry is there and new enough: the folder says when it was put in place, and only that time is not
    /// one that an unpacked package sets.
    fn has(&self, finished: &Path) -> bool {
        let there = fs::metadata(finished);
        there.is_ok_and(|there| {
            there.is_dir() && self.since.is_none_or(|since| changed(&there) >= since)
        })
    }

    /// Like [`Cache::entry`], but builds it even when it is there; the old one stays until the new
    /// one is finished.
    pub fn renew<E>(
        &self,
        name: &str,
        inputs: impl AsRef<[u8]>,
        build: impl FnOnce(&Path) -> Result<(), E>,
    ) -> Result<PathBuf, CacheError>
    where
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        let key = key(name, inputs.as_ref());
        let _lock = self.lock(&key)?;
        self.build(name, &key, build)
    }

    /// Builds an entry whose lock is held.
    fn build<E>(
        &self,
        name: &str,
        key: &str,
        build: impl FnOnce(&Path) -> Result<(), E>,
    ) -> Result<PathBuf, CacheError>
    where
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        let staging = self.folder.join(format!("{key}.partial"));
        remove_folder(&staging)?;
        io::create_folder(&staging)?;
        let built = build(&staging).map_err(|source| CacheError::Build {
            name: name.to_owned(),
            source: source.into(),
        });
        if let Err(error) = built {
            remove_folder(&staging)?;
            return Err(error);
        }
        let finished = self.folder.join(key);
        remove_folder(&finished)?;
        fs::rename(&staging, &finished).at("put in place", &finished)?;
        Ok(finished)
    }

    fn lock(&self, key: &str) -> Result<File, CacheError> {
        let path = self.folder.join(format!("{key}.lock"));
        // A lock file that another user made can be locked but not written.
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .or_else(|_| File::open(&path))
            .at("open", &path)?;
        file.lock().at("lock", &path)?;
        Ok(file)
    }
}

/// st_ctime (inode(7)).
fn changed(there: &fs::Metadata) -> SystemTime {
    let seconds = Duration::from_secs(there.ctime().try_into().unwrap_or(0));
    let rest = Duration::from_nanos(there.ctime_nsec().try_into().unwrap_or(0));
    SystemTime::UNIX_EPOCH + seconds + rest
}

fn key(name: &str, inputs: &[u8]) -> String {
    let digest = Sha256::digest(inputs);
    let mut key = format!("{name}-");
    for byte in digest.iter().take(8) {
        key.push_str(&format!("{byte:02x}"));
    }
    key
}

fn remove_folder(path: &Path) -> Result<(), IoError> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        result => result.at("remove", path),
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::io::Error as SystemError;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    use super::*;

    fn cache() -> (tempfile::TempDir, Cache) {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::at(folder.path()).unwrap();
        (folder, cache)
    }

    #[test]
    fn an_entry_is_built_once_and_again_for_other_inputs() {
        let (_folder, cache) = cache();
        let built = AtomicUsize::new(0);
        let build = |staging: &Path| {
            built.fetch_add(1, Ordering::SeqCst);
            fs::write(staging.join("content"), "x")
        };
        let first = cache.entry("tool", "version 1", build).unwrap();
        let again = cache.entry("tool", "version 1", build).unwrap();
        let other = cache.entry("tool", "version 2", build).unwrap();
        assert_eq!(first, again);
        assert_ne!(first, other);
        assert_eq!(built.load(Ordering::SeqCst), 2);
        assert!(first.join("content").is_file());
    }

    #[test]
    fn a_failed_build_leaves_nothing_and_is_tried_again() {
        let (_folder, cache) = cache();
        let failed = cache.entry("tool", "", |staging| {
            fs::write(staging.join("half"), "x")?;
            Err(SystemError::other("the line went dead"))
        });
        assert!(failed.is_err());
        let entry = cache
            .entry("tool", "", |_| Ok::<_, Infallible>(()))
            .unwrap();
        assert!(!entry.join("half").exists());
    }

    #[test]
    fn two_at_once_build_one() {
        let (_folder, cache) = cache();
        let built = AtomicUsize::new(0);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let build = |_: &Path| {
                        built.fetch_add(1, Ordering::SeqCst);
                        thread::sleep(Duration::from_millis(50));
                        Ok::<_, Infallible>(())
                    };
                    cache.entry("tool", "", build).unwrap();
                });
            }
        });
        assert_eq!(built.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn an_entry_from_before_is_built_again_once_and_stays_where_that_fails() {
        let (_folder, cache) = cache();
        let built = AtomicUsize::new(0);
        let build = |staging: &Path| {
            built.fetch_add(1, Ordering::SeqCst);
            // As an unpacked package does with the folder that it is unpacked into.
            let folder = File::open(staging)?;
            folder.set_modified(SystemTime::UNIX_EPOCH)
        };
        let entry = cache.entry("tool", "", build).unwrap();
        let pause = || thread::sleep(Duration::from_millis(20));
        pause();
        let renewed = cache.renewed_since(SystemTime::now());
        // The clock of a file system goes in coarse steps.
        pause();
        let failed = renewed.entry("tool", "", |_| Err(SystemError::other("offline")));
        assert!(failed.is_err() && entry.is_dir());
        for _ in 0..2 {
            assert_eq!(renewed.entry("tool", "", build).unwrap(), entry);
        }
        assert_eq!(built.load(Ordering::SeqCst), 2);
    }

    #[test]
    fn a_renewed_entry_has_the_new_content_and_a_failed_renewal_keeps_the_old() {
        let (_folder, cache) = cache();
        let old = |staging: &Path| fs::write(staging.join("old"), "");
        let entry = cache.entry("tool", "", old).unwrap();
        let failed = cache.renew("tool", "", |_| Err(SystemError::other("offline")));
        assert!(failed.is_err());
        assert!(entry.join("old").exists());
        let new = |staging: &Path| fs::write(staging.join("new"), "");
        assert_eq!(cache.renew("tool", "", new).unwrap(), entry);
        assert!(entry.join("new").exists());
        assert!(!entry.join("old").exists());
    }
}
