use hardware::{FirmwareKind, Reading};

use super::esp::EspSource;
use super::firmware::{BootEntries, BootEntry};
use super::way::Method;
use super::*;
use crate::files::MemoryFiles;

const SYSTEMD_BOOT: &[u8] = b"MZ..#### LoaderInfo: systemd-boot 252.39-1~deb12u2 ####";
const GRUB: &[u8] = b"MZ..sbat,1,SBAT Version\ngrub,4,Free Software Foundation,grub,2.06";
const SHIM: &[u8] =
    b"MZ..sbat,1,SBAT Version\nshim,4,UEFI shim,shim,1,https://github.com/rhboot/shim";
const UUIDS: &str = "/etc/kernel/proxmox-boot-uuids";

fn entry(version: &str) -> String {
    format!(
        "title Proxmox Virtual Environment\nversion {version}\noptions root=ZFS=rpool/ROOT/pve-1 boot=zfs\n\
         linux /EFI/proxmox/{version}/vmlinuz-{version}\ninitrd /EFI/proxmox/{version}/initrd.img-{version}\n"
    )
}

fn with_systemd_boot(files: MemoryFiles) -> MemoryFiles {
    files
        .file("EFI/systemd/systemd-bootx64.efi", SYSTEMD_BOOT)
        .file("EFI/BOOT/BOOTX64.EFI", SYSTEMD_BOOT)
        .file("loader/loader.conf", "timeout 3\ndefault proxmox-*\n")
        .file(
            "loader/entries/proxmox-6.8.12-2-pve.conf",
            entry("6.8.12-2-pve"),
        )
        .file(
            "loader/entries/proxmox-6.8.4-2-pve.conf",
            entry("6.8.4-2-pve"),
        )
        .file("EFI/proxmox/6.8.12-2-pve/vmlinuz-6.8.12-2-pve", "kernel")
        .file("EFI/proxmox/6.8.12-2-pve/initrd.img-6.8.12-2-pve", "initrd")
}

const MENU: &str = "set default=0\nmenuentry 'Proxmox VE GNU/Linux' {\n\tlinux /vmlinuz-6.8.12-2-pve root=ZFS=/ROOT/pve-1 ro quiet\n\tinitrd /initrd.img-6.8.12-2-pve\n}\n";

fn with_grub_on_esp(files: MemoryFiles) -> MemoryFiles {
    files
        .file("EFI/proxmox/shimx64.efi", SHIM)
        .file("EFI/proxmox/grubx64.efi", GRUB)
        .file("EFI/proxmox/grub.cfg", "search.fs_uuid 1A2B-3C4D root\nset prefix=($root)'/grub'\nconfigfile $prefix/grub.cfg\n")
        .file("grub/grub.cfg", MENU)
        .file("vmlinuz-6.8.12-2-pve", "kernel")
}

fn boot(
    root: &MemoryFiles,
    esps: &[(&str, u8, &MemoryFiles)],
    entries: Reading<BootEntries>,
) -> Boot {
    let states = esps
        .iter()
        .map(|(id, partition, files)| {
            let source = EspSource {
                name: "disk".to_owned(),
                volume_id: Some((*id).to_owned()),
                partition: Some(guid(*partition)),
                files: *files,
            };
            EspState::read(&source, &Reader::new(*files, String::new()))
        })
        .collect();
    let unknown = Reading::Unknown("not asked".into());
    Boot::read(&Reader::new(root, String::new()), states, unknown, entries)
}

fn guid(partition: u8) -> String {
    let byte = format!("{partition:02x}");
    let part = |bytes: usize| byte.repeat(bytes);
    format!(
        "{}-{}-{}-{}-{}",
        part(4),
        part(2),
        part(2),
        part(2),
        part(6)
    )
}

fn entries(list: &[(u8, &str)]) -> Reading<BootEntries> {
    let entries = list
        .iter()
        .zip(0_u16..)
        .map(|((partition, file), number)| BootEntry {
            number,
            description: "Linux".to_owned(),
            active: true,
            partition: Some(guid(*partition)),
            file: Some((*file).to_owned()),
        });
    Reading::Known(BootEntries {
        entries: entries.collect(),
        loader_choice: None,
    })
}

fn not_read() -> Reading<BootEntries> {
    Reading::Unknown("not read".into())
}

#[test]
fn zfs_by_uefi_starts_by_systemd_boot_from_the_esp() {
    let root = MemoryFiles::new().file(UUIDS, "1A2B-3C4D\n5E6F-7A8B\n");
    let esp = with_systemd_boot(MemoryFiles::new());
    let boot = boot(
        &root,
        &[("1A2B-3C4D", 1, &esp), ("5E6F-7A8B", 2, &esp)],
        not_read(),
    );
    assert_eq!(boot.uefi.method, Reading::Known(Method::SystemdBoot));
    let next = boot.uefi.next.known().unwrap();
    assert_eq!(next.kernel.as_deref(), Some("6.8.12-2-pve"));
    assert_eq!(
        next.command_line.as_str(),
        "root=ZFS=rpool/ROOT/pve-1 boot=zfs"
    );
    assert_eq!(
        next.place.to_string(),
        "ESP 1A2B-3C4D (disk): /loader/entries/proxmox-6.8.12-2-pve.conf:3"
    );
    assert_eq!(boot.bios.method, Reading::Absent);
    assert_eq!(boot.esps[1].listed, Some(true));
    assert_eq!(boot.esps[0].kernels.len(), 1);
    assert_eq!(boot.ways().len(), 1);
}

#[test]
fn a_host_moved_to_secure_boot_starts_by_grub_though_systemd_boot_is_left_on_its_esp() {
    let root = MemoryFiles::new().file(UUIDS, "1A2B-3C4D\n");
    let esp = with_grub_on_esp(with_systemd_boot(MemoryFiles::new()));
    let without = boot(&root, &[("1A2B-3C4D", 1, &esp)], not_read());
    assert_eq!(without.uefi.method, Reading::Known(Method::GrubOnEsp));
    let next = without.uefi.next.known().unwrap();
    assert_eq!(next.command_line.as_str(), "root=ZFS=/ROOT/pve-1 ro quiet");
    let by_entry = boot(
        &root,
        &[("1A2B-3C4D", 1, &esp)],
        entries(&[
            (9, "\\EFI\\gone\\grubx64.efi"),
            (1, "\\EFI\\proxmox\\shimx64.efi"),
        ]),
    );
    assert_eq!(by_entry.uefi.method, Reading::Known(Method::GrubOnEsp));
    assert!(
        by_entry.uefi.why[0].starts_with("Boot0001"),
        "{:?}",
        by_entry.uefi.why
    );
    let back = boot(
        &root,
        &[("1A2B-3C4D", 1, &esp)],
        entries(&[(1, "\\efi\\SYSTEMD\\systemd-bootx64.efi")]),
    );
    assert_eq!(back.uefi.method, Reading::Known(Method::SystemdBoot));
}

#[test]
fn an_entry_for_a_file_that_is_gone_is_passed_over() {
    let esp = with_systemd_boot(MemoryFiles::new());
    let boot = boot(
        &MemoryFiles::new(),
        &[("1A2B-3C4D", 1, &esp)],
        entries(&[
            (1, "\\EFI\\proxmox\\grubx64.efi"),
            (1, "\\EFI\\systemd\\systemd-bootx64.efi"),
        ]),
    );
    assert_eq!(boot.uefi.method, Reading::Known(Method::SystemdBoot));
    assert!(boot.uefi.why[0].contains("not there"));
}

#[test]
fn esps_with_different_programs_are_not_guessed_between() {
    let root = MemoryFiles::new().file(UUIDS, "1A2B-3C4D\n5E6F-7A8B\n");
    let one = with_systemd_boot(MemoryFiles::new());
    let other = with_grub_on_esp(MemoryFiles::new());
    let esps = [("1A2B-3C4D", 1, &one), ("5E6F-7A8B", 2, &other)];
    assert!(boot(&root, &esps, not_read()).uefi.method.is_unknown());
    let told = boot(&root, &esps, entries(&[(2, "\\EFI\\proxmox\\shimx64.efi")]));
    assert_eq!(told.uefi.method, Reading::Known(Method::GrubOnEsp));
    assert_eq!(told.uefi.esp, Some(1));
}

#[test]
fn lvm_starts_by_grub_from_boot_by_uefi_and_by_bios() {
    let root = MemoryFiles::new()
        .file(
            "boot/grub/grub.cfg",
            MENU.replace("/vmlinuz", "/boot/vmlinuz"),
        )
        .file("boot/grub/i386-pc/normal.mod", "");
    let esp = MemoryFiles::new()
        .file("EFI/proxmox/grubx64.efi", GRUB)
        .file("EFI/proxmox/grub.cfg", "search.fs_uuid 0a1b root lvmid/x\nset prefix=($root)'/boot/grub'\nconfigfile $prefix/grub.cfg\n");
    let boot = boot(&root, &[("1A2B-3C4D", 1, &esp)], not_read());
    assert_eq!(boot.uefi.method, Reading::Known(Method::GrubUefi));
    assert_eq!(boot.bios.method, Reading::Known(Method::GrubBios));
    assert_eq!(boot.bios.next, boot.uefi.next);
    let kinds: Vec<FirmwareKind> = boot.ways().iter().map(|(kind, _)| *kind).collect();
    assert_eq!(kinds, [FirmwareKind::Uefi, FirmwareKind::Bios]);
}

#[test]
fn bios_with_zfs_starts_by_grub_from_the_esp() {
    let root = MemoryFiles::new().file("/etc/kernel/pve-efiboot-uuids", "1A2B-3C4D\n");
    let esp = MemoryFiles::new()
        .file("grub/grub.cfg", MENU)
        .file("vmlinuz-6.8.12-2-pve", "kernel");
    let boot = boot(&root, &[("1A2B-3C4D", 1, &esp)], not_read());
    assert_eq!(boot.bios.method, Reading::Known(Method::GrubOnEsp));
    assert_eq!(boot.uefi.method, Reading::Absent);
}
