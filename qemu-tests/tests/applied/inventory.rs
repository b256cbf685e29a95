//! The list of all files tells a system that was changed from one that was not.

use qemu_tests::golden::Golden;

use crate::lab::Lab;

#[test]
#[ignore = "takes long: make soak"]
fn a_file_that_changes_while_the_system_runs_is_seen_and_the_others_are_as_they_were_installed() {
    let Some(lab) = Lab::with(Golden::LvmExt4Bios) else {
        return;
    };
    let before = lab.inventory("inventory-before", &lab.installed.disks);
    let manifest = &lab.installed.manifest;
    for (path, digest) in &manifest.files {
        let path = format!("/{path}");
        let mut listed = before.at(&path);
        assert!(listed.any(|what| what.ends_with(digest.as_str())), "{path}");
    }
    for esp in &manifest.esps {
        let volumes = esp.files.iter();
        for (path, digest) in volumes {
            let path = format!("/{path}");
            assert!(
                before.at(&path).any(|what| what.ends_with(digest.as_str())),
                "{path}"
            );
        }
    }
    let disks = lab.disks("inventory-changed");
    let host = lab.start(
        "inventory-start",
        &disks,
        &["chmod 600 /etc/fstab".to_owned()],
    );
    assert_eq!(host.answers, [""]);
    let difference = before.difference(&lab.inventory("inventory-after", &disks));
    println!(
        "{} of {} files differ",
        difference.len() / 2,
        before.files.len()
    );
    println!("{}", difference.join("\n"));
    assert!(difference.len() < before.files.len() / 10);
    let fstab: Vec<&String> = difference
        .iter()
        .filter(|line| line.contains(":/etc/fstab "))
        .collect();
    assert_eq!(fstab.len(), 2);
    assert!(
        fstab[0].contains(" - 644 0:0 ") && fstab[1].contains(" - 600 0:0 "),
        "{fstab:?}"
    );
}
