//! A guest whose init ends at once: how fast this machine boots a kernel, and what a boot does by itself.

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};
use std::{fs, time::SystemTime};

use nix::fcntl::{Flock, FlockArg};

use crate::images::output_folder;
use crate::initramfs::{self, Entry};
use crate::{Boot, Deadlines, Failure, Images, Machine, Milestone, Qemu};

/// Wall time of a baseline boot on the reference machine: two cores, no KVM, nothing else to do.
const REFERENCE: Duration = Duration::from_millis(6_000);

/// How long a measurement holds: machines shared with others change.
const FRESH: Duration = Duration::from_secs(15 * 60);

/// An initramfs, uncompressed, with the program `init` as its `/init` and a console.
pub fn image(init: &Path) -> io::Result<Vec<u8>> {
    initramfs::write(&[
        Entry::folder("dev"),
        Entry::device("dev/console", 5, 1),
        Entry::program("init", fs::read(init)?),
    ])
}

/// Boots the kernel with an init that ends at once; the wall time from QEMU's start to PID 1.
pub fn measure(qemu: &Qemu, kernel: &Path, init: &Path) -> Result<Duration, Failure> {
    let folder = tempfile::tempdir().map_err(|error| Boot::failure("baseline", error))?;
    let image = folder.path().join("baseline.img");
    self::image(init)
        .and_then(|bytes| fs::write(&image, bytes))
        .map_err(|error| Boot::failure("baseline", error))?;
    let images = Images {
        kernel: kernel.to_owned(),
        initramfs: image,
    };
    // The machine may be slow: how slow is what is measured here.
    let mut run = Boot::new("baseline", &images, Machine::q35())
        .deadlines(Deadlines::scaled(10.0))
        .packed_kernel()
        .start(qemu)?;
    let started = Instant::now();
    run.wait_milestone(Milestone::Init)?;
    let time = started.elapsed();
    run.wait_end()?;
    Ok(time)
}

/// Deadlines for this machine as it is now. Measured once for all test processes of a quarter of an hour.
pub fn deadlines(qemu: &Qemu, kernel: &Path, init: &Path) -> Result<Deadlines, Failure> {
    let folder = output_folder().join("lab");
    let failure = |error: io::Error| Boot::failure("baseline", error);
    fs::create_dir_all(&folder).map_err(failure)?;
    let lock = fs::File::create(folder.join("factor.lock")).map_err(failure)?;
    let _lock = Flock::lock(lock, FlockArg::LockExclusive)
        .map_err(|(_, error)| Boot::failure("baseline", error.into()))?;
    let kept = folder.join("factor");
    if let Some(factor) = fresh(&kept) {
        return Ok(Deadlines::scaled(factor));
    }
    let factor = measure(qemu, kernel, init)?.div_duration_f64(REFERENCE);
    fs::write(&kept, factor.to_string()).map_err(failure)?;
    Ok(Deadlines::scaled(factor))
}

fn fresh(kept: &Path) -> Option<f64> {
    let age = SystemTime::now()
        .duration_since(fs::metadata(kept).ok()?.modified().ok()?)
        .ok()?;
    if age > FRESH {
        return None;
    }
    fs::read_to_string(kept).ok()?.trim().parse().ok()
}
