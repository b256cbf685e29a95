//! Preflight: PID 1 of the stick when it is process 1, a command line everywhere else.

mod apply;
mod cli;
mod consoles;
mod events;
mod in_one_step;
mod init;
mod log;
mod options;
mod pages;
mod patience;
mod rom_files;
mod session;
mod systems;

use std::process::ExitCode;

fn main() -> ExitCode {
    if std::process::id() == 1 && !is_in_a_rehearsal() {
        init::run();
    }
    cli::run()
}

/// Process 1 of a namespace is none of a machine. The kernel gives words of its command line to its first process,
/// but has mounted nothing for it yet.
fn is_in_a_rehearsal() -> bool {
    std::env::args().nth(1).as_deref() == Some(cli::ENTER_ROOT)
        && std::path::Path::new("/proc/version").exists()
}
