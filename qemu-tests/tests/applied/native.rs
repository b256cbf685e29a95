//! A system whose own tools are gone: it still starts, and is changed and taken back without them.

use qemu_tests::golden::Golden;

use crate::host::Host;
use crate::lab::Lab;
use crate::planned::Planned;
use crate::planned::planned;
use crate::round_trip::{A_CHANGE, asked, gives_the_card_away, is_the_same, takes_it_back};

/// The whole way with a system that lacks these files.
fn is_changed_without_its_tools(golden: Golden, gone: &str, says: &[&str]) {
    let Some(lab) = Lab::with(golden) else { return };
    let disks = lab.disks("broken");
    let broken: Host = lab.start("broken", &disks, &[format!("rm {gone}; sync; ls {gone}")]);
    assert_eq!(broken.answers, [""], "all of it was there");
    let before = lab.inventory("broken-before", &disks);

    let applied = lab.copy("native", &disks);
    let mut shell = lab.stick("native-apply", &applied);
    let command = format!("preflight apply {} --yes", lab.choice());
    let refused = asked(&mut shell, &command, A_CHANGE);
    assert_eq!(refused.status, 2);
    for words in says.iter().chain(&["nothing was written", "--native"]) {
        assert!(refused.text.contains(words), "'{words}': {}", refused.text);
    }
    let done = asked(&mut shell, &format!("{command} --native"), A_CHANGE);
    assert_eq!(done.status, 0);
    shell.power_off().unwrap();

    let files = planned(&done.text);
    assert!(files.len() > 1, "{files:?}");
    let started = lab.copy("native-started", &applied);
    let questions: Vec<String> = files.iter().map(Planned::shown_by).collect();
    gives_the_card_away(
        &lab.start("native-given-away", &started, &questions),
        &files,
    );
    takes_it_back(&lab.undo("native-undo", &applied));
    is_the_same(&before, &lab.inventory("native-after", &applied));
}

#[test]
#[ignore = "takes long: make soak"]
fn lvm_and_ext4_by_bios_without_update_grub_and_update_initramfs() {
    is_changed_without_its_tools(
        Golden::LvmExt4Bios,
        "/usr/sbin/update-grub /usr/sbin/update-initramfs",
        &["update-grub"],
    );
}

#[test]
#[ignore = "takes long: make soak"]
fn a_zfs_mirror_by_systemd_boot_without_mkinitramfs() {
    is_changed_without_its_tools(
        Golden::ZfsSystemdBoot,
        "/usr/sbin/mkinitramfs",
        &["what makes its initrds was not found"],
    );
}
