use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use image_builder::apt::{self, AptError, Request};
use image_builder::cache::Cache;

/// UEFI firmware for virtual machines, with variables of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ovmf {
    pub(crate) code: PathBuf,
    pub(crate) variables: PathBuf,
    pub(crate) secure_boot: bool,
}

/// Why there is no OVMF to be had.
#[derive(Debug, thiserror::Error)]
pub enum OvmfError {
    /// Its package could not be fetched.
    #[error("Debian's ovmf could not be fetched: {0}")]
    Fetch(#[from] AptError),
    /// A file could not be copied.
    #[error("{path}: {source}")]
    Copy {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

impl Ovmf {
    /// OVMF without Secure Boot; its variables are a file in `folder`.
    pub fn obtain(folder: &Path) -> Result<Self, OvmfError> {
        Self::from_package(folder, false)
    }

    /// OVMF that enforces Secure Boot with Microsoft's keys, behind system management mode.
    pub fn with_secure_boot(folder: &Path) -> Result<Self, OvmfError> {
        Self::from_package(folder, true)
    }

    fn from_package(folder: &Path, secure_boot: bool) -> Result<Self, OvmfError> {
        let (code, empty) = if secure_boot {
            ("OVMF_CODE_4M.secboot.fd", "OVMF_VARS_4M.ms.fd")
        } else {
            ("OVMF_CODE_4M.fd", "OVMF_VARS_4M.fd")
        };
        let cache = Cache::open().map_err(AptError::from)?;
        let files = apt::cached_tree(&cache, &Request::new(["ovmf"]))?.join("usr/share/OVMF");
        let from = files.join(empty);
        let variables = folder.join(empty);
        fs::read(&from)
            .and_then(|bytes| fs::write(&variables, bytes))
            .map_err(|source| OvmfError::Copy { path: from, source })?;
        Ok(Self {
            code: files.join(code),
            variables,
            secure_boot,
        })
    }
}
