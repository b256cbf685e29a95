//! The init of a test guest that writes to the lab's special disks, in the way that `writer=WAY` on the
//! kernel's command line says, and then ends like in a power cut: nothing is synced, nothing unmounted.

mod commit;

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{env, process, thread};

use anyhow::{Context, Result, bail};
use modules::{Index, Loader, ModuleName};
use nix::libc::O_DIRECT;
use nix::mount::{MsFlags, mount};
use nix::sys::reboot::{RebootMode, reboot};

/// In the order in which they are loaded; what the kernel has built in is passed over. ext4 asks for its
/// checksum by name, which no module index resolves.
const MODULES: &[&str] = &[
    "virtio_pci",
    "virtio_blk",
    "virtio_scsi",
    "sd_mod",
    "crc32c_generic",
    "ext4",
    "nls_cp437",
    "nls_ascii",
    "vfat",
];

/// How long a disk may take to appear.
const PATIENCE: Duration = Duration::from_secs(20);

/// Where the disks' file system is mounted.
const ROOT: &str = "/mnt";

/// A block that the kernel writes past its cache.
#[repr(align(4096))]
struct Block([u8; 4096]);

fn main() {
    if process::id() != 1 {
        eprintln!("disk-writer is the init of a test guest; it does nothing anywhere else");
        process::exit(2);
    }
    println!("preflight: milestone init");
    match work() {
        Ok(()) => println!("writer: done"),
        Err(error) => println!("writer: failed: {error:#}"),
    }
    println!("preflight: milestone end");
    // PID 1 has nowhere to report a failure to; returning makes the kernel panic, which is seen.
    let _ = reboot(RebootMode::RB_POWER_OFF);
}

fn work() -> Result<()> {
    for (kind, place) in [("devtmpfs", "/dev"), ("sysfs", "/sys"), ("proc", "/proc")] {
        let nothing = None::<&str>;
        mount(nothing, place, Some(kind), MsFlags::empty(), nothing).context(place)?;
    }
    load()?;
    match env::var("writer").as_deref() {
        // Without the first option ext4 itself syncs what a rename replaces.
        Ok("replace-synced") => replace("noauto_da_alloc", true),
        Ok("replace-unsynced") => replace("noauto_da_alloc", false),
        Ok("replace-unflushed") => replace("noauto_da_alloc,nobarrier", true),
        Ok("mirror") => mirror(),
        Ok("bad-spot") => bad_spot(),
        Ok("commit") => commit::there_and_back(),
        Ok("recover") => commit::recover(),
        Ok("refused") => commit::refused(),
        Ok("bad-esp") => commit::bad_esp(),
        way => bail!("no way to write: {way:?}"),
    }
}

fn load() -> Result<()> {
    let releases = fs::read_dir("/lib/modules").context("/lib/modules")?;
    let release = releases.flatten().next().context("no modules")?.path();
    let mut loader = Loader::new(Index::read(&release)?, BTreeMap::new());
    for name in MODULES {
        for loaded in loader.load(&ModuleName::new(name)) {
            loaded?;
        }
    }
    Ok(())
}

/// Replaces a file in the ext4 of disk `ext4-0`, mounted with these options, by a new one under its name.
/// Then another program has a file of its own synced, which takes the new name to the disk, and the world
/// is told.
fn replace(options: &str, synced: bool) -> Result<()> {
    mount(
        Some(disk("ext4-0")?.as_path()),
        ROOT,
        Some("ext4"),
        MsFlags::empty(),
        Some(options),
    )
    .context(ROOT)?;
    let root = Path::new(ROOT);
    let mut new = File::create(root.join("file.new"))?;
    new.write_all(&fs::read(root.join("wanted"))?)?;
    if synced {
        new.sync_all()?;
    }
    drop(new);
    fs::rename(root.join("file.new"), root.join("file"))?;
    let mut other = File::create(root.join("other"))?;
    other.write_all(b"of another program")?;
    other.sync_all()?;
    mark("ext4-marks", "replaced")
}

/// Writes the same blocks to two disks, in turn, and syncs both.
fn mirror() -> Result<()> {
    let sides = [direct("mirror-0")?, direct("mirror-1")?];
    for number in 0..8 {
        for side in &sides {
            let block = Block([number; 4096]);
            side.write_all_at(&block.0, u64::from(number) * 4096)?;
        }
    }
    for side in &sides {
        side.sync_all()?;
    }
    Ok(())
}

/// Writes blocks 0 to 3 of a SCSI disk and says how each went.
fn bad_spot() -> Result<()> {
    let disk = appearing(Path::new("/dev/sda"))?;
    let disk = OpenOptions::new()
        .write(true)
        .custom_flags(O_DIRECT)
        .open(disk)?;
    for number in 0..4 {
        let written = disk.write_all_at(&Block([7; 4096]).0, number * 4096);
        let errno = written.err().and_then(|error| error.raw_os_error());
        println!("writer: block {number}: {}", errno.unwrap_or(0));
    }
    Ok(())
}

/// Tells the recording how far we are.
fn mark(disk: &str, text: &str) -> Result<()> {
    let mut block = Block([0; 4096]);
    block.0[..text.len()].copy_from_slice(text.as_bytes());
    Ok(direct(disk)?.write_all_at(&block.0, 0)?)
}

fn direct(serial: &str) -> Result<File> {
    let path = disk(serial)?;
    let opened = OpenOptions::new()
        .write(true)
        .custom_flags(O_DIRECT)
        .open(&path);
    opened.with_context(|| path.display().to_string())
}

/// The virtio disk with this serial number.
fn disk(serial: &str) -> Result<PathBuf> {
    let started = Instant::now();
    while started.elapsed() < PATIENCE {
        for entry in fs::read_dir("/sys/block")?.flatten() {
            let own = fs::read_to_string(entry.path().join("serial")).unwrap_or_default();
            if own.trim() == serial {
                return Ok(appearing(&Path::new("/dev").join(entry.file_name()))?);
            }
        }
        thread::sleep(Duration::from_millis(20));
    }
    bail!("no disk with serial number {serial}")
}

fn appearing(path: &Path) -> io::Result<PathBuf> {
    let started = Instant::now();
    while !path.exists() {
        if started.elapsed() > PATIENCE {
            let what = format!("{} does not appear", path.display());
            return Err(io::Error::new(io::ErrorKind::NotFound, what));
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(path.to_owned())
}
