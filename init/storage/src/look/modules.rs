use super::kinds::kind;

/// Every kernel module that a look may need; those that a kernel has built in are fine, and so is one that does not
/// have `zfs`.
pub const MODULES: &[&str] = &[
    "dm_mod",
    "dm_snapshot",
    "loop",
    "crc32c_generic",
    "ext4",
    "xfs",
    "btrfs",
    "vfat",
    "nls_cp437",
    "nls_iso8859-1",
    "nls_ascii",
    "nls_utf8",
    "md_mod",
    "raid0",
    "raid1",
    "raid10",
    "raid456",
    "dm_raid",
    "dm_mirror",
    "dm_crypt",
    "aes_generic",
    "aesni_intel",
    "ecb",
    "cbc",
    "xts",
    "essiv",
    "algif_skcipher",
    "algif_hash",
    "zfs",
];

/// Those that every look needs.
pub(super) const BASE: &[&str] = &["dm_mod", "dm_snapshot", "loop"];

/// What needs further ones beside file systems: by libblkid's types, and by LVM's layouts.
const NEEDS: &[(&str, &[&str])] = &[
    (
        "linux_raid_member",
        &["md_mod", "raid0", "raid1", "raid10", "raid456"],
    ),
    ("raid", &["dm_raid", "dm_mirror"]),
    ("mirror", &["dm_mirror"]),
    (
        "crypto_LUKS",
        &[
            "dm_crypt",
            "aes_generic",
            "aesni_intel",
            "ecb",
            "cbc",
            "xts",
            "essiv",
            "algif_skcipher",
            "algif_hash",
        ],
    ),
    ("zfs_member", &["zfs"]),
];

/// The modules that this needs beside the base.
pub(super) fn needed_for(name: &str) -> &'static [&'static str] {
    if let Some(kind) = kind(name) {
        return kind.modules;
    }
    let found = NEEDS.iter().find(|(known, _)| *known == name);
    found.map_or(&[], |(_, modules)| modules)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::kinds::KINDS;
    use super::*;

    #[test]
    fn the_list_of_all_modules_is_what_one_or_another_thing_needs() {
        let needed = NEEDS.iter().flat_map(|(_, modules)| *modules).chain(BASE);
        let needed = needed.chain(KINDS.iter().flat_map(|kind| kind.modules));
        let needed: BTreeSet<&str> = needed.copied().collect();
        assert_eq!(needed, MODULES.iter().copied().collect());
    }
}
