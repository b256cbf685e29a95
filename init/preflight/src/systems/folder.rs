use std::path::Path;

use anyhow::{Context, Result};
use hardware::Machine;
use proxmox::boot::esp::EspSource;
use proxmox::files::Kind;
use proxmox::{Found, Sources, look};
use storage::Root;

use super::{boot_entries, firmware_kind};

/// Where systems mount their ESP.
const ESP_MOUNTS: [&str; 3] = ["/boot/efi", "/efi", "/boot"];

/// The running system, as its own /boot and ESPs show it.
pub fn in_running_system(esps: &[impl AsRef<Path>]) -> Result<Found> {
    let root = open(Path::new("/"))?;
    let esps = all_esps(&root, esps)?;
    Ok(found(
        Path::new("/"),
        &Sources {
            esps: esps.iter().map(source).collect(),
            firmware: firmware_kind(),
            entries: boot_entries(),
            ..Sources::new(&root)
        },
    ))
}

/// A system in a folder, and the folders of its ESPs. `machine` is the one that it is on. Nothing outside of
/// these folders is opened.
pub fn in_folder(
    path: &Path,
    esps: &[impl AsRef<Path>],
    machine: Option<&Machine>,
) -> Result<Found> {
    let root = open(path)?;
    let esps = all_esps(&root, esps)?;
    let alone = Sources::new(&root);
    let firmware = machine.map_or(alone.firmware, |machine| machine.firmware.clone());
    Ok(found(
        path,
        &Sources {
            esps: esps.iter().map(source).collect(),
            firmware,
            ..Sources::new(&root)
        },
    ))
}

fn found(path: &Path, sources: &Sources) -> Found {
    Found {
        systems: vec![(path.display().to_string(), look(sources))],
        look: None,
    }
}

fn open(path: &Path) -> Result<Root> {
    Root::open(path).with_context(|| {
        format!(
            "{} cannot be opened; give a folder that can be read",
            path.display()
        )
    })
}

fn source((name, files): &(String, Root)) -> EspSource<'_> {
    EspSource {
        name: name.clone(),
        volume_id: None,
        partition: None,
        files,
    }
}

/// ESPs that are mounted inside the root, and those in these folders.
fn all_esps(root: &Root, folders: &[impl AsRef<Path>]) -> Result<Vec<(String, Root)>> {
    let mut esps = mounted_esps(root);
    for path in folders {
        let path = path.as_ref();
        esps.push((path.display().to_string(), open(path)?));
    }
    Ok(esps)
}

/// ESPs that are mounted inside the root: they have a folder EFI or loader.
fn mounted_esps(root: &Root) -> Vec<(String, Root)> {
    let mut found = Vec::new();
    for mount in ESP_MOUNTS {
        let Ok(folder) = root.folder(mount) else {
            continue;
        };
        let holds = |name: &str| folder.kind(Path::new(name)) == Ok(Kind::Folder);
        // /boot is the ESP itself on some systems; on others the ESP is mounted below it.
        let is_esp =
            (holds("EFI") || holds("loader/entries")) && !(mount == "/boot" && holds("grub"));
        if is_esp {
            found.push((mount.to_owned(), folder));
        }
    }
    found
}
