//! PID 1: mounts, then only supervises. What reads firmware and disks runs in a child, so that whatever
//! it meets there never ends this process, which would end the kernel.

mod end;
mod hanging;
mod last_resort;
mod mounts;
mod supervise;

pub use end::{Ending, end};
pub use mounts::cover;

use std::panic;

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use crate::consoles::Consoles;
use crate::log;
use crate::options::{self, Fault, Options};
use crate::session::Attempt;

/// Runs the machine from the first mount to power off. Never returns.
pub fn run() -> ! {
    panic::set_hook(Box::new(|panic| last_resort::take_over(&panic.to_string())));
    let complaints = mounts::mount_all();
    let _ = nix::sys::reboot::set_cad_enabled(false);
    let command_line = std::fs::read_to_string("/proc/cmdline").unwrap_or_default();
    let (options, unknown) = options::parse(&command_line);
    log::start(options.log);
    tracing::info!("milestone init");
    let mut consoles = Consoles::open();
    for complaint in complaints.iter().chain(&unknown) {
        tracing::warn!("{complaint}");
        consoles.line(&format!("Preflight: {complaint}"));
    }
    // The kernel would start this for every module it misses; we load modules ourselves, until a person has a shell.
    let _ = std::fs::write("/proc/sys/kernel/modprobe", "\n");
    if options.fault == Some(Fault::PanicInit) && !last_resort::is_again() {
        #[expect(clippy::panic, reason = "this is the fault that the test asked for")]
        {
            panic!("preflight.test=panic-init");
        }
    }
    let signals = match watch_signals() {
        Ok(signals) => signals,
        Err(error) => last_resort::take_over(&format!("no signals can be received: {error}")),
    };
    let ending = supervise(&options, &mut consoles, &signals);
    end(ending, &mut consoles, Some(&signals))
}

fn supervise(options: &Options, consoles: &mut Consoles, signals: &SignalFd) -> Ending {
    let mut attempt = Attempt::first();
    loop {
        let outcome = supervise::run_session(attempt, signals);
        match supervise::after(outcome, options, consoles, signals) {
            supervise::Next::End(ending) => return ending,
            supervise::Next::Again => attempt = attempt.next(),
        }
    }
}

/// Takes the signals that mean an ended child or a wish for the end as something to read.
fn watch_signals() -> nix::Result<SignalFd> {
    let mut signals = SigSet::empty();
    for signal in [
        Signal::SIGCHLD,
        Signal::SIGINT,
        Signal::SIGTERM,
        Signal::SIGUSR1,
        Signal::SIGUSR2,
    ] {
        signals.add(signal);
    }
    signals.thread_block()?;
    SignalFd::with_flags(&signals, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)
}
