use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use image_builder::apt::{self, AptError, Request};
use image_builder::cache::Cache;
use image_builder::package::program;

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

/// A key that everybody has, for tests, in the package ovmf.
const TEST_KEY: &str = "usr/share/ovmf/PkKek-1-snakeoil";
const PASSPHRASE: &str = "pass:snakeoil";

/// Which firmware, and with whose keys.
#[derive(Clone, Copy)]
enum Kind {
    Plain,
    Microsoft,
    Test,
}

impl Kind {
    fn files(self) -> (&'static str, &'static str) {
        match self {
            Self::Plain => ("OVMF_CODE_4M.fd", "OVMF_VARS_4M.fd"),
            Self::Microsoft => ("OVMF_CODE_4M.secboot.fd", "OVMF_VARS_4M.ms.fd"),
            Self::Test => ("OVMF_CODE_4M.secboot.fd", "OVMF_VARS_4M.snakeoil.fd"),
        }
    }
}

impl Ovmf {
    /// OVMF without Secure Boot; its variables are a file in `folder`.
    pub fn obtain(folder: &Path) -> Result<Self, OvmfError> {
        Self::from_package(folder, Kind::Plain)
    }

    /// OVMF that enforces Secure Boot with Microsoft's keys, behind system management mode.
    pub fn with_secure_boot(folder: &Path) -> Result<Self, OvmfError> {
        Self::from_package(folder, Kind::Microsoft)
    }

    /// The same with no key but the one of [`Ovmf::test_key`].
    pub fn with_test_key(folder: &Path) -> Result<Self, OvmfError> {
        Self::from_package(folder, Kind::Test)
    }

    /// The test key without its passphrase, as a file in `folder`, and its certificate.
    pub fn test_key(folder: &Path) -> Result<(PathBuf, PathBuf), OvmfError> {
        let cache = Cache::open().map_err(AptError::from)?;
        let from = apt::cached_tree(&cache, &Request::new(["ovmf"]))?.join(TEST_KEY);
        let tools = apt::cached_tree(&cache, &Request::new(["openssl"]).with_dependencies())?;
        let key = folder.join("test.key");
        let mut command = program(&tools, "usr/bin/openssl");
        command.args(["pkey", "-passin", PASSPHRASE, "-in"]);
        command
            .arg(from.with_extension("key"))
            .arg("-out")
            .arg(&key);
        let failed = |source| OvmfError::Copy {
            path: key.clone(),
            source,
        };
        let ran = command.output().map_err(failed)?;
        if !ran.status.success() {
            let said = String::from_utf8_lossy(&ran.stderr).into_owned();
            return Err(failed(io::Error::other(said)));
        }
        Ok((key, from.with_extension("pem")))
    }

    fn from_package(folder: &Path, kind: Kind) -> Result<Self, OvmfError> {
        let (code, empty) = kind.files();
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
            secure_boot: !matches!(kind, Kind::Plain),
        })
    }
}
