//! What an initrd holds, without unpacking it to anywhere.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

pub use archives::{Compression, InitramfsTool, Unpacking};
use archives::{Entry, walk};

/// An initrd larger than this, packed, is not read: it is held in memory, and boot loaders and ESPs set narrower
/// bounds.
pub const INITRD: u64 = 256 << 20;
/// A configuration file inside it is smaller.
const KEPT: u32 = 256 << 10;
/// And all of them together.
const KEPT_ALL: usize = 4 << 20;
/// No initrd has more modules of those that are told.
const MODULES: usize = 64;

/// The configuration in an initrd, and what else tells how the early boot goes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InitrdContent {
    /// How its parts are packed, in order; the first ones are mostly microcode, unpacked.
    pub parts: Vec<Compression>,
    /// What made it.
    pub tool: Option<InitramfsTool>,
    /// Configuration files, by path without a leading slash.
    pub files: BTreeMap<String, String>,
    /// Of the kernel modules in it those that decide who gets a card, named with underscores.
    pub modules: BTreeSet<String>,
    /// Whether microcode stands before it.
    pub microcode: bool,
    /// Entries that it has.
    pub entries: usize,
    /// Why it could not be read to its end; none where it was.
    pub broken: Option<String>,
}

/// Where configuration that decides about passthrough lies in an initrd.
const KEPT_FOLDERS: [&str; 7] = [
    "etc/modprobe.d/",
    "usr/lib/modprobe.d/",
    "lib/modprobe.d/",
    "etc/modules-load.d/",
    "usr/lib/modules-load.d/",
    "conf/",
    "etc/cmdline.d/",
];
const KEPT_FILES: [&str; 4] = [
    "etc/modules",
    "etc/hostid",
    "scripts/init-top/ORDER",
    "scripts/init-top/preflight-vfio",
];

/// Modules that bind cards for guests, and those that would take a display card before.
const TOLD_MODULES: [&str; 13] = [
    "amdgpu",
    "ast",
    "i915",
    "mgag200",
    "nouveau",
    "nvidia",
    "nvidia_drm",
    "pci_stub",
    "radeon",
    "simpledrm",
    "snd_hda_intel",
    "xe",
    "xhci_pci",
];

/// Where VFIO and what it needs lie in a folder of modules: iommufd, irqbypass.
const TOLD_FOLDERS: [&str; 3] = ["/drivers/vfio/", "/drivers/iommu/", "/virt/lib/"];

fn is_told(path: &str, module: &str) -> bool {
    module.starts_with("vfio")
        || TOLD_MODULES.contains(&module)
        || TOLD_FOLDERS.iter().any(|folder| path.contains(folder))
}

impl InitrdContent {
    /// Reads an initrd, part by part, as far as `left` lasts, which is one for all initrds of a look. Never fails:
    /// how far it came is in `broken`.
    pub fn parse(bytes: &[u8], left: &mut Unpacking) -> Self {
        let mut content = Self::default();
        let mut kept = 0;
        let walked = walk(bytes, left, &is_kept, &mut |entry, bytes| {
            if is_kept(&entry) {
                kept += entry.name.len() + bytes.len();
            }
            content.take(&entry, &bytes, kept <= KEPT_ALL);
        });
        let segments = walked.segments.iter();
        content.parts = segments
            .clone()
            .map(|segment| segment.compression)
            .collect();
        content.entries = segments.map(|segment| segment.entries).sum();
        content.broken = walked.broken;
        content
    }

    fn take(&mut self, entry: &Entry, bytes: &[u8], room: bool) {
        if let Some(tool) = InitramfsTool::of(&entry.name) {
            self.tool.get_or_insert(tool);
        }
        if entry.name.starts_with("kernel/x86/microcode/") {
            self.microcode = true;
        }
        if self.modules.len() < MODULES
            && let Some(module) =
                module_name(&entry.name).filter(|module| is_told(&entry.name, module))
        {
            self.modules.insert(module);
        }
        if is_kept(entry) && room {
            let text = String::from_utf8_lossy(bytes).into_owned();
            self.files.insert(entry.name.clone(), text);
        }
    }
}

fn is_kept(entry: &Entry) -> bool {
    entry.is_file()
        && entry.size <= KEPT
        && (KEPT_FILES.contains(&entry.name.as_str())
            || KEPT_FOLDERS
                .iter()
                .any(|folder| entry.name.starts_with(folder)))
}

/// The module that a path like `usr/lib/modules/6.8.12/kernel/drivers/vfio/vfio.ko.zst` holds.
pub(crate) fn module_name(path: &str) -> Option<String> {
    let (_, file) = path.rsplit_once('/')?;
    let (name, ending) = file.split_once(".ko")?;
    matches!(ending, "" | ".zst" | ".xz" | ".gz").then(|| name.replace('-', "_"))
}

#[cfg(test)]
pub(crate) mod tests;
