//! The page about an installed system.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use hardware::Reading;
use proxmox::boot::esp::EspSource;
use proxmox::files::MemoryFiles;
use proxmox::system::storage::DiskUse;
use proxmox::{Sources, System, Systems, look};
use report::{TextOptions, systems_json, systems_text};
use rusqlite::Connection;

const ENTRY: &str = "title Proxmox Virtual Environment\nversion 6.8.12-2-pve\noptions root=ZFS=rpool/ROOT/pve-1 boot=zfs intel_iommu=on\nlinux /EFI/proxmox/6.8.12-2-pve/vmlinuz-6.8.12-2-pve\ninitrd /EFI/proxmox/6.8.12-2-pve/initrd.img-6.8.12-2-pve\n";

/// One packed file of a host: inode, parent, type, name, content.
const TREE: [(i64, i64, i64, &str, &str); 9] = [
    (0, 0, 8, "__version__", ""),
    (1, 0, 4, "nodes", ""),
    (2, 1, 4, "pve1", ""),
    (3, 2, 4, "qemu-server", ""),
    (
        4,
        3,
        8,
        "100.conf",
        "name: win11\nonboot: 1\nmachine: q35\nbios: ovmf\nhostpci0: 0000:01:00,pcie=1,x-vga=1\n",
    ),
    (5, 3, 8, "101.conf", "name: nas\nhostpci0: mapping=hba\n"),
    (6, 3, 8, "102.conf", "name: plain\n"),
    (7, 0, 4, "mapping", ""),
    (
        8,
        7,
        8,
        "pci.cfg",
        "hba\n\tmap id=1000:0097,node=pve1,path=0000:02:00.0\n",
    ),
];

fn database() -> Vec<u8> {
    let mut connection = Connection::open_in_memory().unwrap();
    connection
        .execute_batch("CREATE TABLE tree (inode INTEGER PRIMARY KEY NOT NULL, parent INTEGER, version INTEGER, writer INTEGER, mtime INTEGER, type INTEGER, name TEXT, data BLOB)")
        .unwrap();
    for row in TREE {
        connection
            .execute(
                "INSERT INTO tree VALUES (?1, ?2, 1, 0, 0, ?3, ?4, CAST(?5 AS BLOB))",
                row,
            )
            .unwrap();
    }
    connection.serialize("main").unwrap().to_vec()
}

fn proxmox_on_zfs() -> Systems {
    let root = MemoryFiles::new()
        .file(
            "var/lib/dpkg/status",
            "Package: pve-manager\nStatus: install ok installed\nVersion: 8.2.4\n",
        )
        .file("etc/hostname", "pve1\n")
        .file(
            "etc/kernel/cmdline",
            "root=ZFS=rpool/ROOT/pve-1 boot=zfs intel_iommu=on iommu=pt\n",
        )
        .file("etc/kernel/proxmox-boot-uuids", "1A2B-3C4D\n")
        .file(
            "etc/modprobe.d/vfio.conf",
            "options vfio-pci ids=10de:1b80,10de:10f0\nsoftdep nouveau pre: vfio-pci\n",
        )
        .file("etc/modprobe.d/zfs.conf", "options zfs zfs_arc_max=1\n")
        .file("etc/modules", "vfio\nvfio_pci\nloop\n")
        .file(
            "etc/network/interfaces",
            "auto vmbr0\niface vmbr0 inet static\n\tbridge-ports enp3s0\n",
        )
        .file("etc/fstab", "proc /proc proc defaults 0 0\n")
        .file(
            "boot/config-6.8.12-2-pve",
            "CONFIG_VFIO_PCI=m\nCONFIG_INTEL_IOMMU_DEFAULT_ON=y\nCONFIG_DRM_SIMPLEDRM=y\n",
        )
        .file("var/lib/pve-cluster/config.db", database());
    let esp = MemoryFiles::new()
        .file(
            "EFI/systemd/systemd-bootx64.efi",
            "#### LoaderInfo: systemd-boot 255 ####",
        )
        .file("loader/loader.conf", "default proxmox-*\n")
        .file("loader/entries/proxmox-6.8.12-2-pve.conf", ENTRY)
        .file("EFI/proxmox/6.8.12-2-pve/vmlinuz-6.8.12-2-pve", "kernel")
        .file(
            "EFI/proxmox/6.8.12-2-pve/initrd.img-6.8.12-2-pve",
            "nonsense",
        );
    let disk = DiskUse {
        disk: "nvme-Samsung_SSD_990_PRO_S6Z1".to_owned(),
        function: Some("0000:04:00.0".parse().unwrap()),
        purpose: "pool rpool, ESP".to_owned(),
    };
    let installation = look(&Sources {
        root: &root,
        esps: vec![EspSource {
            name: "nvme0n1p2".to_owned(),
            volume_id: Some("1A2B-3C4D".to_owned()),
            partition: None,
            files: &esp,
        }],
        firmware: Reading::Known(hardware::FirmwareKind::Uefi),
        entries: Reading::Absent,
        disk_uses: Reading::Known(vec![disk]),
    });
    Systems::new(vec![System::new(
        "rpool/ROOT/pve-1".to_owned(),
        installation,
        None,
    )])
}

#[test]
fn a_proxmox_administrator_finds_node_start_settings_and_guests() {
    let text = systems_text(&proxmox_on_zfs(), &TextOptions::default());
    assert!(text.lines().all(|line| line.len() <= 80));
    insta::assert_snapshot!(text);
}

#[test]
fn the_document_can_be_read_back() {
    let systems = proxmox_on_zfs();
    let json = systems_json(&systems);
    let back: Systems = serde_json::from_str(&json).unwrap();
    assert_eq!(back, systems);
    assert_eq!(back.schema, "preflight.systems/1");
}
