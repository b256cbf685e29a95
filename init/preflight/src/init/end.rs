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
/// The kernel tells every device to stop before it ends, and waits for each.
const KERNEL_WAIT: Duration = Duration::from_secs(10);
/// A person is not told of a shorter wait.
const SHORT_WAIT: Duration = Duration::from_secs(2);

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
    clear_away(consoles);
    let mode = match ending {
        Ending::Reboot => RebootMode::RB_AUTOBOOT,
        Ending::PowerOff => RebootMode::RB_POWER_OFF,
    };
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || tell.send(reboot(mode)));
    let why = match told.recv_timeout(KERNEL_WAIT) {
        Ok(refused) => format!("The kernel refused to end ({refused:?})."),
        Err(_) => "The kernel waits for a device that hangs before it ends.".to_owned(),
    };
    if ending == Ending::Reboot {
        restart_at_once();
    }
    loop {
        let mut listening = consoles.listen();
        listening.print(&format!(
            "\n{why} Switch the machine off, or press b to restart it at once.\n"
        ));
        match listening.key(None, None) {
            Some(('b' | 'B', _)) => restart_at_once(),
            Some(_) => {}
            None => std::thread::sleep(Duration::from_secs(1)),
        }
    }
}

/// Asks no device (Documentation/admin-guide/sysrq.rst). Disks were synced as far as they could be.
fn restart_at_once() {
    if let Err(error) = std::fs::write("/proc/sysrq-trigger", "b") {
        tracing::error!("/proc/sysrq-trigger: {error}");
    }
}

/// Ends every other process, syncs and unmounts: before the end, and before a new start.
pub fn clear_away(consoles: &mut Consoles) {
    for signal in [Signal::SIGTERM, Signal::SIGKILL] {
        let _ = kill(Pid::from_raw(-1), signal);
        std::thread::sleep(Duration::from_millis(100));
    }
    let done = in_time(consoles, || {
        sync();
        unmount_all();
        sync();
    });
    if !done {
        tracing::error!("a disk hangs: not everything could be synced and unmounted");
    }
}

/// Writes to the disks what waits for that; whether all of it is there.
pub fn synced(consoles: &mut Consoles) -> bool {
    in_time(consoles, sync)
}

/// Whether work on disks was done in the time that there is for it.
fn in_time(consoles: &mut Consoles, work: impl FnOnce() + Send + 'static) -> bool {
    let (done, finished) = mpsc::channel();
    std::thread::spawn(move || {
        work();
        let _ = done.send(());
    });
    if finished.recv_timeout(SHORT_WAIT).is_ok() {
        return true;
    }
    consoles.line(&format!(
        "Waiting for disks, at most {} seconds ...",
        STORAGE_WAIT.as_secs()
    ));
    finished.recv_timeout(STORAGE_WAIT).is_ok()
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
