//! A guest whose init ends at once: how fast this machine boots a kernel, and what a boot does by itself.

use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, Instant};
use std::{fs, time::SystemTime};

use cpio::newc::{self, ModeFileType};
use nix::fcntl::{Flock, FlockArg};

use crate::images::output_folder;
use crate::{Boot, Deadlines, Failure, Images, Machine, Milestone, Qemu};

/// Wall time of a baseline boot on the reference machine: two cores, no KVM, nothing else to do.
const REFERENCE: Duration = Duration::from_millis(6_000);

/// How long a measurement holds: machines shared with others change.
const FRESH: Duration = Duration::from_secs(15 * 60);

/// An initramfs, uncompressed, with `init` as its `/init` and a console.
pub fn initramfs(init: &Path) -> io::Result<Vec<u8>> {
    let program = fs::read(init)?;
    let folder = |name: &str, inode| {
        newc::Builder::new(name)
            .ino(inode)
            .nlink(2)
            .mode(0o755)
            .set_mode_file_type(ModeFileType::Directory)
    };
    let mut archive = folder("dev", 1).write(Vec::new(), 0).finish()?;
    archive = newc::Builder::new("dev/console")
        .ino(2)
        .mode(0o600)
        .set_mode_file_type(ModeFileType::Char)
        .rdev_major(5)
        .rdev_minor(1)
        .write(archive, 0)
        .finish()?;
    let length = u32::try_from(program.len()).map_err(io::Error::other)?;
    let mut writer = newc::Builder::new("init")
        .ino(3)
        .mode(0o755)
        .set_mode_file_type(ModeFileType::Regular)
        .write(archive, length);
    writer.write_all(&program)?;
    archive = writer.finish()?;
    newc::trailer(archive)
}

/// Boots the kernel with an init that ends at once; the wall time from QEMU's start to PID 1.
pub fn measure(qemu: &Qemu, kernel: &Path, init: &Path) -> Result<Duration, Failure> {
    let folder = tempfile::tempdir().map_err(|error| Boot::failure("baseline", error))?;
    let image = folder.path().join("baseline.img");
    initramfs(init)
        .and_then(|bytes| fs::write(&image, bytes))
        .map_err(|error| Boot::failure("baseline", error))?;
    let images = Images {
        kernel: kernel.to_owned(),
        initramfs: image,
    };
    // The machine may be slow: how slow is what is measured here.
    let mut run = Boot::new("baseline", &images, Machine::q35())
        .deadlines(Deadlines::scaled(10.0))
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
