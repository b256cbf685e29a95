use std::sync::mpsc;
use std::time::Duration;

use nix::sys::reboot::{RebootMode, reboot};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, sync};
use sys_mount::{UnmountFlags, unmount};

use crate::consoles::Consoles;

/// How the run ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Reboot.
    Reboot,
    /// Power off.
    PowerOff,
}

/// A disk that hangs must not keep the machine from its end: syncing and unmounting get so long.
const STORAGE_WAIT: Duration = Duration::from_secs(30);

/// File systems that are the kernel's own and need no unmount.
const KERNEL_FILE_SYSTEMS: &[&str] = &[
    "rootfs",
    "ramfs",
    "proc",
    "sysfs",
    "devtmpfs",
    "tmpfs",
    "devpts",
    "efivarfs",
    "securityfs",
];

/// Ends what still runs, syncs, unmounts, and turns the machine off or round. Never returns.
pub fn end(ending: Ending, consoles: &mut Consoles) -> ! {
    tracing::info!("milestone end");
    clear_away();
    let mode = match ending {
        Ending::Reboot => RebootMode::RB_AUTOBOOT,
        Ending::PowerOff => RebootMode::RB_POWER_OFF,
    };
    let refused = reboot(mode);
    consoles.line(&format!(
        "The kernel refused to end ({refused:?}). Switch the machine off."
    ));
    loop {
        std::thread::sleep(Duration::from_secs(3600));
    }
}

/// Ends every other process, syncs and unmounts: before the end, and before a new start.
pub fn clear_away() {
    for signal in [Signal::SIGTERM, Signal::SIGKILL] {
        let _ = kill(Pid::from_raw(-1), signal);
        std::thread::sleep(Duration::from_millis(100));
    }
    let (done, finished) = mpsc::channel();
    std::thread::spawn(move || {
        sync();
        unmount_all();
        sync();
        let _ = done.send(());
    });
    if finished.recv_timeout(STORAGE_WAIT).is_err() {
        tracing::error!("a disk hangs: not everything could be synced and unmounted");
    }
}

fn unmount_all() {
    let mounts = std::fs::read_to_string("/proc/mounts").unwrap_or_default();
    // The last mounted may lie on an earlier one.
    for line in mounts.lines().rev() {
        let mut words = line.split(' ');
        let (Some(_), Some(target), Some(kind)) = (words.next(), words.next(), words.next()) else {
            continue;
        };
        if KERNEL_FILE_SYSTEMS.contains(&kind) {
            continue;
        }
        if let Err(error) = unmount(target, UnmountFlags::empty()) {
            tracing::warn!("cannot unmount {target}: {error}");
            let _ = unmount(target, UnmountFlags::DETACH);
        }
    }
}
