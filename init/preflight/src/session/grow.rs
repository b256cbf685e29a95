use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use storage::{DataPlace, Growth, Stick};

/// Somebody may be reading what a partition carries just now.
const PATIENCE: Duration = Duration::from_secs(5);
const A_MOMENT: Duration = Duration::from_millis(50);

/// Gives the stick's place for results the rest of the stick, at the first boot of one that an image was written
/// to; tells how many bytes it has now. `None` when there is nothing to be done, or no stick.
pub fn grow(place: &DataPlace) -> anyhow::Result<Option<u64>> {
    if !place.is_stick() {
        return Ok(None);
    }
    let Some(stick) = storage::find_stick(Path::new("/sys"), place)? else {
        return Ok(None);
    };
    if stick.write_protected || !storage::can_grow(&stick)? {
        return Ok(None);
    }
    // The kernel must be able to take the new table, or results would go where the old one has them.
    reread(&stick)?;
    match storage::grow(&stick)? {
        Growth::Grown(bytes) => {
            reread(&stick).context("restart to use it")?;
            wait_for(place);
            Ok(Some(bytes))
        }
        Growth::NotNeeded | Growth::InUse => Ok(None),
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

/// Until the new partition is there and was recognised: until then its disk is held read-only.
fn wait_for(place: &DataPlace) {
    let started = Instant::now();
    let ready = || {
        let stick = storage::find_stick(Path::new("/sys"), place);
        stick.is_ok_and(|stick| stick.is_some_and(|stick| !stick.write_protected))
    };
    while !ready() && started.elapsed() < PATIENCE {
        thread::sleep(A_MOMENT);
    }
}
