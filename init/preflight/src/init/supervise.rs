use std::os::fd::AsFd;
use std::process::Command;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::sys::signalfd::SignalFd;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::{Ending, hanging};
use crate::consoles::Consoles;
use crate::options::{End, Options};
use crate::session::{self, Attempt, KeptReport, shell};

/// After a crash nobody may be there: then an unattended run ends as it was told to.
const UNATTENDED_WAIT: Duration = Duration::from_secs(60);

/// A session that was asked to end gets so long, is then killed, and after as long again left behind: a
/// driver that hangs in the kernel lets no signal through.
const ENDING_WAIT: Duration = Duration::from_secs(10);

/// A session that has ended gets so long until all of its threads have.
const LAST_THREAD_WAIT: Duration = Duration::from_secs(2);

/// How the session child ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It asks to end the machine.
    Done(Ending),
    /// It died; in words.
    Crashed(String),
    /// Ctrl-Alt-Del, or what reboot(8), halt(8) and poweroff(8) of busybox send to PID 1.
    Interrupted(Ending),
}

/// What to do next.
pub enum Next {
    /// End the machine.
    End(Ending),
    /// Start the session anew.
    Again,
}

/// Runs the session child to its end, reaping every other process on the way.
pub fn run_session(attempt: Attempt, signals: &SignalFd) -> Outcome {
    let child = Command::new("/proc/self/exe")
        .arg("session")
        .arg(attempt.to_string())
        .spawn();
    let session = match child {
        Ok(child) => match i32::try_from(child.id()) {
            Ok(id) => Pid::from_raw(id),
            Err(_) => return Outcome::Crashed("its process id makes no sense".to_owned()),
        },
        Err(error) => return Outcome::Crashed(format!("it could not be started: {error}")),
    };
    let mut interrupted: Option<(Ending, Instant)> = None;
    let mut ended: Option<Instant> = None;
    loop {
        let hanging = hanging::status(session).filter(|_| {
            let since = *ended.get_or_insert_with(Instant::now);
            since.elapsed() > LAST_THREAD_WAIT
        });
        if hanging.is_some() {
            tracing::error!("a part of the session hangs in the kernel and is left behind");
        }
        if let Some(status) = reap(session).or(hanging) {
            return interrupted.map_or_else(
                || outcome(status),
                |(ending, _)| Outcome::Interrupted(ending),
            );
        }
        if let Some(ending) = wait_for_signal(signals) {
            if interrupted.is_none() {
                let _ = kill(session, Signal::SIGTERM);
            }
            let since = interrupted.map_or_else(Instant::now, |(_, since)| since);
            interrupted = Some((ending, since));
        }
        if let Some((ending, since)) = interrupted {
            if since.elapsed() > 2 * ENDING_WAIT {
                tracing::error!("the session hangs in the kernel and is left behind");
                return Outcome::Interrupted(ending);
            }
            if since.elapsed() > ENDING_WAIT {
                let _ = kill(session, Signal::SIGKILL);
            }
        }
    }
}

/// Collects everything that has ended; gives the session's status when it is among it.
fn reap(session: Pid) -> Option<WaitStatus> {
    let mut found = None;
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::StillAlive) | Err(_) => return found,
            Ok(status) if status.pid() == Some(session) => found = Some(status),
            Ok(_) => {}
        }
    }
}

/// Collects everything that has ended.
fn reap_all() {
    while let Ok(status) = waitpid(None, Some(WaitPidFlag::WNOHANG))
        && status != WaitStatus::StillAlive
    {}
}

/// Waits a while for a child to end or for somebody who wants an end, and gives what they want.
fn wait_for_signal(signals: &SignalFd) -> Option<Ending> {
    let mut wait = [PollFd::new(signals.as_fd(), PollFlags::POLLIN)];
    let _ = poll(&mut wait, PollTimeout::from(1_000_u16));
    wanted(signals)
}

/// The end that the signals which wait to be read ask for: Ctrl-Alt-Del and busybox's `reboot` and
/// `poweroff` come as these.
pub(super) fn wanted(signals: &SignalFd) -> Option<Ending> {
    let mut wanted = None;
    while let Ok(Some(info)) = signals.read_signal() {
        let signal = i32::try_from(info.ssi_signo)
            .ok()
            .and_then(|number| number.try_into().ok());
        wanted = match signal {
            Some(Signal::SIGINT | Signal::SIGTERM) => Some(Ending::Reboot),
            Some(Signal::SIGUSR1 | Signal::SIGUSR2) => Some(Ending::PowerOff),
            _ => wanted,
        };
    }
    wanted
}

fn outcome(status: WaitStatus) -> Outcome {
    match status {
        WaitStatus::Exited(_, session::EXIT_REBOOT) => Outcome::Done(Ending::Reboot),
        WaitStatus::Exited(_, session::EXIT_POWER_OFF) => Outcome::Done(Ending::PowerOff),
        WaitStatus::Exited(_, code) => Outcome::Crashed(format!("it ended with status {code}")),
        WaitStatus::Signaled(_, signal, _) => {
            Outcome::Crashed(format!("it was ended by signal {}", signal.as_str()))
        }
        other => Outcome::Crashed(format!("{other:?}")),
    }
}

/// Decides with the person, on all consoles, what follows.
pub fn after(
    outcome: Outcome,
    options: &Options,
    consoles: &mut Consoles,
    signals: &SignalFd,
) -> Next {
    let why = match outcome {
        Outcome::Done(ending) => return Next::End(ending),
        Outcome::Interrupted(ending) => return Next::End(ending),
        Outcome::Crashed(why) => why,
    };
    tracing::error!("the session stopped unexpectedly: {why}");
    let known = KeptReport::of_this_boot().kept_text();
    let known = known.map_or_else(String::new, |path| {
        format!("What was known until then is in {}.\n", path.display())
    });
    loop {
        // The child, or a shell, may have hung the lines up.
        consoles.reopen();
        let mut listening = consoles.listen();
        listening.print(&format!(
            "\nPreflight stopped unexpectedly: {why}.\n\
             Preflight wrote nothing to an internal disk. The last messages are in the kernel log.\n\
             {known}\
             \n  r  try again    s  shell    b  reboot    p  power off\n"
        ));
        let limit = (options.end != End::Menu).then_some(UNATTENDED_WAIT);
        let deadline = limit.map(|limit| Instant::now() + limit);
        let (key, console) = loop {
            let left = deadline.map(|end| end.saturating_duration_since(Instant::now()));
            if let Some(pressed) = listening.key(left, Some(signals.as_fd())) {
                break pressed;
            }
            // Ended children wake it, too.
            if let Some(ending) = wanted(signals) {
                return Next::End(ending);
            }
            reap_all();
            if deadline.is_some_and(|end| Instant::now() >= end) {
                return Next::End(unattended(options.end));
            }
        };
        drop(listening);
        match key {
            'r' | 'R' => {
                super::end::clear_away(consoles);
                return Next::Again;
            }
            'b' | 'B' => return Next::End(Ending::Reboot),
            'p' | 'P' => return Next::End(Ending::PowerOff),
            's' | 'S' => match shell::start(&console) {
                Ok(shell) => {
                    let shell = i32::try_from(shell.id()).map(Pid::from_raw);
                    while let Ok(shell) = shell
                        && reap(shell).is_none()
                    {
                        if let Some(ending) = wait_for_signal(signals) {
                            return Next::End(ending);
                        }
                    }
                }
                Err(error) => consoles.line(&error.to_string()),
            },
            _ => {}
        }
    }
}

fn unattended(end: End) -> Ending {
    match end {
        End::Menu | End::PowerOff => Ending::PowerOff,
        End::Reboot => Ending::Reboot,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_that_ends_in_any_other_way_than_asked_has_crashed() {
        let pid = Pid::from_raw(2);
        assert_eq!(
            outcome(WaitStatus::Exited(pid, session::EXIT_POWER_OFF)),
            Outcome::Done(Ending::PowerOff)
        );
        assert_eq!(
            outcome(WaitStatus::Signaled(pid, Signal::SIGKILL, false)),
            Outcome::Crashed("it was ended by signal SIGKILL".to_owned())
        );
        assert!(matches!(
            outcome(WaitStatus::Exited(pid, 0)),
            Outcome::Crashed(_)
        ));
    }
}
