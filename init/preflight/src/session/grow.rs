use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use storage::{DataPlace, Growth, Stick};

use super::devices::Devices;
use super::left_alone::Busy;

/// Somebody may be reading what a partition carries just now.
const PATIENCE: Duration = Duration::from_secs(5);
const A_MOMENT: Duration = Duration::from_millis(50);

/// What became of the stick's place for results.
pub enum Place {
    /// It is what it was.
    AsItWas,
    /// It has so many bytes now.
    Larger(u64),
    /// It is the larger one, and this kept the last of its table from being written.
    NotWhole(anyhow::Error),
    /// It is another one, and the kernel still has the old one: what is saved there would be lost.
    Unreachable(anyhow::Error),
}

/// Gives the stick's place for results the rest of the stick, at the first boot of one that an image was written
/// to. `announce` is called before it is made larger, which takes long on a large stick.
pub fn grow(
    place: &DataPlace,
    devices: &Devices,
    announce: impl FnOnce(),
) -> anyhow::Result<Place> {
    if !place.is_stick() {
        return Ok(Place::AsItWas);
    }
    // Saving says more about a stick that cannot be found or told from another.
    let Ok(Some(stick)) = storage::find_stick(Path::new("/sys"), place) else {
        return Ok(Place::AsItWas);
    };
    if stick.write_protected || !storage::can_grow(&stick)? {
        return Ok(Place::AsItWas);
    }
    let is_half_grown = storage::is_half_grown(&stick)?;
    if !is_half_grown {
        announce();
    }
    devices
        .leaving_alone(&stick.disk, PATIENCE, || {
            make_anew(&stick, place, is_half_grown)
        })
        .map_err(|Busy| anyhow::anyhow!("{} is still being made ready", stick.disk))?
}

fn make_anew(stick: &Stick, place: &DataPlace, is_half_grown: bool) -> anyhow::Result<Place> {
    // The kernel must be able to take the new table, or results would go where the old one has them.
    reread(stick)?;
    let old = start_of(stick);
    let grown = storage::grow(stick);
    let kept = [Growth::Completed, Growth::NotNeeded, Growth::InUse];
    if grown.as_ref().is_ok_and(|grown| kept.contains(grown)) {
        return Ok(Place::AsItWas);
    }
    // Also when a write failed: the new table may count already.
    if let Err(error) = reread(stick).context("restart, and look again") {
        return Ok(Place::Unreachable(error));
    }
    let new = wait_for(place).as_ref().and_then(start_of);
    Ok(match grown {
        Ok(Growth::Grown(bytes)) => Place::Larger(bytes),
        Ok(Growth::Completed | Growth::NotNeeded | Growth::InUse) => Place::AsItWas,
        Err(error) if is_half_grown || has_moved(old, new) => Place::NotWhole(error.into()),
        Err(error) => return Err(error.into()),
    })
}

/// Whether the place for results begins elsewhere than before; not known of one that is not there.
fn has_moved(old: Option<u64>, new: Option<u64>) -> bool {
    old.zip(new).is_some_and(|(old, new)| old != new)
}

/// Where the kernel has the place for results.
fn start_of(stick: &Stick) -> Option<u64> {
    let disk = storage::disk_named(Path::new("/sys"), &stick.disk)?;
    let mut partitions = disk.partitions.iter();
    let found = partitions.find(|partition| partition.node() == stick.partition);
    found.map(|partition| partition.start)
}

fn reread(stick: &Stick) -> anyhow::Result<()> {
    let disk = Path::new("/dev").join(&stick.disk);
    let started = Instant::now();
    loop {
        match storage::reread_partitions(&disk) {
            Err(_) if started.elapsed() < PATIENCE => thread::sleep(A_MOMENT),
            result => return Ok(result?),
        }
    }
}

/// Until the new partition is there and was recognised.
fn wait_for(place: &DataPlace) -> Option<Stick> {
    let started = Instant::now();
    loop {
        let found = storage::find_stick(Path::new("/sys"), place);
        if let Ok(Some(stick)) = found {
            return Some(stick);
        }
        if started.elapsed() >= PATIENCE {
            return None;
        }
        thread::sleep(A_MOMENT);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_that_begins_elsewhere_has_moved_and_one_that_is_not_there_is_not_said_to_have() {
        assert!(has_moved(Some(4096), Some(20_480)));
        assert!(!has_moved(Some(4096), Some(4096)));
        assert!(!has_moved(Some(4096), None));
        assert!(!has_moved(None, Some(4096)));
    }
}
