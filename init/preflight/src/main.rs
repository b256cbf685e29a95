//! Preflight: PID 1 of the stick when it is process 1, a command line everywhere else.

mod apply;
mod cli;
mod consoles;
mod events;
mod init;
mod log;
mod options;
mod patience;
mod rom_files;
mod session;
mod systems;

use std::process::ExitCode;

fn main() -> ExitCode {
    if std::process::id() == 1 {
        init::run();
    }
    cli::run()
}
