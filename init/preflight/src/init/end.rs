use std::convert::Infallible;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use nix::sys::reboot::{RebootMode, reboot};
use nix::sys::signal::{Signal, kill};
use nix::sys::signalfd::SignalFd;
use nix::unistd::{Pid, sync};
use sys_mount::{UnmountFlags, unmount};

use super::supervise::wanted;
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
/// The kernel tells every device to stop before it ends, and waits for each: a RAID controller writes its cache first.
const KERNEL_WAIT: Duration = Duration::from_secs(60);
/// The same where a disk is known to hang.
const KERNEL_WAIT_IN_VAIN: Duration = Duration::from_secs(10);
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

/// Ends what still runs, unmounts, syncs, and turns the machine off or round. `signals` are those of PID 1, where it has
/// them. Never returns.
pub fn end(ending: Ending, consoles: &mut Consoles, signals: Option<&SignalFd>) -> ! {
    tracing::info!("milestone end");
    let wait = match clear_away(consoles) {
        true => KERNEL_WAIT,
        false => KERNEL_WAIT_IN_VAIN,
    };
    let end: fn() -> nix::Result<Infallible> = match ending {
        Ending::Reboot => || reboot(RebootMode::RB_AUTOBOOT),
        Ending::PowerOff => || reboot(RebootMode::RB_POWER_OFF),
    };
    let why = match in_time(wait, end) {
        Some(refused) => format!("The kernel refused to end ({refused:?})."),
        None => format!(
            "The kernel has not ended after {} seconds: it waits for a device that may hang.",
            wait.as_secs()
        ),
    };
    if ending == Ending::Reboot {
        restart_at_once();
    }
    loop {
        // Whatever was killed may have hung the lines up.
        consoles.reopen();
        let mut listening = consoles.listen();
        listening.print(&format!(
            "\n{why} Switch the machine off, or press b to restart it at once.\n"
        ));
        let pressed = listening.key(None, signals.map(AsFd::as_fd));
        let is_wanted = signals.is_some_and(|signals| wanted(signals).is_some());
        match pressed {
            Some(('b' | 'B', _)) => restart_at_once(),
            _ if is_wanted => restart_at_once(),
            _ => thread::sleep(Duration::from_secs(1)),
        }
    }
}

/// Asks no device (Documentation/admin-guide/sysrq.rst). Disks were synced as far as they could be.
fn restart_at_once() {
    if let Err(error) = std::fs::write("/proc/sysrq-trigger", "b") {
        tracing::error!("/proc/sysrq-trigger: {error}");
    }
}

/// Ends every other process, unmounts and syncs: before the end, and before a new start. Whether no disk hangs.
pub fn clear_away(consoles: &mut Consoles) -> bool {
    for signal in [Signal::SIGTERM, Signal::SIGKILL] {
        let _ = kill(Pid::from_raw(-1), signal);
        thread::sleep(Duration::from_millis(100));
    }
    consoles.reopen();
    let given_up = Arc::new(AtomicBool::new(false));
    let of_worker = Arc::clone(&given_up);
    let done = told_when_long(consoles, move || {
        // First: a file system is whole then also where another disk holds the rest up.
        unmount_all(&of_worker);
        sync();
    });
    if !done {
        given_up.store(true, Ordering::Relaxed);
        tracing::error!("a disk hangs: not everything could be unmounted and synced");
    }
    done
}

/// Writes to the disks what waits for that; whether all of it is there.
pub fn synced(consoles: &mut Consoles) -> bool {
    told_when_long(consoles, sync)
}

/// Whether work on disks was done in the time that there is for it.
fn told_when_long(consoles: &mut Consoles, work: impl FnOnce() + Send + 'static) -> bool {
    let (tell, told) = mpsc::channel();
    let started = thread::Builder::new().spawn(move || {
        work();
        let _ = tell.send(());
    });
    if started.is_err() {
        return false;
    }
    if told.recv_timeout(SHORT_WAIT).is_ok() {
        return true;
    }
    consoles.line(&format!(
        "Waiting for disks, at most {} seconds ...",
        STORAGE_WAIT.as_secs()
    ));
    told.recv_timeout(STORAGE_WAIT).is_ok()
}

/// What work gives that may never return; none where it takes longer. Done here where there can be no thread.
fn in_time<T: Send + 'static>(limit: Duration, work: fn() -> T) -> Option<T> {
    let (tell, told) = mpsc::channel();
    match thread::Builder::new().spawn(move || drop(tell.send(work()))) {
        Ok(_) => told.recv_timeout(limit).ok(),
        Err(_) => Some(work()),
    }
}

/// Stops when it was given up: what is mounted then is somebody else's.
fn unmount_all(given_up: &AtomicBool) {
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
        if given_up.load(Ordering::Relaxed) {
            return;
        }
        if let Err(error) = unmount(target, UnmountFlags::empty()) {
            tracing::warn!("cannot unmount {target}: {error}");
            let _ = unmount(target, UnmountFlags::DETACH);
        }
    }
}
