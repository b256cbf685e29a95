use std::io;
use std::path::PathBuf;

use crate::capture::CaptureError;
use crate::lspci::LspciError;

/// Why there is no machine to read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The folder cannot be opened.
    #[error("cannot open {}: {cause}", path.display())]
    Open {
        /// The folder.
        path: PathBuf,
        /// What the kernel said.
        cause: io::Error,
    },
    /// The folder is something else.
    #[error(
        "{} is not laid out like /sys: it has no {missing}; give a folder that holds a copy of what is \
         in /sys (bus/pci/devices at least), with proc/ and kernel.log beside if you have them",
        path.display()
    )]
    NotLikeSys {
        /// The folder.
        path: PathBuf,
        /// What was looked for.
        missing: &'static str,
    },
    /// The list of PCI functions cannot be read, so there is nothing to say.
    #[error("cannot list the PCI functions in {}: {cause}; is /sys mounted?", path.display())]
    NoFunctions {
        /// The list's folder.
        path: PathBuf,
        /// What the kernel said.
        cause: io::Error,
    },
    /// Every function in a copy is a link to a folder that was not copied.
    #[error(
        "the functions in {} are links to folders that are not in this copy; copy /sys/devices as well, \
         in the same place beside bus/",
        path.display()
    )]
    NotCopied {
        /// The list's folder.
        path: PathBuf,
    },
    /// A capture that cannot be read.
    #[error("{} cannot be read: {cause}", path.display())]
    Capture {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        cause: CaptureError,
    },
    /// A text that lspci did not print.
    #[error(
        "{} is neither a folder laid out like /sys, nor a capture (made by 'preflight capture'), nor \
         what lspci prints: {cause}",
        path.display()
    )]
    Lspci {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        cause: LspciError,
    },
    /// A file of another kind.
    #[error(
        "{} is {what}; give a folder laid out like /sys, a capture (made by 'preflight capture'), or a \
         text file of what lspci prints",
        path.display()
    )]
    NoSource {
        /// The file.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
}
