use std::time::SystemTime;

use image_builder::cache::{Cache, CacheError};

use super::output::progress;

/// Whether what the cache has of Debian is good enough.
#[derive(Clone, Copy, clap::Args)]
pub(crate) struct Refresh {
    /// Fetch the current packages of Debian, even where the cache has them
    #[arg(long)]
    refresh: bool,
}

impl Refresh {
    pub(crate) fn cache(self) -> Result<Cache, CacheError> {
        let cache = Cache::open()?.watched_by(progress);
        Ok(match self.refresh {
            true => cache.renewed_since(SystemTime::now()),
            false => cache,
        })
    }
}
