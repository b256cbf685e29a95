//! Disks as the installer of Proxmox VE lays them out.

use storage::{
    Content, DiskFacts, DiskId, FileSystem, FileSystemId, LogicalVolume, Pool, RootCandidate,
    Signature, Storage, Volume, VolumeGroup, VolumeId,
};

fn disk(serial: &str, function: &str) -> DiskFacts {
    DiskFacts {
        id: DiskId(format!("serial:DISK_{serial}")),
        model: Some("DISK".to_owned()),
        serial: Some(serial.to_owned()),
        wwn: None,
        size: 8 << 30,
        usb: false,
        function: function.parse().ok(),
    }
}

fn known(kind: &str, uuid: &str) -> Content {
    Content::Known(Signature {
        kind: kind.to_owned(),
        uuid: Some(uuid.to_owned()),
        ..Signature::default()
    })
}

fn partition(disk: &DiskFacts, number: u32, kind: &str, content: Content) -> Volume {
    let letter = disk.serial.as_deref().unwrap_or_default().chars().next();
    let letter = letter.unwrap_or('x').to_ascii_lowercase();
    Volume {
        id: VolumeId::Partition {
            disk: disk.id.clone(),
            number,
            partuuid: Some(match number {
                2 => format!("esp-{letter}"),
                _ => format!("part{number}-{letter}"),
            }),
        },
        size: 1 << 30,
        partition_type: Some(kind.to_owned()),
        partition_name: Some(format!("{kind}-{letter}")),
        content,
    }
}

/// The three partitions of every disk that the installer takes.
fn partitions(disk: &DiskFacts, esp: &str, system: Content) -> Vec<Volume> {
    vec![
        partition(
            disk,
            1,
            "21686148-6449-6e6f-744e-656564454649",
            Content::Nothing,
        ),
        partition(disk, 2, super::uses::ESP_TYPES[0], known("vfat", esp)),
        partition(disk, 3, "0fc63daf-8483-4772-8e79-3d69d8477de4", system),
    ]
}

fn file_system(id: FileSystemId, kind: &str, uuid: &str, on: &[&VolumeId]) -> FileSystem {
    FileSystem {
        id,
        kind: kind.to_owned(),
        uuid: Some(uuid.to_owned()),
        label: None,
        on: on.iter().map(|volume| (*volume).clone()).collect(),
        missing: 0,
    }
}

/// One disk: LVM with ext4 and swap.
pub(crate) fn lvm() -> Storage {
    let a = disk("A111", "0000:00:1f.2");
    let mut volumes = partitions(&a, "1A2B-3C4D", known("LVM2_member", "pv-a"));
    let logical = |name: &str| LogicalVolume {
        uuid: format!("{name}-uuid"),
        name: name.to_owned(),
        size: 1 << 30,
        layout: "linear".to_owned(),
        role: "public".to_owned(),
        partial: false,
    };
    let id = |name: &str| VolumeId::LogicalVolume {
        group: "pve-uuid".to_owned(),
        volume: format!("{name}-uuid"),
    };
    for (name, content) in [
        ("root", known("ext4", "root-fs")),
        ("swap", known("swap", "s")),
    ] {
        volumes.push(Volume {
            id: id(name),
            size: 1 << 30,
            partition_type: None,
            partition_name: None,
            content,
        });
    }
    let root = FileSystemId::On(id("root"));
    let esp = volumes[1].id.clone();
    Storage {
        disks: vec![a],
        volume_groups: vec![VolumeGroup {
            uuid: "pve-uuid".to_owned(),
            name: "pve".to_owned(),
            system_id: None,
            exported: false,
            missing: 0,
            physical_volumes: vec!["pv-a".to_owned()],
            logical_volumes: vec![logical("root"), logical("swap")],
        }],
        file_systems: vec![
            file_system(root.clone(), "ext4", "root-fs", &[&id("root")]),
            file_system(FileSystemId::On(esp.clone()), "vfat", "1A2B-3C4D", &[&esp]),
        ],
        roots: vec![RootCandidate {
            file_system: root,
            subvolume: String::new(),
            name: None,
        }],
        volumes,
        ..Storage::default()
    }
}

/// Two disks: a mirror of ZFS.
pub(crate) fn zfs() -> Storage {
    let disks = [disk("A111", "0000:00:1f.2"), disk("B222", "0000:02:00.0")];
    let mut volumes = partitions(&disks[0], "1A2B-3C4D", known("zfs_member", "77"));
    volumes.extend(partitions(
        &disks[1],
        "5E6F-7A8B",
        known("zfs_member", "77"),
    ));
    let data_set = |name: &str, mountpoint: &str| storage::DataSet {
        name: name.to_owned(),
        mountpoint: mountpoint.to_owned(),
        canmount: storage::CanMount::On,
        boots: false,
    };
    let root = FileSystemId::DataSet {
        pool: 77,
        name: "rpool/ROOT/pve-1".to_owned(),
    };
    let data = FileSystemId::DataSet {
        pool: 77,
        name: "rpool/data".to_owned(),
    };
    let members = [&volumes[2].id, &volumes[5].id];
    let file_systems = vec![
        file_system(root.clone(), "zfs", "77", &members),
        file_system(data, "zfs", "77", &members),
    ];
    Storage {
        disks: disks.to_vec(),
        pools: vec![Pool {
            name: "rpool".to_owned(),
            guid: 77,
            data_sets: vec![
                data_set("rpool/ROOT/pve-1", "/"),
                data_set("rpool/data", "/rpool/data"),
            ],
            ..Pool::default()
        }],
        file_systems,
        roots: vec![RootCandidate {
            file_system: root,
            subvolume: String::new(),
            name: None,
        }],
        volumes,
        ..Storage::default()
    }
}
