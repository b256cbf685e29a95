use std::io;

/// Why a capture cannot be made or read.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// The archive could not be put together.
    #[error("the capture cannot be put together: {0}")]
    Pack(io::Error),
    /// The compression or the archive is damaged, or it is something else.
    #[error(
        "it is damaged or cut short, or was not made by 'preflight capture': {0}; copy it again"
    )]
    Archive(io::Error),
    /// It does not begin with a manifest.
    #[error(
        "it does not begin with {}, so 'preflight capture' did not make it",
        super::MANIFEST
    )]
    NoManifest,
    /// The manifest is not one.
    #[error("its manifest.json cannot be read: {0}")]
    Manifest(serde_json::Error),
    /// A newer program made it, or another one.
    #[error(
        "it is of the kind '{0}', and this Preflight reads preflight.capture/1; a newer one may read it"
    )]
    Schema(String),
    /// More than a machine can have.
    #[error(
        "it unpacks to more than {0}, which no machine needs; it was not made by 'preflight capture'"
    )]
    TooLarge(&'static str),
    /// A path that would lead out of a folder, or something that is neither file, folder nor link.
    #[error("it holds '{path}', {what}, which no capture has")]
    Foreign {
        /// The path in the archive.
        path: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// A file that is not what was written.
    #[error("'{path}' in it is not what was captured: {what}; copy the capture again")]
    Changed {
        /// The path in the archive.
        path: String,
        /// How that shows.
        what: &'static str,
    },
}
