//! `preflight rom`: option ROMs, from machines and from files.

mod dump;

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;

/// Arguments of `preflight rom`.
#[derive(clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Read every copy of every option ROM, judge and compare them, and save them
    Dump(dump::Arguments),
}

/// Runs what the arguments ask for. 0 done, 1 a check failed, 2 bad usage or unreadable input.
pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    match &arguments.command {
        Command::Dump(arguments) => dump::run(arguments),
    }
}
