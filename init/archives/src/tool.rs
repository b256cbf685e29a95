use serde::{Deserialize, Serialize};

/// The programs of distributions that make initramfs images.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InitramfsTool {
    /// Debian's initramfs-tools.
    InitramfsTools,
    /// dracut.
    Dracut,
    /// mkinitcpio.
    Mkinitcpio,
}

/// Files that only one tool puts into an image.
const FILES: [(&str, InitramfsTool); 5] = [
    ("conf/initramfs.conf", InitramfsTool::InitramfsTools),
    ("scripts/functions", InitramfsTool::InitramfsTools),
    ("usr/lib/dracut/dracut-util", InitramfsTool::Dracut),
    ("usr/lib/dracut/build-parameter.txt", InitramfsTool::Dracut),
    ("buildconfig", InitramfsTool::Mkinitcpio),
];

impl InitramfsTool {
    /// The one that alone puts a file of this path, without a leading slash, into an image.
    pub fn of(path: &str) -> Option<Self> {
        // Before /usr was merged, its files lay beside it.
        let is_it = |known: &str| known == path || known.strip_prefix("usr/") == Some(path);
        let found = FILES.iter().find(|(known, _)| is_it(known));
        found.map(|(_, tool)| *tool)
    }

    /// Its usual name.
    pub fn name(self) -> &'static str {
        match self {
            Self::InitramfsTools => "initramfs-tools",
            Self::Dracut => "dracut",
            Self::Mkinitcpio => "mkinitcpio",
        }
    }
}
