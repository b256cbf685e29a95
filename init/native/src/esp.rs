//! The files of an ESP that proxmox-boot-tool keeps, after those of the root have changed.

mod layout;

use std::path::Path;

use plan::edit::WordEdit;
use proxmox::boot::esp::{EspKernel, EspState};
use proxmox::files::{Files, RootError};
use proxmox::initrd::INITRD;

use crate::entries::{EntryError, grub_cfg, loader_entry};
pub use layout::{Layout, layouts};

/// A file of an ESP that is to change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EspChange {
    /// From the ESP's root, without a slash in front.
    pub path: String,
    /// What it is to hold.
    pub contents: Contents,
}

/// What a file of an ESP is to hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contents {
    /// The bytes of this file of the root: a kernel or an initrd.
    CopyOf(String),
    /// These: an entry, or a menu, which says what starts. They come after every copy.
    Bytes(Vec<u8>),
}

/// Why an ESP was left as it is.
#[derive(Debug, thiserror::Error)]
pub enum EspError {
    /// Not laid out by proxmox-boot-tool.
    #[error(
        "{esp} is not laid out as proxmox-boot-tool does it: {why}; run proxmox-boot-tool on the system first"
    )]
    Layout {
        /// The ESP.
        esp: String,
        /// What was looked for.
        why: &'static str,
    },
    /// An entry that is not understood.
    #[error("{esp}: {path}: {why}")]
    Entry {
        /// The ESP.
        esp: String,
        /// The file.
        path: String,
        /// Why.
        why: EntryError,
    },
    /// A file that could not be read.
    #[error("{place}: {why}; check the disk that it is on")]
    Unread {
        /// The ESP, or the root.
        place: String,
        /// Which file, and why.
        why: RootError,
    },
}

/// More than any entry has.
const ENTRY: u64 = 4 << 20;

/// What changes on an ESP: kernels and initrds that are not those of the root's /boot any more, then the entries,
/// with the words changed. A kernel that only the ESP has stays with its initrd, and its entry gets the words too;
/// one that only the root has is left to proxmox-boot-tool, which chooses by its own rules.
///
/// # Errors
/// An ESP that is laid out otherwise, an entry that its editor refuses, a file that cannot be read: nothing of the
/// ESP is to be changed then.
pub fn changes(
    state: &EspState,
    esp: &dyn Files,
    root: &dyn Files,
    words: &[WordEdit],
) -> Result<Vec<EspChange>, EspError> {
    let layouts = layouts(state)?;
    let mut changes = Vec::new();
    for kernel in &state.kernels {
        if layouts.contains(&Layout::of(kernel)) {
            copies(state, esp, root, kernel, &mut changes)?;
        }
    }
    for layout in layouts {
        entries(state, esp, layout, words, &mut changes)?;
    }
    Ok(changes)
}

fn copies(
    state: &EspState,
    esp: &dyn Files,
    root: &dyn Files,
    kernel: &EspKernel,
    changes: &mut Vec<EspChange>,
) -> Result<(), EspError> {
    let version = &kernel.version;
    let folder = kernel
        .image
        .rsplit_once('/')
        .map_or("", |(folder, _)| folder);
    let image = format!("/boot/vmlinuz-{version}");
    let initrd = format!("/boot/initrd.img-{version}");
    let beside = format!("{folder}/initrd.img-{version}");
    for (from, to) in [
        (image, &kernel.image),
        (initrd, kernel.initrd.as_ref().unwrap_or(&beside)),
    ] {
        let Some(wanted) = read("the root", root, &from, INITRD)? else {
            continue;
        };
        if read(&state.label(), esp, to, INITRD)?.as_ref() != Some(&wanted) {
            changes.push(EspChange {
                path: to.trim_start_matches('/').to_owned(),
                contents: Contents::CopyOf(from),
            });
        }
    }
    Ok(())
}

fn entries(
    state: &EspState,
    esp: &dyn Files,
    layout: Layout,
    words: &[WordEdit],
    changes: &mut Vec<EspChange>,
) -> Result<(), EspError> {
    for path in layout.entries(state) {
        let Some(before) = read(&state.label(), esp, &path, ENTRY)? else {
            continue;
        };
        let edited = match layout {
            Layout::SystemdBoot => loader_entry(&before, words),
            Layout::Grub => grub_cfg(&before, words),
        };
        let after = edited.map_err(|why| EspError::Entry {
            esp: state.label(),
            path: path.clone(),
            why,
        })?;
        if after != before {
            changes.push(EspChange {
                path,
                contents: Contents::Bytes(after),
            });
        }
    }
    Ok(())
}

fn read(
    place: &str,
    files: &dyn Files,
    path: &str,
    limit: u64,
) -> Result<Option<Vec<u8>>, EspError> {
    match files.read(Path::new(path), limit) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(RootError::Missing(_)) => Ok(None),
        Err(why) => Err(EspError::Unread {
            place: place.to_owned(),
            why,
        }),
    }
}

#[cfg(test)]
mod tests;
