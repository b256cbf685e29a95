//! Disks that the system has and that are not plugged in: it is told before anything is rehearsed.

use qemu_tests::golden::{self, Golden};

use crate::lab::Lab;
use crate::round_trip::{A_CHANGE, asked};

/// What the apply says before it does anything on overlays.
const REHEARSES: &str = "On overlays: ";

fn half_a_mirror_is_told(golden: Golden) {
    let Some(lab) = Lab::with(golden) else { return };
    let disks = lab.disks("half");
    let said = lab.apply("half", lab.stick_machine(&disks[..1]), "");
    assert_eq!(said.status, 2);
    for words in ["lacks 1 of its members", "nothing was written"] {
        assert!(said.text.contains(words), "'{words}': {}", said.text);
    }
    assert!(!said.text.contains(REHEARSES), "{}", said.text);
    assert!(!golden::holds_something(&lab.qemu, &disks[0]).unwrap());
}

#[test]
#[ignore = "takes long: make soak"]
fn half_a_zfs_mirror_is_told() {
    half_a_mirror_is_told(Golden::ZfsSystemdBoot);
}

#[test]
#[ignore = "takes long: make soak"]
fn half_a_btrfs_mirror_is_told() {
    half_a_mirror_is_told(Golden::BtrfsMirror);
}

#[test]
#[ignore = "takes long: make soak"]
fn an_esp_that_cannot_be_read_stands_in_the_way_until_that_is_accepted() {
    let Some(lab) = Lab::with(Golden::ZfsSystemdBoot) else {
        return;
    };
    let disks = lab.disks("away");
    let cause = "echo DEAD-BEEF >>/etc/kernel/proxmox-boot-uuids; sync".to_owned();
    lab.start("away-cause", &disks, &[cause]);
    let mut shell = lab.stick("away-apply", &disks);
    let command = format!("preflight apply {} --native --yes", lab.choice());
    let refused = asked(&mut shell, &command, A_CHANGE);
    assert_eq!(refused.status, 1);
    for words in ["Not verified: ESP DEAD-BEEF", "--accept unverified"] {
        assert!(refused.text.contains(words), "'{words}': {}", refused.text);
    }
    assert!(!refused.text.contains(REHEARSES), "{}", refused.text);
    let document = format!(
        "preflight apply {} --native --accept unverified --format json </dev/null 2>/dev/null",
        lab.choice()
    );
    let declined = asked(&mut shell, &document, A_CHANGE);
    assert_eq!(declined.status, 1);
    let document: serde_json::Value = serde_json::from_str(&declined.text).unwrap();
    let wrong = document["wrong"].to_string();
    assert!(wrong.contains("ESP DEAD-BEEF"), "{wrong}");
    let accepted = format!("{command} --accept unverified");
    let done = asked(&mut shell, &accepted, A_CHANGE);
    assert_eq!(done.status, 0);
    for words in [
        "Not verified, as accepted: ESP DEAD-BEEF",
        "what can be read is as planned",
    ] {
        assert!(done.text.contains(words), "'{words}': {}", done.text);
    }
    shell.power_off().unwrap();
}
