use serde::Serialize;

/// The programs that make initramfs images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Maker {
    /// Preflight's image-builder.
    Preflight,
    /// Debian's initramfs-tools.
    InitramfsTools,
    /// dracut.
    Dracut,
    /// mkinitcpio.
    Mkinitcpio,
}

/// Files that only one maker puts into an image.
const MAKERS: [(&str, Maker); 6] = [
    (super::MANIFEST, Maker::Preflight),
    ("conf/initramfs.conf", Maker::InitramfsTools),
    ("scripts/functions", Maker::InitramfsTools),
    ("usr/lib/dracut/build-parameter.txt", Maker::Dracut),
    ("usr/lib/dracut/dracut-util", Maker::Dracut),
    ("buildconfig", Maker::Mkinitcpio),
];

impl Maker {
    /// The one that alone has a file of this path.
    pub(super) fn of(path: &str) -> Option<Self> {
        // A merged /usr has it there, and older dracut beside it.
        let path = path.strip_prefix("usr/").unwrap_or(path);
        let found = MAKERS
            .iter()
            .find(|(known, _)| known.strip_prefix("usr/").unwrap_or(known) == path);
        found.map(|(_, maker)| *maker)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Preflight => "Preflight",
            Self::InitramfsTools => "initramfs-tools",
            Self::Dracut => "dracut",
            Self::Mkinitcpio => "mkinitcpio",
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
