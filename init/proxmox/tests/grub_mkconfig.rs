//! What the scripts of Debian's grub-common 2.06-13+deb12u2 write (00_header, 10_linux, 30_uefi-firmware,
//! 41_custom) for three kernels, with GRUB_DEFAULT=saved.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

use std::collections::BTreeMap;

use proxmox::boot::grub_menu::GrubMenu;

const MENU: &str = include_str!("data/grub-mkconfig-2.06.cfg");
const NEWEST: &str = "/boot/vmlinuz-6.8.12-2-pve";
const OLDER: &str = "/boot/vmlinuz-6.1.0-50-amd64";

/// The kernel that starts, given the variables of grubenv.
fn starts(environment: &[(&str, &str)], platform: &str) -> String {
    let environment: BTreeMap<String, String> = environment
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let menu = GrubMenu::parse(MENU, Some(&environment), platform);
    assert!(menu.certain);
    let (_, entry) = menu.starts().unwrap();
    entry.linux.clone().unwrap().kernel
}

#[test]
fn every_entry_is_read_with_its_kernel_command_line_and_initrd() {
    let menu = GrubMenu::parse(MENU, None, "pc");
    let linuxes = menu.linuxes();
    assert_eq!(linuxes.len(), 7);
    for (entry, linux) in linuxes {
        let version = linux.kernel.strip_prefix("/boot/vmlinuz-").unwrap();
        assert_eq!(linux.initrds, [format!("/boot/initrd.img-{version}")]);
        assert_eq!(
            linux.command_line.values("root").last(),
            Some("/dev/mapper/pve-root")
        );
        let recovery = entry.id.as_ref().unwrap().contains("-recovery-");
        assert_eq!(linux.command_line.has("single"), recovery, "{entry:?}");
        assert_eq!(
            linux.command_line.has("intel_iommu"),
            !recovery,
            "{entry:?}"
        );
        let line = MENU.lines().nth(linux.line as usize - 1).unwrap();
        assert!(line.contains(&linux.kernel), "{line}");
    }
}

#[test]
fn the_saved_entry_starts_and_without_one_the_first() {
    for platform in ["efi", "pc"] {
        assert_eq!(starts(&[], platform), NEWEST);
        let older = "gnulinux-advanced-5f4d0f5e-1111-2222-3333-444455556666>gnulinux-6.1.0-50-amd64-advanced-5f4d0f5e-1111-2222-3333-444455556666";
        assert_eq!(starts(&[("saved_entry", older)], platform), OLDER);
        assert_eq!(
            starts(&[("saved_entry", "0"), ("next_entry", "1>2")], platform),
            OLDER
        );
    }
}
