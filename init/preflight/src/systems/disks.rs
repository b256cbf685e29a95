use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result};
use hardware::{FirmwareKind, Reading};
use plan::SystemFiles;
use proxmox::boot::firmware::BootEntries;
use proxmox::disks::{LookDone, SystemRead, places};
use proxmox::{Found, Installation};
use serde::{Deserialize, Serialize};
use storage::{DataPlace, Look, LookOptions, Purpose, RootCandidate, Stick, Trouble, look_loading};

use super::opened::{Esp, OpenedSystem, esps};
use super::{
    SilentDisks, boot_entries, encrypted, firmware, firmware_kind, kernel_modules, left_over,
};

/// How to look at the disks.
#[derive(Clone, Debug)]
pub struct DiskOptions {
    /// Where results go, which a look leaves alone.
    pub data: DataPlace,
    /// What opens LUKS volumes.
    pub passphrase: Option<Vec<u8>>,
    /// Bytes that all overlays together may fill, when it is not to be a quarter of the free memory.
    pub bound: Option<u64>,
    /// Whether the files that a plan is made from are read.
    pub with_files: bool,
}

/// What is on the disks.
#[derive(Serialize, Deserialize)]
pub struct OnDisks {
    /// All systems, and what the disks are used for.
    pub found: Found,
    /// The files that a plan is made from, of each system by its root, when they were wanted.
    pub files: Vec<(RootCandidate, SystemFiles)>,
}

/// Every installed system on the disks of this machine. Nothing is written to any of them. An error means that
/// nothing could be looked at.
pub fn on_disks(options: &DiskOptions) -> Result<OnDisks> {
    let mut files = Vec::new();
    let found = on_disks_visiting(options, &mut |root, inside, installation| {
        if options.with_files {
            files.push((root.clone(), SystemFiles::read(inside, installation)));
        }
    })?;
    Ok(OnDisks { found, files })
}

/// What sees each system while its files can still be read.
type Visit<'a> = &'a mut dyn FnMut(&RootCandidate, &storage::Root, &Installation);

fn on_disks_visiting(options: &DiskOptions, visit: Visit) -> Result<Found> {
    let started = Instant::now();
    let look_options = LookOptions {
        bound: options.bound,
        purpose: match options.with_files {
            true => Purpose::Plan,
            false => Purpose::Read,
        },
        ..look_options(&options.data)?
    };
    let mut troubles = silent(&look_options);
    // Without disks the modules of a look need not be loaded, which takes most of its time.
    if look_options.disks()?.is_empty() {
        let mut done = LookDone::default();
        done.storage.troubles = troubles;
        return Ok(Found::on_disks(Vec::new(), done));
    }
    let load = kernel_modules::loader_or_none();
    firmware::mount_variables();
    let mut look = look_loading(look_options, load)?;
    let passed = |what: &str| tracing::debug!("{what} after {} ms", started.elapsed().as_millis());
    passed("the disks were looked at");
    if let Some(passphrase) = &options.passphrase {
        troubles.extend(encrypted::open(&mut look, passphrase));
    }
    let read = systems(&mut look, &mut troubles, visit);
    passed("the systems were read");
    let overflown = look.overflown();
    let written_over = look.written_over();
    let mut storage = look.storage().clone();
    storage.troubles.extend(troubles);
    let mut kernel_names = BTreeMap::new();
    for disk in &storage.disks {
        let name = look.kernel_name(&disk.id).map(str::to_owned);
        kernel_names.extend(name.map(|name| (disk.id.clone(), name)));
    }
    let ended = look.end();
    passed("all was taken away");
    let done = LookDone {
        storage,
        overflown,
        written_over,
        kernel_names,
        ended,
        took_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
    };
    Ok(Found::on_disks(read, done))
}

/// A look at everything but the place where results go.
pub fn look_options(data: &DataPlace) -> Result<LookOptions> {
    // It takes memory that this look may need.
    left_over::clear();
    // Without an answer it would be covered like any other disk, and nothing could be saved any more.
    let found = storage::find_stick(Path::new("/sys"), data)
        .context("it is not clear where results go, so no disk is touched")?;
    let (stick, results) = left_alone(found, data);
    let silent = SilentDisks::of_this_boot();
    let silent = silent
        .read()
        .context("it is not clear which disks answer, so none is touched")?;
    Ok(LookOptions {
        stick,
        silent,
        results,
        ..LookOptions::default()
    })
}

/// Disks that are there and do not answer.
fn silent(options: &LookOptions) -> Vec<Trouble> {
    let disks = options.silent.iter();
    disks
        .filter(|name| storage::disk_named(&options.sys, name).is_some())
        .map(|name| Trouble::Silent { disk: name.clone() })
        .collect()
}

/// What a look leaves alone: the whole disk of a stick; of a disk that a person has named a partition of, that
/// partition, for the system may be on the others.
fn left_alone(found: Option<Stick>, data: &DataPlace) -> (Option<String>, Option<PathBuf>) {
    match (found, data) {
        (None, _) => (None, None),
        (Some(stick), DataPlace::Stick | DataPlace::BootedStick(_)) => (Some(stick.disk), None),
        (Some(stick), DataPlace::PartUuid(_)) => (None, Some(stick.partition)),
    }
}

/// Reads all systems. Every file that was opened for it is closed again when this is done, so that the look
/// can end.
fn systems(look: &mut Look, troubles: &mut Vec<Trouble>, visit: Visit) -> Vec<SystemRead> {
    let esps = esps(look, troubles);
    let entries = boot_entries();
    let firmware = firmware_kind();
    let mut systems = Vec::new();
    for (index, root) in look.storage().roots.clone().into_iter().enumerate() {
        match one(look, index, root, &esps, &firmware, &entries, visit) {
            Ok(system) => systems.push(system),
            Err(trouble) => troubles.push(trouble),
        }
    }
    systems
}

fn one(
    look: &mut Look,
    index: usize,
    root: RootCandidate,
    esps: &[Esp],
    firmware: &Reading<FirmwareKind>,
    entries: &Reading<BootEntries>,
    visit: Visit,
) -> Result<SystemRead, Trouble> {
    let opened = OpenedSystem::open(look, index, root)?;
    let installation = opened.installation(esps, firmware, entries);
    visit(&opened.root, &opened.files, &installation);
    let places = places(look.storage(), &opened.root, &opened.joined, &installation);
    Ok(SystemRead {
        root: opened.root,
        installation,
        places,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_stick_the_disk_is_left_alone_and_of_a_named_place_the_partition() {
        let found = |partition: &str| Stick {
            disk: "sda".to_owned(),
            partition: PathBuf::from(partition),
            write_protected: false,
        };
        let named = DataPlace::PartUuid("22222222".to_owned());
        let disk = Some("sda".to_owned());
        let partition = PathBuf::from("/dev/sda2");
        assert_eq!(
            left_alone(Some(found("/dev/sda1")), &DataPlace::Stick),
            (disk, None)
        );
        assert_eq!(
            left_alone(Some(found("/dev/sda2")), &named),
            (None, Some(partition))
        );
        assert_eq!(left_alone(None, &named), (None, None));
    }
}
