//! Mirrors without one of their halves.

use qemu_tests::golden::Golden;
use storage::Trouble;

use crate::lab::Lab;

/// Looks at either half alone.
fn each_half_is_enough(golden: Golden) {
    let Some((lab, [installed])) = Lab::with([golden]) else {
        return;
    };
    for (number, half) in installed.disks.iter().enumerate() {
        let name = format!("installed-half-{number}-{}", golden.name());
        let found = lab.look(&name, std::slice::from_ref(half), &[]);
        assert_eq!(
            found.texts("/etc/hostname"),
            [format!("{}\n", golden.name())]
        );
        let lacks = |trouble: &Trouble| matches!(trouble, Trouble::Incomplete { missing: 1, .. });
        assert_eq!(
            found.storage.troubles.len(),
            1,
            "{:?}",
            found.storage.troubles
        );
        assert!(lacks(&found.storage.troubles[0]));
    }
}

#[test]
#[ignore = "takes long: make soak"]
fn a_zfs_mirror() {
    each_half_is_enough(Golden::ZfsGrub);
}

#[test]
fn a_btrfs_mirror() {
    each_half_is_enough(Golden::BtrfsMirror);
}
