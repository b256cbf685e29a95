use std::path::PathBuf;

use crate::elf::ElfError;
use crate::firmware::FirmwareError;
use crate::image::Conflict;
use crate::io::IoError;
use crate::microcode::MicrocodeError;
use crate::modules::{ClosureError, KernelError, ListError};
use crate::package::PackageError;
use crate::tools::ToolError;

/// An image could not be built.
#[derive(Debug, thiserror::Error)]
#[allow(
    missing_docs,
    reason = "the variants wrap errors that tell for themselves"
)]
pub enum BuildError {
    #[error(transparent)]
    Io(#[from] IoError),
    #[error(transparent)]
    Package(#[from] PackageError),
    #[error(transparent)]
    Kernel(#[from] KernelError),
    #[error(transparent)]
    List(#[from] ListError),
    #[error(transparent)]
    Modules(#[from] ClosureError),
    #[error(transparent)]
    Elf(#[from] ElfError),
    #[error(transparent)]
    Tool(#[from] ToolError),
    #[error(transparent)]
    Microcode(#[from] MicrocodeError),
    #[error(transparent)]
    Firmware(#[from] FirmwareError),
    #[error(transparent)]
    Conflict(#[from] Conflict),
    #[error("the manifest cannot be written as JSON")]
    Manifest(#[from] serde_json::Error),
    #[error("{} is no program for Linux", path.display())]
    NoProgram { path: PathBuf },
    #[error(
        "{} needs the loader {loader}, but {role} must be static. RUSTFLAGS in the environment, even \
         an empty one, replaces the flags in .cargo/config.toml: unset it and build again",
        path.display()
    )]
    NotStatic {
        path: PathBuf,
        loader: String,
        role: &'static str,
    },
}
