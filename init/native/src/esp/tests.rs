use proxmox::boot::esp::EspSource;
use proxmox::files::MemoryFiles;
use proxmox::{Installation, Sources, look};

use super::*;

const NEW: &str = "6.8.12-2-pve";
const OLD: &str = "6.8.4-2-pve";
const OPTIONS: &str = "root=ZFS=rpool/ROOT/pve-1 boot=zfs";

fn words() -> Vec<WordEdit> {
    vec![WordEdit::item("iommu", "pt")]
}

/// A root with one of the two kernels of its ESP.
fn root() -> MemoryFiles {
    MemoryFiles::new()
        .file("etc/kernel/proxmox-boot-uuids", "1A2B-3C4D\n")
        .file(&format!("boot/vmlinuz-{NEW}"), "kernel")
        .file(&format!("boot/initrd.img-{NEW}"), "new initrd")
}

fn entry(version: &str, options: &str) -> String {
    format!(
        "title Proxmox\nversion {version}\noptions {options}\nlinux /EFI/proxmox/{version}/vmlinuz-{version}\ninitrd /EFI/proxmox/{version}/initrd.img-{version}\n"
    )
}

fn systemd_boot() -> MemoryFiles {
    let mut files = MemoryFiles::new()
        .file(
            "EFI/systemd/systemd-bootx64.efi",
            "#### LoaderInfo: systemd-boot 252 ####",
        )
        .file("loader/loader.conf", "default proxmox-*\n")
        .file("loader/entries/mine.conf", entry(NEW, "debug"));
    for version in [NEW, OLD] {
        let folder = format!("EFI/proxmox/{version}");
        files = files
            .file(
                &format!("loader/entries/proxmox-{version}.conf"),
                entry(version, OPTIONS),
            )
            .file(&format!("{folder}/vmlinuz-{version}"), "kernel")
            .file(&format!("{folder}/initrd.img-{version}"), "old initrd");
    }
    files
}

fn menu(options: &str) -> String {
    let entries = [NEW, OLD].map(|version| {
        format!("menuentry '{version}' {{\n\tlinux /vmlinuz-{version} {options}\n\tinitrd /initrd.img-{version}\n}}\n")
    });
    entries.concat()
}

fn grub() -> MemoryFiles {
    let mut files = MemoryFiles::new()
        .file("EFI/proxmox/grubx64.efi", "Welcome to GRUB!")
        .file("EFI/proxmox/grub.cfg", "set prefix=($root)'/grub'\n")
        .file("grub/grub.cfg", menu(OPTIONS));
    for version in [NEW, OLD] {
        files = files
            .file(&format!("vmlinuz-{version}"), "kernel")
            .file(&format!("initrd.img-{version}"), "old initrd");
    }
    files
}

fn seen(root: &MemoryFiles, esp: &MemoryFiles) -> Installation {
    look(&Sources {
        esps: vec![EspSource {
            name: "disk".to_owned(),
            volume_id: Some("1A2B-3C4D".to_owned()),
            partition: None,
            files: esp,
        }],
        ..Sources::new(root)
    })
}

fn changes_of(root: &MemoryFiles, esp: &MemoryFiles) -> Result<Vec<EspChange>, EspError> {
    let system = seen(root, esp);
    changes(&system.boot.esps[0], esp, root, &words())
}

fn done(root: &MemoryFiles, esp: MemoryFiles) -> MemoryFiles {
    let changes = changes_of(root, &esp).unwrap();
    changes.into_iter().fold(esp, |esp, change| {
        let bytes = match change.contents {
            Contents::CopyOf(path) => root.read(Path::new(&path), INITRD).unwrap(),
            Contents::Bytes(bytes) => bytes,
        };
        esp.file(&change.path, bytes)
    })
}

fn change(path: &str, contents: Contents) -> EspChange {
    EspChange {
        path: path.to_owned(),
        contents,
    }
}

fn bytes(text: &str) -> Contents {
    Contents::Bytes(text.as_bytes().to_vec())
}

fn copy(path: &str) -> Contents {
    Contents::CopyOf(path.to_owned())
}

#[test]
fn an_esp_with_systemd_boot_gets_the_new_initrd_first_and_then_every_entry_the_words() {
    let options = format!("{OPTIONS} iommu=pt");
    assert_eq!(
        changes_of(&root(), &systemd_boot()).unwrap(),
        [
            change(
                "EFI/proxmox/6.8.12-2-pve/initrd.img-6.8.12-2-pve",
                copy("/boot/initrd.img-6.8.12-2-pve")
            ),
            change(
                "loader/entries/proxmox-6.8.12-2-pve.conf",
                bytes(&entry(NEW, &options))
            ),
            change(
                "loader/entries/proxmox-6.8.4-2-pve.conf",
                bytes(&entry(OLD, &options))
            ),
        ]
    );
}

#[test]
fn an_esp_with_grub_gets_them_at_its_root_and_its_menu_the_words() {
    assert_eq!(
        changes_of(&root(), &grub()).unwrap(),
        [
            change(
                "initrd.img-6.8.12-2-pve",
                copy("/boot/initrd.img-6.8.12-2-pve")
            ),
            change(
                "grub/grub.cfg",
                bytes(&menu(&format!("{OPTIONS} iommu=pt")))
            ),
        ]
    );
}

#[test]
fn what_a_systemd_boot_left_behind_where_grub_starts_stays() {
    let both = grub()
        .file(
            &format!("loader/entries/proxmox-{NEW}.conf"),
            entry(NEW, OPTIONS),
        )
        .file(&format!("EFI/proxmox/{NEW}/vmlinuz-{NEW}"), "kernel");
    assert_eq!(
        changes_of(&root(), &both).unwrap(),
        changes_of(&root(), &grub()).unwrap()
    );
}

#[test]
fn an_esp_for_both_ways_of_starting_is_changed_for_both() {
    let mut both = systemd_boot().file("grub/grub.cfg", menu(OPTIONS));
    for version in [NEW, OLD] {
        both = both
            .file(&format!("vmlinuz-{version}"), "kernel")
            .file(&format!("initrd.img-{version}"), "old");
    }
    let paths: Vec<String> = changes_of(&root(), &both)
        .unwrap()
        .into_iter()
        .map(|change| change.path)
        .collect();
    assert_eq!(
        paths,
        [
            "initrd.img-6.8.12-2-pve",
            "EFI/proxmox/6.8.12-2-pve/initrd.img-6.8.12-2-pve",
            "loader/entries/proxmox-6.8.12-2-pve.conf",
            "loader/entries/proxmox-6.8.4-2-pve.conf",
            "grub/grub.cfg",
        ]
    );
}

#[test]
fn done_once_nothing_is_left_to_do_and_every_kernel_is_still_there() {
    for esp in [systemd_boot(), grub()] {
        let after = done(&root(), esp.clone());
        assert_eq!(changes_of(&root(), &after).unwrap(), []);
        let kernels = |esp: &MemoryFiles| seen(&root(), esp).boot.esps[0].kernels.clone();
        assert_eq!(kernels(&after), kernels(&esp));
        assert_eq!(kernels(&after).len(), 2);
    }
}

#[test]
fn a_kernel_that_is_another_one_or_has_lost_its_initrd_is_copied_again() {
    let folder = format!("EFI/proxmox/{NEW}");
    let esp = done(&root(), systemd_boot()).file(&format!("{folder}/vmlinuz-{NEW}"), "torn");
    assert_eq!(
        changes_of(&root(), &esp).unwrap(),
        [change(
            &format!("{folder}/vmlinuz-{NEW}"),
            copy("/boot/vmlinuz-6.8.12-2-pve")
        )]
    );
    let without = MemoryFiles::new()
        .file(
            "EFI/systemd/systemd-bootx64.efi",
            "#### LoaderInfo: systemd-boot 252 ####",
        )
        .file(
            &format!("loader/entries/proxmox-{NEW}.conf"),
            entry(NEW, "root=/dev/sda1 iommu=pt"),
        )
        .file(&format!("{folder}/vmlinuz-{NEW}"), "kernel");
    assert_eq!(
        changes_of(&root(), &without).unwrap(),
        [change(
            &format!("{folder}/initrd.img-{NEW}"),
            copy("/boot/initrd.img-6.8.12-2-pve")
        )]
    );
}

#[test]
fn an_esp_of_another_layout_is_refused() {
    let debian = MemoryFiles::new().file("EFI/debian/grubx64.efi", "Welcome to GRUB!");
    let error = changes_of(&root(), &debian).unwrap_err().to_string();
    assert!(
        error.starts_with("ESP 1A2B-3C4D (disk) is not laid out as proxmox-boot-tool does it"),
        "{error}"
    );
    let empty = grub().file("grub/grub.cfg", "set timeout=5\n");
    let error = changes_of(&root(), &empty).unwrap_err().to_string();
    assert!(
        error.contains("grub/grub.cfg: no entry of it starts a kernel"),
        "{error}"
    );
}

#[test]
fn an_initrd_that_cannot_be_read_is_no_reason_to_go_on() {
    let broken = root().special(
        &format!("boot/initrd.img-{NEW}"),
        proxmox::files::Kind::Folder,
    );
    let error = changes_of(&broken, &systemd_boot()).unwrap_err();
    assert!(matches!(error, EspError::Unread { .. }), "{error}");
}
