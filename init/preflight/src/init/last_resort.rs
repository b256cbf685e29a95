use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

use super::Ending;
use super::end::{clear_away, end, synced};
use super::supervise::wanted;
use super::watch_signals;
use crate::consoles::Consoles;
use crate::log;

/// Set for a PID 1 that follows one which met an error, so that a test fault comes up once.
const AGAIN: &str = "PREFLIGHT_AGAIN";

/// Whether this PID 1 follows one that met an error.
pub fn is_again() -> bool {
    std::env::var_os(AGAIN).is_some()
}

/// What PID 1 does when it meets an error in itself: say so everywhere, and offer to start anew or to end.
/// To return from here would be a kernel panic.
pub fn take_over(what: &str) -> ! {
    let _ = std::fs::write(
        log::KMSG,
        format!("<2>preflight: PID 1 met an error: {what}"),
    );
    let mut consoles = Consoles::open();
    let mut disks_answer = synced(&mut consoles);
    let disks = match disks_answer {
        true => "Disks are synced, and Preflight",
        false => "A disk hangs. Preflight",
    };
    let signals = watch_signals().ok();
    loop {
        let mut listening = consoles.listen();
        listening.print(&format!(
            "\nPreflight's first process met an error in itself: {what}\n\
             {disks} wrote nothing to an internal one.\n\
             \n  r  try again    b  reboot    p  power off\n"
        ));
        let wake = signals.as_ref().map(AsFd::as_fd);
        let pressed = listening.key(None, wake);
        drop(listening);
        if let Some(ending) = signals.as_ref().and_then(wanted) {
            end(ending, &mut consoles, signals.as_ref());
        }
        match pressed.map(|(key, _)| key) {
            Some('r' | 'R') => {
                // execve(2) waits for every other thread of this process.
                if !disks_answer || !clear_away(&mut consoles) {
                    disks_answer = false;
                    consoles.line("A disk hangs, so this cannot start again without a reboot.");
                    continue;
                }
                let error = Command::new("/proc/self/exe").env(AGAIN, "1").exec();
                consoles.line(&format!("It could not be started again: {error}"));
            }
            Some('b' | 'B') => end(Ending::Reboot, &mut consoles, signals.as_ref()),
            Some('p' | 'P') => end(Ending::PowerOff, &mut consoles, signals.as_ref()),
            _ => std::thread::sleep(Duration::from_millis(100)),
        }
    }
}
