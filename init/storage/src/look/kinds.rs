//! The file systems that a look mounts.

/// One kind.
pub(super) struct Kind {
    /// libblkid's name.
    pub name: &'static str,
    /// The kernel's name of the driver.
    pub driver: &'static str,
    /// Options to mount it with; btrfs is given its members beside.
    options: &'static str,
    /// Options to add for writing, each taking the place of an earlier one of its name.
    to_write: &'static str,
    /// Kernel modules that it needs.
    pub modules: &'static [&'static str],
    /// Whether a Linux system may have its root on it.
    pub may_be_root: bool,
}

const EXT4: Kind = Kind {
    name: "ext4",
    driver: "ext4",
    // A damaged file system may ask for a kernel panic.
    options: "errors=remount-ro",
    to_write: "",
    modules: &["crc32c_generic", "ext4"],
    may_be_root: true,
};

/// All of them.
pub(super) const KINDS: [Kind; 6] = [
    Kind {
        name: "ext2",
        ..EXT4
    },
    Kind {
        name: "ext3",
        ..EXT4
    },
    EXT4,
    Kind {
        name: "xfs",
        driver: "xfs",
        // A copy of another disk has the same UUID, and both may be read.
        options: "nouuid",
        to_write: "",
        modules: &["crc32c_generic", "xfs"],
        may_be_root: true,
    },
    Kind {
        name: "btrfs",
        driver: "btrfs",
        options: "",
        to_write: "",
        modules: &["crc32c_generic", "btrfs"],
        may_be_root: true,
    },
    Kind {
        name: "vfat",
        driver: "vfat",
        options: "errors=remount-ro,codepage=437,iocharset=iso8859-1,shortname=mixed",
        // An end that ends an earlier change has to go on where that one left clusters that belong to nothing.
        to_write: ",errors=continue",
        modules: &[
            "vfat",
            "nls_cp437",
            "nls_iso8859-1",
            "nls_ascii",
            "nls_utf8",
        ],
        may_be_root: false,
    },
];

impl Kind {
    /// Options to mount it with, to read or to write.
    pub fn options(&self, to_write: bool) -> String {
        let more = if to_write { self.to_write } else { "" };
        format!("{}{more}", self.options)
    }
}

/// The kind that libblkid calls so.
pub(super) fn kind(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_on_an_esp_does_not_stop_those_who_write_to_it() {
        let on_error = |name: &str, to_write| {
            let options = kind(name).unwrap().options(to_write);
            let words = options.split(',');
            let last = words
                .filter_map(|word| word.strip_prefix("errors="))
                .next_back();
            last.map(str::to_owned)
        };
        assert_eq!(on_error("vfat", false).as_deref(), Some("remount-ro"));
        assert_eq!(on_error("vfat", true).as_deref(), Some("continue"));
        for to_write in [false, true] {
            assert_eq!(on_error("ext4", to_write).as_deref(), Some("remount-ro"));
            assert_eq!(on_error("xfs", to_write), None);
        }
    }
}
