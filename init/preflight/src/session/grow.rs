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
    /// It is another one, and the kernel still has the old one: what is saved there would be lost.
    Unreachable(anyhow::Error),
}

/// Gives the stick's place for results the rest of the stick, at the first boot of one that an image was written
/// to. `announce` is called before, for it takes long on a large stick.
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
    announce();
    devices
        .leaving_alone(&stick.disk, PATIENCE, || make_anew(&stick, place))
        .map_err(|Busy| anyhow::anyhow!("{} is still being made ready", stick.disk))?
}

fn make_anew(stick: &Stick, place: &DataPlace) -> anyhow::Result<Place> {
    // The kernel must be able to take the new table, or results would go where the old one has them.
    reread(stick)?;
    let grown = storage::grow(stick);
    let kept = [Growth::Completed, Growth::NotNeeded, Growth::InUse];
    if grown.as_ref().is_ok_and(|grown| kept.contains(grown)) {
        return Ok(Place::AsItWas);
    }
    // Also when a write failed: the new table may count already.
    if let Err(error) = reread(stick).context("restart, and look again") {
        return Ok(Place::Unreachable(error));
    }
    wait_for(place);
    match grown? {
        Growth::Grown(bytes) => Ok(Place::Larger(bytes)),
        Growth::Completed | Growth::NotNeeded | Growth::InUse => Ok(Place::AsItWas),
    }
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
fn wait_for(place: &DataPlace) {
    let started = Instant::now();
    let ready = || storage::find_stick(Path::new("/sys"), place).is_ok_and(|stick| stick.is_some());
    while !ready() && started.elapsed() < PATIENCE {
        thread::sleep(A_MOMENT);
    }
}
