use hardware::{FirmwareKind, Reading};
use proxmox::boot::esp::EspSource;
use proxmox::boot::firmware::BootEntries;
use proxmox::disks::{ESP_TYPES, Join, joins};
use proxmox::system::storage::mounts;
use proxmox::{Installation, Sources};
use storage::{FileSystem, FileSystemId, Look, Root, RootCandidate, Storage, Trouble, VolumeId};

/// An ESP that was found, mounted.
pub struct Esp {
    /// Where it is, for a person.
    pub name: String,
    /// The FAT volume id, `1A2B-3C4D`.
    pub volume_id: Option<String>,
    /// The partition's GUID, lower case.
    pub partition: Option<String>,
    /// What it is called in the look.
    pub file_system: FileSystemId,
    /// Its files.
    pub files: Root,
}

/// The root of an installed system in a look, with everything over it that the system itself mounts there and that is
/// read here.
pub struct OpenedSystem {
    /// Where the root is.
    pub root: RootCandidate,
    /// Its files.
    pub files: Root,
    /// What is over it.
    pub joined: Vec<Join>,
    unread: Vec<String>,
}

impl OpenedSystem {
    /// Mounts what belongs to the root with this number in the look. What cannot be mounted is a trouble of the
    /// installation; an error means that the root itself cannot.
    pub fn open(look: &mut Look, index: usize, root: RootCandidate) -> Result<Self, Trouble> {
        let files = look.open_root(index)?;
        let (mut joined, troubles) = joins(look.storage(), &root, &mounts(&files));
        let mut unread: Vec<String> = troubles.into_iter().map(words).collect();
        joined.retain(|join| {
            match look.join(&files, &join.mount_point, &join.file_system, &join.folder) {
                Ok(()) => true,
                Err(trouble) => {
                    unread.push(trouble.to_string());
                    false
                }
            }
        });
        Ok(Self {
            root,
            files,
            joined,
            unread,
        })
    }

    /// What belongs to it and could not be mounted.
    pub fn unread(&self) -> &[String] {
        &self.unread
    }

    /// Reads it as it is now.
    pub fn installation(
        &self,
        esps: &[Esp],
        firmware: &Reading<FirmwareKind>,
        entries: &Reading<BootEntries>,
    ) -> Installation {
        let sources = esps.iter().map(|esp| EspSource {
            name: esp.name.clone(),
            volume_id: esp.volume_id.clone(),
            partition: esp.partition.clone(),
            files: &esp.files,
        });
        proxmox::look(&Sources {
            esps: sources.collect(),
            firmware: firmware.clone(),
            entries: entries.clone(),
            troubles: self
                .unread
                .iter()
                .cloned()
                .map(proxmox::Trouble::Unread)
                .collect(),
            ..Sources::new(&self.files)
        })
    }
}

/// Every ESP on every disk: the firmware may start any of them, whichever the systems mount.
pub fn esps(look: &mut Look, troubles: &mut Vec<Trouble>) -> Vec<Esp> {
    let storage = look.storage();
    let systems = storage.file_systems.iter();
    let found: Vec<FileSystem> = systems
        .filter(|system| system.kind == "vfat" && is_esp(storage, system))
        .cloned()
        .collect();
    let mut esps = Vec::new();
    for system in found {
        match look.open(&system.id) {
            Ok(files) => esps.push(Esp {
                name: name(&system.id),
                volume_id: system.uuid.clone(),
                partition: partuuid(&system.id),
                file_system: system.id,
                files,
            }),
            Err(trouble) => troubles.push(trouble),
        }
    }
    esps
}

fn words(trouble: proxmox::Trouble) -> String {
    let (proxmox::Trouble::Unread(words)
    | proxmox::Trouble::HalfWritten(words)
    | proxmox::Trouble::NotText(words)
    | proxmox::Trouble::Dangling(words)) = trouble;
    words
}

fn is_esp(storage: &Storage, system: &FileSystem) -> bool {
    system.on.iter().any(|volume| {
        let kind = storage
            .volume(volume)
            .and_then(|volume| volume.partition_type.as_deref());
        kind.is_some_and(|kind| ESP_TYPES.contains(&kind))
    })
}

fn name(id: &FileSystemId) -> String {
    match id {
        FileSystemId::On(volume) => volume.to_string(),
        other => other.to_string(),
    }
}

fn partuuid(id: &FileSystemId) -> Option<String> {
    match id {
        FileSystemId::On(VolumeId::Partition { partuuid, .. }) => partuuid.clone(),
        _ => None,
    }
}
