use std::collections::BTreeSet;

use assess::{Finding, Severity};
use proptest::prelude::*;

use super::differences;
use crate::files::MemoryFiles;
use crate::finding_ids;
use crate::guests::DATABASE;
use crate::initrd::tests::archive;
use crate::installation::Installation;
use crate::testing::{Host, VERSION, VFIO, initrd, machine};

mod initrds;

const DOCUMENT: &str = include_str!("../../../../docs/findings.md");

#[test]
fn every_finding_about_a_system_has_an_entry_in_the_document_and_every_entry_a_finding() {
    let headings = DOCUMENT
        .lines()
        .filter_map(|line| line.strip_prefix("### `")?.strip_suffix('`'));
    let documented: BTreeSet<&str> = headings.filter(|id| id.starts_with("system.")).collect();
    let found: BTreeSet<&str> = finding_ids().collect();
    assert_eq!(documented, found);
}

fn ids(findings: &[Finding]) -> Vec<&str> {
    findings.iter().map(|finding| &*finding.id).collect()
}

/// The findings of a host, without a machine.
fn of(host: &Host) -> Vec<Finding> {
    host.findings(None)
}

/// The one finding with that id.
fn the(id: &str, findings: &[Finding]) -> Finding {
    let found: Vec<_> = findings.iter().filter(|finding| finding.id == id).collect();
    assert_eq!(found.len(), 1, "{id}: {findings:#?}");
    found[0].clone()
}

#[test]
fn nothing_is_said_of_hosts_on_which_everything_fits_together() {
    assert_eq!(of(&Host::on_zfs()), []);
    assert_eq!(of(&Host::on_lvm()), []);
}

#[test]
fn one_esp_that_was_not_refreshed_differs() {
    let path = format!("EFI/proxmox/{VERSION}/initrd.img-{VERSION}");
    let host = Host::on_zfs().esp_file(1, &path, initrd("options vfio-pci ids=1002:67df\n"));
    let findings = of(&host);
    let differs = the("system.esp-differs", &findings);
    assert!(differs.evidence[0].contains("ESP 5E6F-7A8B"), "{differs:?}");
    the("system.initrd-stale", &findings);
}

#[test]
fn a_command_line_that_was_not_refreshed_is_named_word_by_word() {
    let zfs = Host::on_zfs().file(
        "etc/kernel/cmdline",
        "root=ZFS=rpool/ROOT/pve-1 boot=zfs iommu=pt\n",
    );
    let finding = the("system.command-line-not-applied", &of(&zfs));
    assert_eq!(finding.evidence[2], "not given to the kernel: iommu=pt");
    assert_eq!(
        finding.evidence[3],
        "given to the kernel, but not configured: intel_iommu=on"
    );
    let lvm = Host::on_lvm().file(
        "etc/default/grub",
        "GRUB_CMDLINE_LINUX_DEFAULT=\"quiet intel_iommu=on iommu=pt\"\n",
    );
    the("system.command-line-not-applied", &of(&lvm));
}

#[test]
fn parameters_in_the_file_of_the_other_boot_loader_are_found() {
    let zfs = Host::on_zfs().file(
        "etc/default/grub",
        "GRUB_CMDLINE_LINUX_DEFAULT=\"quiet iommu=pt\"\n",
    );
    let finding = the("system.command-line-wrong-file", &of(&zfs));
    assert_eq!(finding.evidence[0], "/etc/default/grub: iommu=pt");
    let lvm = Host::on_lvm().file("etc/kernel/cmdline", "root=/dev/sda1 iommu=pt\n");
    the("system.command-line-wrong-file", &of(&lvm));
}

#[test]
fn a_kernel_cmdline_of_several_lines_or_without_root_is_found() {
    let several = Host::on_zfs().file(
        "etc/kernel/cmdline",
        "root=ZFS=rpool/ROOT/pve-1 boot=zfs intel_iommu=on\nquiet\n",
    );
    assert_eq!(
        the("system.kernel-cmdline-shape", &of(&several)).severity,
        Severity::Caution
    );
    let without = Host::on_zfs().file("etc/kernel/cmdline", "boot=zfs intel_iommu=on\n");
    assert_eq!(
        the("system.kernel-cmdline-shape", &of(&without)).severity,
        Severity::Blocks
    );
}

#[test]
fn what_the_kernel_that_starts_next_does_not_follow_is_found() {
    let built_in = Host::on_lvm().file(&format!("boot/config-{VERSION}"), "CONFIG_VFIO_PCI=y\n");
    the("system.vfio-built-in", &of(&built_in));
    let virqfd = Host::on_lvm().file("etc/modules", "vfio_virqfd\n");
    the("system.virqfd-gone", &of(&virqfd));
    let late = "options vfio-pci ids=10de:1b80\n";
    let late = Host::on_lvm()
        .file("etc/modprobe.d/vfio.conf", late)
        .file(&format!("boot/initrd.img-{VERSION}"), initrd(late));
    assert_eq!(ids(&of(&late)), ["system.vfio-late"]);
    let menu = "menuentry a {\n linux /boot/vmlinuz-6.8.12-2-pve amd_iommu=on\n}\n";
    let findings = of(&Host::on_lvm().file("boot/grub/grub.cfg", menu));
    the("system.parameter-without-effect", &findings);
}

#[test]
fn a_next_kernel_that_is_gone_blocks() {
    let menu = "menuentry a {\n linux /boot/vmlinuz-6.5.1-pve quiet intel_iommu=on\n initrd /boot/initrd.img-6.5.1-pve\n}\n";
    let finding = the(
        "system.next-kernel-missing",
        &of(&Host::on_lvm().file("boot/grub/grub.cfg", menu)),
    );
    assert_eq!(finding.severity, Severity::Blocks);
    assert_eq!(finding.evidence.len(), 3);
}

#[test]
fn a_pin_that_the_boot_loader_does_not_follow_is_found() {
    let pinned = |version: &str| {
        of(&Host::on_zfs().file("etc/kernel/proxmox-boot-pin", format!("{version}\n")))
    };
    assert_eq!(pinned(VERSION), []);
    the("system.pin-not-applied", &pinned("6.5.13-1-pve"));
}

#[test]
fn a_system_that_nothing_starts_is_not_known() {
    let host = Host {
        root: MemoryFiles::new().file("etc/os-release", "ID=arch\nNAME=Arch\n"),
        esps: Vec::new(),
    };
    let findings = of(&host);
    assert!(the("system.boot-unknown", &findings).unknown);
    the("system.not-debian", &findings);
}

#[test]
fn esps_and_their_list_are_compared() {
    let gone = Host::on_zfs().file(
        "etc/kernel/proxmox-boot-uuids",
        "1A2B-3C4D\n5E6F-7A8B\nDEAD-BEEF\n",
    );
    assert!(the("system.esp-unread", &of(&gone)).evidence[0].contains("DEAD-BEEF"));
    let unlisted = Host::on_zfs().file("etc/kernel/proxmox-boot-uuids", "1A2B-3C4D\n");
    the("system.esp-unlisted", &of(&unlisted));
    let mut grub = Host::on_zfs().file("etc/default/grub", "GRUB_CMDLINE_LINUX=\"\"\n");
    for index in [0, 1] {
        grub = grub
            .esp_file(index, "EFI/proxmox/grubx64.efi", "Welcome to GRUB!")
            .esp_file(
                index,
                "grub/grub.cfg",
                "menuentry a {\n linux /vmlinuz-6.8.12-2-pve root=ZFS=/ROOT/pve-1\n}\n",
            );
    }
    let path = "EFI/proxmox/6.8.12-2-pve/initrd.img-6.8.12-2-pve";
    let old = initrd("options vfio-pci ids=1002:67df\n");
    let findings = of(&grub.esp_file(1, path, old));
    for follows in ["system.esp-differs", "system.initrd-stale"] {
        assert!(!ids(&findings).contains(&follows), "{findings:#?}");
    }
    assert_eq!(
        ids(&findings)
            .iter()
            .filter(|id| **id == "system.esp-left-over")
            .count(),
        2
    );
}

const MAPPING: &str = "gpu\n\tmap id=10de:1b80,iommugroup=7,node=pve,path=0000:01:00.0\n";

#[test]
fn a_device_that_is_gone_and_a_mapping_that_does_not_fit_are_found() {
    let machine = machine(&[("0000:01:00.0", "0x030000", 12)]);
    let host = Host::on_lvm().guests(&[
        (
            "nodes/pve/qemu-server/100.conf",
            "name: win11\nhostpci0: 0000:05:00,pcie=1\n",
        ),
        ("nodes/pve/qemu-server/101.conf", "hostpci0: mapping=gpu\n"),
        (
            "nodes/pve/qemu-server/102.conf",
            "hostpci0: mapping=nic\nhostpci1: 0000:01:00.0\nhostpci2: pcie=1\n",
        ),
        (
            "nodes/other/qemu-server/103.conf",
            "hostpci0: 0000:06:00.0\n",
        ),
        ("mapping/pci.cfg", MAPPING),
    ]);
    let findings = host.findings(Some(&machine));
    let missing = the("system.guest-device-missing", &findings);
    assert_eq!(
        missing.evidence,
        ["/etc/pve/nodes/pve/qemu-server/100.conf:2 hostpci0: nothing is at 0000:05:00"]
    );
    let mappings: Vec<_> = findings
        .iter()
        .filter(|finding| finding.id == "system.mapping-differs")
        .collect();
    assert_eq!(
        mappings[0].evidence[0],
        "0000:01:00.0 is in IOMMU group 12, the mapping says 7"
    );
    assert!(mappings[1].summary.contains("'nic'"));
    the("system.guest-config-fault", &findings);
    assert!(!ids(&host.findings(None)).contains(&"system.guest-device-missing"));
}

#[test]
fn a_guest_that_starts_by_itself_and_takes_the_network_card_of_its_group_is_found() {
    let machine = machine(&[
        ("0000:01:00.0", "0x030000", 12),
        ("0000:02:00.0", "0x020000", 12),
        ("0000:00:01.0", "0x060400", 12),
    ]);
    let guest = |text: &str| Host::on_lvm().guests(&[("nodes/pve/qemu-server/100.conf", text)]);
    let findings = guest("onboot: 1\nhostpci0: 01:00.0\n").findings(Some(&machine));
    let takes = the("system.guest-takes-host-device", &findings);
    assert_eq!(takes.evidence[0], "0000:02:00.0 is a network card");
    assert_eq!(guest("hostpci0: 01:00.0\n").findings(Some(&machine)), []);
}

#[test]
fn a_libvirt_domain_whose_device_is_gone_is_found() {
    let xml = "<domain><name>a</name><devices><hostdev type='pci'><source><address domain='0' bus='9' slot='0' function='0'/></source></hostdev></devices></domain>";
    let host = Host::on_lvm().file("etc/libvirt/qemu/a.xml", xml);
    let findings = host.findings(Some(&machine(&[("0000:01:00.0", "0x030000", 1)])));
    assert!(
        the("system.guest-device-missing", &findings).evidence[0]
            .ends_with("nothing is at 0000:09:00.0")
    );
}

#[test]
fn what_pmxcfs_refuses_a_cluster_and_a_name_made_of_bus_numbers_are_found() {
    let twice = Host::on_lvm().guests(&[
        ("nodes/pve/qemu-server/100.conf", ""),
        ("nodes/pve/lxc/100.conf", ""),
        ("corosync.conf", "totem {}"),
    ]);
    let findings = of(&twice.file("etc/network/interfaces", "iface enp3s0 inet manual\n"));
    assert_eq!(
        the("system.database-fault", &findings).severity,
        Severity::Blocks
    );
    the("system.cluster", &findings);
    the("system.interface-name-by-bus", &findings);
}

#[test]
fn what_was_not_whole_is_said_each_by_itself() {
    let host = Host::on_lvm()
        .file(DATABASE, "no database")
        .file("etc/modprobe.d/zero.conf", [0_u8; 64])
        .file("etc/modules", b"vfio \xff\n".as_slice())
        .file("etc/libvirt/qemu/a.xml", "<domain")
        .file("var/log/libvirt/qemu/a.log", "vfio: error getting device\n");
    let findings = of(&host);
    the("system.half-written", &findings);
    assert_eq!(
        the("system.not-text", &findings).evidence,
        ["/etc/modules:1 is not text in UTF-8"]
    );
    the("system.passthrough-error-logged", &findings);
    assert_eq!(
        ids(&findings)
            .iter()
            .filter(|id| **id == "system.unread")
            .count(),
        2
    );
}

/// Places that are read, each with a reader of its own.
const PLACES: [&str; 24] = [
    "boot/grub/grub.cfg",
    "boot/grub/grubenv",
    "boot/initrd.img-6.8.12-2-pve",
    "boot/config-6.8.12-2-pve",
    "etc/default/grub",
    "etc/default/grub.d/zfs.cfg",
    "etc/kernel/cmdline",
    "etc/kernel/proxmox-boot-uuids",
    "etc/modprobe.d/vfio.conf",
    "etc/modules",
    "etc/initramfs-tools/modules",
    "etc/sysctl.conf",
    "etc/sysfs.conf",
    "etc/driverctl.d/0000:01:00.0",
    "etc/udev/rules.d/a.rules",
    "etc/network/interfaces",
    "etc/netplan/a.yaml",
    "etc/libvirt/qemu/a.xml",
    "etc/fstab",
    "etc/hostname",
    "var/lib/dpkg/status",
    DATABASE,
    "var/lib/pve-cluster/config.db-wal",
    "var/log/kern.log",
];

proptest! {
    #[test]
    fn any_bytes_in_any_file_are_read_and_judged(
        place in prop::sample::select(PLACES.as_slice()),
        bytes in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..200),
            "(?s)([a-z]{1,9}[ =:]?[0-9a-z.:]{0,12}[\n \\\\\"']){0,12}".prop_map(String::into_bytes),
        ],
        zfs in any::<bool>(),
    ) {
        let host = if zfs { Host::on_zfs() } else { Host::on_lvm() };
        let system = host.file(place, bytes).look();
        let written = serde_json::to_string(&system).unwrap();
        prop_assert_eq!(serde_json::from_str::<Installation>(&written).unwrap(), system.clone());
        differences(&system, None);
    }
}
