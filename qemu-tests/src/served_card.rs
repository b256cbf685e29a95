use std::sync::Arc;

use cards::{AccessLog, CardError, CardProfile, RunningCard};
use serde_json::Value;
use tempfile::TempDir;

/// A card in software that a machine can be given. Clones are the same card: one that a test keeps reads
/// the log after the run. A run keeps one too, so QEMU, which aborts when it loses a card, always ends
/// before its cards.
#[derive(Clone, Debug)]
pub struct ServedCard(Arc<Served>);

#[derive(Debug)]
struct Served {
    card: RunningCard,
    profile: CardProfile,
    /// The sockets are in it.
    _folder: TempDir,
}

impl ServedCard {
    /// Serves a card. Only QEMU 10.1 and newer can be given one ([`Qemu::is_recent`](crate::Qemu::is_recent)).
    pub fn start(profile: &CardProfile) -> Result<Self, CardError> {
        let temporary = std::env::temp_dir();
        let folder = tempfile::Builder::new()
            .prefix("card-")
            .tempdir_in(&temporary)
            .map_err(|source| CardError::Io {
                path: temporary,
                source,
            })?;
        Ok(Self(Arc::new(Served {
            card: profile.start(folder.path())?,
            profile: profile.clone(),
            _folder: folder,
        })))
    }

    /// Everything that was done to it so far.
    pub fn log(&self) -> &AccessLog {
        self.0.card.log()
    }

    /// What it is.
    pub fn profile(&self) -> &CardProfile {
        &self.0.profile
    }

    /// QEMU's devices, function 0 last.
    pub(crate) fn devices(&self, id: &str, bus: &str, number: u8) -> Vec<Value> {
        self.0.card.devices(id, bus, number)
    }
}

/// The very same card, not one like it.
impl PartialEq for ServedCard {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for ServedCard {}
