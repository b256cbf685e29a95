use std::collections::{BTreeMap, BTreeSet};

use archives::{Compression, Entry, Unpacking, walk};
use proxmox::initrd::InitramfsTool;

use super::InitrdError;

/// What an initrd holds, as far as it decides what is put behind it.
pub(super) struct Contents {
    pub(super) tool: Option<InitramfsTool>,
    /// Every path in it: files, folders and links.
    pub(super) names: BTreeSet<String>,
    /// Configuration and lists, by path.
    pub(super) files: BTreeMap<String, Vec<u8>>,
    /// The folder of the kernel's modules in it, where it has a modules.dep.
    pub(super) modules: Option<String>,
    /// How its last part is packed.
    pub(super) last: Compression,
}

const FOLDERS: [&str; 3] = ["etc/modprobe.d/", "etc/cmdline.d/", "scripts/init-top/"];
/// Lists of modules are the largest.
const LARGEST: u32 = 16 << 20;

impl Contents {
    pub(super) fn read(initrd: &[u8], version: &str) -> Result<Self, InitrdError> {
        let list = format!("modules/{version}/modules.dep");
        let is_list = |name: &str| {
            let above = name.strip_suffix(&list);
            above.is_some_and(|above| above.ends_with("lib/"))
        };
        let wanted = |entry: &Entry| {
            let name = entry.name.as_str();
            entry.is_file()
                && entry.size <= LARGEST
                && (name == "conf/modules"
                    || is_list(name)
                    || FOLDERS.iter().any(|folder| name.starts_with(folder)))
        };
        let mut contents = Self {
            tool: None,
            names: BTreeSet::new(),
            files: BTreeMap::new(),
            modules: None,
            last: Compression::None,
        };
        let walked = walk(
            initrd,
            &mut Unpacking::default(),
            &wanted,
            &mut |entry, bytes| {
                if contents.tool.is_none() {
                    contents.tool = InitramfsTool::of(&entry.name);
                }
                if is_list(&entry.name) {
                    let folder = entry
                        .name
                        .rsplit_once('/')
                        .map(|(folder, _)| folder.to_owned());
                    contents.modules = folder;
                }
                if wanted(&entry) {
                    contents.files.insert(entry.name.clone(), bytes);
                }
                contents.names.insert(entry.name);
            },
        );
        let segments = walked.whole().map_err(InitrdError::Broken)?;
        let last = segments.last().map(|segment| segment.compression);
        contents.last = last.unwrap_or(Compression::None);
        Ok(contents)
    }

    /// A text of it; empty where it is not there.
    pub(super) fn text(&self, path: &str) -> String {
        let bytes = self.files.get(path).map(Vec::as_slice).unwrap_or_default();
        String::from_utf8_lossy(bytes).into_owned()
    }

    /// Whether a file of it has these bytes.
    pub(super) fn has(&self, path: &str, bytes: &[u8]) -> bool {
        self.files.get(path).is_some_and(|there| there == bytes)
    }
}
