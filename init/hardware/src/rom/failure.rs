use std::io;

use nix::errno::Errno;
use serde::{Deserialize, Serialize};

use crate::tree::why;

/// Why a source gave no copy of a ROM.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{why}")]
pub struct RomFailure {
    /// Which way of failing.
    pub kind: FailureKind,
    /// In words, with what was seen.
    pub why: String,
}

/// In what way a source gave no copy of a ROM.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureKind {
    /// Two reads gave different bytes.
    Unstable,
    /// Every byte is 0xFF.
    AllOnes,
    /// The ROM does not begin with `55 AA`.
    NoSignature,
    /// The first image has no PCIR structure.
    NoPcir,
    /// There are no bytes.
    Empty,
    /// The kernel says that it could not read (`EIO`).
    InputOutput,
    /// The function is in a low power state and could not be woken.
    Asleep,
    /// The kernel is locked down.
    LockedDown,
    /// A driver is bound, or may be.
    Driver,
    /// Anything else.
    Other,
}

impl RomFailure {
    pub(super) fn new(kind: FailureKind, why: impl Into<String>) -> Self {
        Self {
            kind,
            why: why.into(),
        }
    }

    pub(super) fn other(why: impl Into<String>) -> Self {
        Self::new(FailureKind::Other, why)
    }

    /// From an error at a named file.
    pub(super) fn at(name: &str, error: &io::Error) -> Self {
        let kind = match error.raw_os_error().map(Errno::from_raw) {
            Some(Errno::EIO) => FailureKind::InputOutput,
            _ => FailureKind::Other,
        };
        Self::new(kind, format!("{name}: {}", why(error)))
    }
}
