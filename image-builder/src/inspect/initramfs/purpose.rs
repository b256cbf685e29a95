use archives::InitramfsTool;
use serde::Serialize;

/// What makes initramfs images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Maker {
    /// Preflight's image-builder.
    Preflight,
    /// A tool of a distribution.
    #[serde(untagged)]
    Tool(InitramfsTool),
}

impl Maker {
    /// The one that alone has a file of this path.
    pub(super) fn of(path: &str) -> Option<Self> {
        match path {
            super::MANIFEST => Some(Self::Preflight),
            _ => InitramfsTool::of(path).map(Self::Tool),
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Preflight => "Preflight",
            Self::Tool(tool) => tool.name(),
        }
    }
}

/// What files are for where no manifest says so, by their folder without `usr/`. The first that fits counts.
const PURPOSES: [(&str, &str); 12] = [
    ("kernel/x86/microcode/", "microcode, loaded early"),
    ("kernel/firmware/acpi/", "ACPI tables, loaded early"),
    ("lib/firmware/", "firmware"),
    ("lib/modules/", "kernel modules"),
    ("lib/modprobe.d/", "configuration"),
    ("etc/", "configuration"),
    ("conf/", "configuration"),
    ("bin/", "programs"),
    ("sbin/", "programs"),
    ("lib/systemd/", "systemd"),
    ("lib", "libraries and helpers"),
    ("share/", "data"),
];

/// What a file of this path is for.
pub(super) fn purpose(path: &str) -> &'static str {
    let path = path.strip_prefix("usr/").unwrap_or(path);
    let found = PURPOSES.iter().find(|(folder, _)| path.starts_with(folder));
    found.map_or("scripts and the rest", |(_, purpose)| purpose)
}

/// Whether this is the folder of programs.
pub(super) fn is_program_folder(folder: &str) -> bool {
    matches!(
        folder.strip_prefix("usr/").unwrap_or(folder),
        "bin" | "sbin"
    ) || folder == "usr/local/bin"
}
