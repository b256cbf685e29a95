//! The command line: the same looks on a live host, on a folder, and on captures.

mod apply;
mod assess;
mod capture;
mod dialogue;
mod plan;
mod rom;
mod systems;
mod undo;
mod wish;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::session::{self, Attempt};

/// The word with which a rehearsal starts this program so that it enters a root.
pub const ENTER_ROOT: &str = "enter-root";

/// Can this machine pass its PCI devices through to a virtual machine, and if not, what to do?
#[derive(Parser)]
#[command(name = "preflight", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Judge a machine: this one, or another one from a capture, a copied /sys or the text of lspci
    Assess(assess::Arguments),
    /// Save all that is read of this machine in one file, for 'assess --from' elsewhere
    Capture(capture::Arguments),
    /// Read an installed system: how it starts, what is set, its guests, and what does not fit together
    Systems(systems::Arguments),
    /// Show what would change in an installed system so that devices can be given to a guest, and why. Nothing is
    /// written
    Plan(plan::Arguments),
    /// Change an installed system on the disks so that devices can be given to a guest: rehearsed on overlays in
    /// memory, shown, and written when you say yes, so that the power may fail at any instant
    Apply(apply::Arguments),
    /// Take back what was changed in an installed system, from its receipt; without --yes it is only shown
    Undo(undo::Arguments),
    /// Option ROMs: read them from a machine; show, check, mend and build files
    Rom(rom::Arguments),
    /// What the session and 'systems' start, so that they can end it: the installed systems on the disks, for
    /// themselves
    #[command(hide = true)]
    LookAtDisks(systems::LookArguments),
    /// What a rehearsal starts, so that a program of an installed system runs in its root
    #[command(hide = true, name = ENTER_ROOT)]
    EnterRoot {
        /// What it is to do there
        orders: String,
    },
    /// What PID 1 starts on the stick
    #[command(hide = true)]
    Session {
        /// How often it was started
        attempt: Attempt,
    },
}

/// Runs what the arguments ask for. 0 done, 1 a finding blocks or a check failed, 2 bad usage or unreadable input.
pub fn run() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Assess(arguments) => assess::run(&arguments),
        Command::Capture(arguments) => capture::run(&arguments),
        Command::Systems(arguments) => systems::run(&arguments),
        Command::Plan(arguments) => plan::run(&arguments),
        Command::Apply(arguments) => apply::run(&arguments),
        Command::EnterRoot { orders } => {
            std::process::exit(rehearse::enter(&orders).unwrap_or_else(|error| {
                eprintln!("{error}");
                127
            }))
        }
        Command::Undo(arguments) => undo::run(&arguments),
        Command::Rom(arguments) => rom::run(&arguments),
        Command::LookAtDisks(arguments) => systems::look(&arguments),
        Command::Session { attempt } => std::process::exit(session::run(attempt)),
    };
    result.unwrap_or_else(|error| {
        eprintln!("preflight: {error:#}");
        ExitCode::from(2)
    })
}
