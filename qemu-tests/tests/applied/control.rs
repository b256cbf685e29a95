//! What is to be seen of a system that nobody has changed.

use qemu_tests::golden::Golden;

use crate::lab::Lab;

/// Nothing in the tests of this binary would mean anything if it were so without Preflight.
fn keeps_the_card(golden: Golden) {
    let Some(lab) = Lab::with(golden) else { return };
    let framebuffers = "cat /proc/fb".to_owned();
    let host = lab.start("control", &lab.disks("control"), &[framebuffers]);
    assert!(
        !host.drivers().contains(&Some("vfio-pci")),
        "{:?}",
        host.functions
    );
    assert_eq!(host.drivers()[1], Some("snd_hda_intel"));
    assert!(
        !host.command_line.contains("iommu"),
        "{}",
        host.command_line
    );
    assert!(!host.log.contains("IOMMU enabled"), "{}", host.log);
    assert_ne!(host.answers, [""], "the display has no framebuffer");
    let used = host.used();
    assert!(used.iter().any(|entry| entry.function == 1), "{used:?}");
}

#[test]
fn lvm_and_ext4_keep_the_card_until_they_are_told_to_give_it_away() {
    keeps_the_card(Golden::LvmExt4Bios);
}

#[test]
#[ignore = "takes long: make soak"]
fn a_zfs_mirror_keeps_the_card_until_it_is_told_to_give_it_away() {
    keeps_the_card(Golden::ZfsSystemdBoot);
}
