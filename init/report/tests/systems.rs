//! The page about an installed system.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use hardware::Reading;
use proxmox::boot::esp::EspSource;
use proxmox::disks::{DiskUse, Layout, LayoutKind, Purpose};
use proxmox::files::MemoryFiles;
use proxmox::{DisksSeen, Found, Sources, Systems, look};
use report::{TextOptions, systems_json, systems_summary_lines, systems_text};
use rusqlite::Connection;
use storage::{DiskFacts, DiskId, DiskWrites, Pool, Storage, Trouble, VolumeId, Writes};

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
        partition: Some(3),
        purpose: Purpose::PoolMember("rpool".to_owned()),
        within: None,
        systems: vec![1],
    };
    let mut installation = look(&Sources {
        esps: vec![EspSource {
            name: "nvme0n1p2".to_owned(),
            volume_id: Some("1A2B-3C4D".to_owned()),
            partition: None,
            files: &esp,
        }],
        firmware: Reading::Known(hardware::FirmwareKind::Uefi),
        entries: Reading::Absent,
        ..Sources::new(&root)
    });
    installation.disk_uses = Reading::Known(vec![disk]);
    let found = Found {
        systems: vec![("rpool/ROOT/pve-1".to_owned(), installation)],
        look: None,
    };
    Systems::new(found, None)
}

#[test]
fn a_proxmox_administrator_finds_node_start_settings_and_guests() {
    let text = systems_text(&proxmox_on_zfs(), &TextOptions::default());
    assert!(text.lines().all(|line| line.len() <= 80));
    insta::assert_snapshot!(text);
}

/// The same system found by a look at the disks, beside one that could not be told apart by name.
fn found_on_disks() -> Systems {
    let disk = DiskId("serial:QEMU_HARDDISK_QM1".to_owned());
    let used = |partition, purpose, within: Option<&str>, systems: &[usize]| DiskUse {
        disk: disk.0.clone(),
        function: "0000:00:1f.2".parse().ok(),
        partition: Some(partition),
        purpose,
        within: within.map(str::to_owned),
        systems: systems.to_vec(),
    };
    let uses = vec![
        used(1, Purpose::BiosBoot, None, &[]),
        used(2, Purpose::Esp, None, &[1]),
        used(3, Purpose::PoolMember("rpool".to_owned()), None, &[1, 2]),
        used(3, Purpose::Root, Some("rpool/ROOT/pve-1"), &[1]),
    ];
    let mut installation = proxmox_on_zfs().systems.remove(0).installation;
    installation.disk_uses = Reading::Known(uses.get(1..).unwrap_or_default().to_vec());
    installation.layout = Reading::Known(Layout {
        kind: LayoutKind::Zfs,
        file_system: "zfs".to_owned(),
        name: Some("rpool/ROOT/pve-1".to_owned()),
        uuid: Some("77".to_owned()),
        subvolume: None,
        encrypted: false,
        disks: vec![disk.0.clone()],
        missing: 1,
    });
    let alone = |name: &str, why: &str| Trouble::LeftAlone {
        volume: VolumeId::Disk(disk.clone()),
        name: name.to_owned(),
        why: why.to_owned(),
    };
    let mut troubles: Vec<Trouble> = (100..106)
        .map(|guest| {
            alone(
                &format!("pve/vm-{guest}-disk-0"),
                "by its name it is the disk of a guest",
            )
        })
        .collect();
    troubles.push(Trouble::Closed {
        volume: VolumeId::Disk(disk.clone()),
    });
    let pool = |guid| Pool {
        name: "rpool".to_owned(),
        guid,
        ..Pool::default()
    };
    let look = DisksSeen {
        storage: Storage {
            disks: vec![DiskFacts {
                id: disk.clone(),
                model: Some("QEMU HARDDISK".to_owned()),
                serial: Some("QM1".to_owned()),
                wwn: None,
                size: 8 << 30,
                usb: false,
                function: "0000:00:1f.2".parse().ok(),
            }],
            pools: vec![pool(77), pool(78)],
            troubles,
            overlay_bound: 180 << 20,
            ..Storage::default()
        },
        uses,
        writes: vec![DiskWrites {
            disk: disk.clone(),
            writes: Writes::default(),
        }],
        written_over: 5 << 19,
        kernel_names: [(disk.0, "sda".to_owned())].into(),
        took_ms: 2345,
    };
    let location = |guid| format!("ZFS, rpool/ROOT/pve-1, on 2 disks ({guid})");
    let systems = vec![
        (location(77), installation.clone()),
        (location(78), installation),
    ];
    let look = Some(look);
    Systems::new(Found { systems, look }, None)
}

#[test]
fn the_page_ends_with_what_every_disk_is_used_for_and_what_the_look_wrote() {
    let text = systems_text(&found_on_disks(), &TextOptions::default());
    assert!(text.lines().all(|line| line.len() <= 80));
    assert!(text.contains("2. Proxmox VE 8.2.4 'pve1'"));
    let start = text.find("DISKS OF THIS MACHINE").unwrap();
    insta::assert_snapshot!(text.get(start..).unwrap());
}

#[test]
fn each_system_has_a_line_of_its_own_for_the_first_screen() {
    let lines = systems_summary_lines(&found_on_disks());
    insta::assert_snapshot!(lines.join("\n"));
    let none = Found {
        systems: Vec::new(),
        look: None,
    };
    let lines = systems_summary_lines(&Systems::new(none, None));
    assert_eq!(lines, ["Installed here: no system was found."]);
}

#[test]
fn the_document_can_be_read_back() {
    let systems = proxmox_on_zfs();
    let json = systems_json(&systems);
    let back: Systems = serde_json::from_str(&json).unwrap();
    assert_eq!(back, systems);
    assert_eq!(back.schema, "preflight.systems/1");
}
