//! An initrd with changed files: one more archive behind it, whose files the kernel unpacks over those before
//! (Linux, Documentation/driver-api/early-userspace/buffer-format.rst). Every byte before stays as it is.

mod contents;
mod dracut;
mod initramfs_tools;
mod kmod_index;
mod modules;
mod segment;

use std::path::Path;

use proxmox::files::{Files, RootError};
use proxmox::initrd::{Compression, InitramfsTool};

use contents::Contents;
pub use segment::without_segment;

/// A file of an initrd.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InitrdFile {
    /// From the initrd's root, without a slash in front.
    pub path: String,
    /// Permission bits.
    pub mode: u32,
    /// What it holds.
    pub bytes: Vec<u8>,
}

/// Why an initrd was left as it is.
#[derive(Debug, thiserror::Error)]
pub enum InitrdError {
    /// It could not be read to its end.
    #[error("the initrd could not be read: {0}; make it again with the system's own tools first")]
    Broken(String),
    /// Files cannot be put behind it so that each kernel takes them.
    #[error(
        "nothing can be put behind an initrd that is packed with {compression:?} for the kernel {version}; choose gzip or zstd in the configuration of its initrds"
    )]
    Packed {
        /// How its last part is packed.
        compression: Compression,
        /// The kernel.
        version: String,
    },
    /// Nobody knows what its files mean.
    #[error(
        "what made the initrd is neither initramfs-tools nor dracut, so where its files belong is not known"
    )]
    Tool,
    /// modprobe would not find a module in it.
    #[error(
        "the initrd has no modules.dep of {0}, so it is another kernel's or was made without modules; make it again with the system's own tools first"
    )]
    NoModules(String),
    /// A module that cannot be unpacked.
    #[error("{path}: {why}; install the kernel's package again")]
    Module {
        /// The module's file.
        path: String,
        /// Why.
        why: String,
    },
    /// A file of the root.
    #[error("{0}; check the disk that it is on")]
    Root(RootError),
}

/// The initrd of a kernel as the system's own tool would make it from what the root says now about passthrough:
/// modprobe.d, the list of modules, the script that binds by address, modules of VFIO that are not in it. Done
/// twice it is done once; where nothing differs, the initrd is the one that it was before anything was put behind it.
///
/// # Errors
/// An initrd that could not be read, that neither initramfs-tools nor dracut made, or that is packed so that not
/// every kernel takes what stands behind it; a file of the root that could not be read.
pub fn update(initrd: &[u8], version: &str, root: &dyn Files) -> Result<Vec<u8>, InitrdError> {
    let base = without_segment(initrd);
    let contents = Contents::read(base, version)?;
    let (mut files, wanted) = match contents.tool {
        Some(InitramfsTool::InitramfsTools) => initramfs_tools::files(&contents, root)?,
        Some(InitramfsTool::Dracut) => dracut::files(&contents, root)?,
        Some(InitramfsTool::Mkinitcpio) | None => return Err(InitrdError::Tool),
    };
    files.extend(modules::files(&contents, root, version, &wanted)?);
    segment::append(base, &contents, version, &files)
}

/// The initrd of a kernel with these files, instead of those that were put behind it before.
///
/// # Errors
/// An initrd that could not be read, or that is packed so that not every kernel takes what stands behind it.
pub fn with_files(
    initrd: &[u8],
    version: &str,
    files: &[InitrdFile],
) -> Result<Vec<u8>, InitrdError> {
    let base = without_segment(initrd);
    let contents = Contents::read(base, version)?;
    segment::append(base, &contents, version, files)
}

/// Configuration files are smaller.
const CONFIGURATION: u64 = 4 << 20;

/// A file of the root; none where it is not there, or is switched off by a link to nothing.
fn read(root: &dyn Files, path: &str, limit: u64) -> Result<Option<Vec<u8>>, InitrdError> {
    match root.read(Path::new(path), limit) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(RootError::Missing(_) | RootError::Dangling { .. }) => Ok(None),
        Err(why) => Err(InitrdError::Root(why)),
    }
}

/// Path inside an initrd and bytes of each file of /etc/modprobe.d that modprobe reads.
fn modprobe_files(root: &dyn Files) -> Result<Vec<(String, Vec<u8>)>, InitrdError> {
    let names = match root.list(Path::new("/etc/modprobe.d")) {
        Ok(names) => names,
        Err(RootError::Missing(_)) => Vec::new(),
        Err(why) => return Err(InitrdError::Root(why)),
    };
    let mut files = Vec::new();
    for name in names.iter().filter_map(|name| name.to_str()) {
        let path = format!("etc/modprobe.d/{name}");
        if name.ends_with(".conf")
            && !name.starts_with('.')
            && let Some(bytes) = read(root, &format!("/{path}"), CONFIGURATION)?
        {
            files.push((path, bytes));
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests;
