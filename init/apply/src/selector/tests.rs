#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;

const INITRD: &str = "/boot/initrd.img-6.8.12-2-pve";

#[test]
fn grub_names_a_payload_from_the_root_of_its_own_file_system() {
    for word in [
        "/boot/initrd.img-6.8.12-2-pve",
        "/initrd.img-6.8.12-2-pve",
        "/ROOT/pve-1@/boot/initrd.img-6.8.12-2-pve",
        "/@/boot/initrd.img-6.8.12-2-pve",
    ] {
        let text = format!("\tlinux\t/boot/vmlinuz-6.8.12-2-pve root=/dev/x\n\tinitrd\t{word}\n");
        assert!(names(text.as_bytes(), INITRD), "{word}");
    }
}

fn naming(text: &str, payloads: &[&str]) -> Result<Naming, Ambiguous> {
    Naming::new(false, &[text.as_bytes().to_vec()], payloads)
}

#[test]
fn a_data_set_or_subvolume_stands_before_every_path_of_a_menu() {
    for above in ["", "/ROOT/pve-1@", "/@", "($root)"] {
        let text = format!("linux {above}/boot/vmlinuz\ninitrd {above}{INITRD}\n");
        let naming = naming(&text, &[INITRD, "/boot/vmlinuz"]).unwrap();
        let renamed = naming.renamed(text.as_bytes(), &[(INITRD, "new".to_owned())]);
        let wanted = format!("linux {above}/boot/vmlinuz\ninitrd {above}/boot/new\n");
        assert_eq!(String::from_utf8(renamed).unwrap(), wanted);
    }
}

#[test]
fn payloads_of_the_same_name_in_two_layouts_of_one_esp_are_told_apart() {
    let (deep, flat) = ("/EFI/proxmox/6.1/initrd.img", "/6.1/initrd.img");
    let text = format!("initrd {deep}\ninitrd {flat}\n");
    // Whether the other one changes too or not.
    for payloads in [vec![deep, flat], vec![flat, deep], vec![flat], vec![deep]] {
        let naming = Naming::new(true, &[text.as_bytes().to_vec()], &payloads).unwrap();
        let new: Vec<(&str, String)> = payloads
            .iter()
            .map(|path| (*path, format!("new{}", path.len())))
            .collect();
        let mut wanted = text.clone();
        for path in &payloads {
            let folder = path.strip_suffix("initrd.img").unwrap();
            let (old, new) = (
                format!(" {path}\n"),
                format!(" {folder}new{}\n", path.len()),
            );
            wanted = wanted.replace(&old, &new);
        }
        let renamed = naming.renamed(text.as_bytes(), &new);
        assert_eq!(String::from_utf8(renamed).unwrap(), wanted);
    }
}

#[test]
fn a_kernel_in_the_root_and_one_in_boot_are_told_apart() {
    let text = "linux /boot/vmlinuz\nlinux /vmlinuz\n";
    for (path, wanted) in [
        ("/vmlinuz", "linux /boot/vmlinuz\nlinux /new\n"),
        ("/boot/vmlinuz", "linux /boot/new\nlinux /vmlinuz\n"),
    ] {
        let naming = naming(text, &[path]).unwrap();
        let renamed = naming.renamed(text.as_bytes(), &[(path, "new".to_owned())]);
        assert_eq!(String::from_utf8(renamed).unwrap(), wanted);
    }
    let on_zfs = "linux /ROOT/a@/6.1/x\nlinux /ROOT/a@/EFI/6.1/x\n";
    let naming = naming(on_zfs, &["/6.1/x", "/EFI/6.1/x"]).unwrap();
    assert_eq!(naming.above, ["ROOT", "a@"]);
}

#[test]
fn a_snapshots_payload_is_another_file_and_one_of_two_data_sets_is_refused() {
    let snapshot = format!("initrd {INITRD}\ninitrd /.snapshots/1/snapshot{INITRD}\n");
    assert_eq!(naming(&snapshot, &[INITRD]), Ok(Naming::default()));
    let two = format!("initrd /ROOT/a@{INITRD}\ninitrd /ROOT/b@{INITRD}\n");
    let word = format!("/ROOT/b@{INITRD}");
    assert_eq!(naming(&two, &[INITRD]), Err(Ambiguous(word)));
}

#[test]
fn a_name_that_only_the_loader_can_resolve_is_refused() {
    for front in ["(hd0,gpt2)", "$dir", "/boot/..", "initrd="] {
        let text = format!("initrd {INITRD}\ninitrd {front}{INITRD}\n");
        let word = format!("{front}{INITRD}");
        assert_eq!(naming(&text, &[INITRD]), Err(Ambiguous(word)));
    }
    let option = format!("linux /x BOOT_IMAGE={INITRD}\ninitrd {INITRD}\n");
    assert_eq!(naming(&option, &[INITRD]), Ok(Naming::default()));
}

#[test]
fn an_esp_takes_a_name_in_other_letters_for_the_same_file() {
    let text = b"initrd /efi/PROXMOX/6/Initrd.img\n".to_vec();
    let payload = "/EFI/proxmox/6/initrd.img";
    let naming = Naming::new(true, std::slice::from_ref(&text), &[payload]).unwrap();
    let renamed = naming.renamed(&text, &[(payload, "new".to_owned())]);
    assert_eq!(renamed, b"initrd /efi/PROXMOX/6/new\n");
}

#[test]
fn a_title_and_another_kernels_initrd_are_no_name_of_it() {
    for text in [
        "menuentry 'initrd.img-6.8.12-2-pve' {",
        "initrd /boot/initrd.img-6.8.12-2-pve.old",
        "initrd /other/initrd.img-6.8.12-2-pve",
        "initrd /boot/initrd.img-6.8.12-1-pve",
    ] {
        assert!(!names(text.as_bytes(), INITRD), "{text}");
    }
}

#[test]
fn a_renamed_payload_stays_in_its_folder_and_nothing_else_changes() {
    let entry =
        b"title x\nlinux /EFI/proxmox/6/vmlinuz-6\ninitrd  \\EFI\\proxmox\\6\\initrd.img-6\n";
    let payload = "/EFI/proxmox/6/initrd.img-6";
    let naming = Naming::new(true, &[entry.to_vec()], &[payload]).unwrap();
    let renamed = naming.renamed(entry, &[(payload, "new".to_owned())]);
    let expected = b"title x\nlinux /EFI/proxmox/6/vmlinuz-6\ninitrd  \\EFI\\proxmox\\6\\new\n";
    assert_eq!(renamed, expected);
}

proptest! {
    #[test]
    fn any_bytes_stay_when_no_payload_is_named(text in any::<Vec<u8>>()) {
        let payload = "/nowhere/at-all";
        if let Ok(naming) = Naming::new(false, std::slice::from_ref(&text), &[payload]) {
            prop_assert_eq!(naming.renamed(&text, &[(payload, "x".to_owned())]), text);
        }
    }
}
