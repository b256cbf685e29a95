//! Option ROMs: read from a machine; files shown, judged, mended, built.

mod build;
mod dump;
mod file;
mod look;
mod mend;
mod parts;
mod text;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand};

/// Arguments of `preflight rom`.
#[derive(Args)]
#[command(after_help = "\
Nothing here writes into a card. To put a ROM into a card's flash, use the vendor's own tool (nvflash, \
amdvbflash); a guest needs no flashing, it takes the ROM from a file.")]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Read every copy of every option ROM, judge and compare them, and save them
    Dump(dump::Arguments),
    /// Show every image of a ROM file, and what is wrong with it
    Show(look::Arguments),
    /// Judge a ROM file: good, usable or bad, with the reasons
    #[command(
        after_help = "The exit status is 0 for good and usable, 1 for bad, 2 for what cannot be read."
    )]
    Check(look::Arguments),
    /// Strip what stands before the first image and cut padding behind the last
    Mend(mend::Arguments),
    /// Put a ROM together from EFI drivers and legacy images, as EDK2's EfiRom does
    Build(build::Arguments),
}

/// 0 done, 1 a ROM is bad or missing, 2 bad usage or unreadable input.
pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    match &arguments.command {
        Command::Dump(arguments) => dump::run(arguments),
        Command::Show(arguments) => look::show(arguments),
        Command::Check(arguments) => look::check(arguments),
        Command::Mend(arguments) => mend::run(arguments),
        Command::Build(arguments) => build::run(arguments),
    }
}

/// 1 for a ROM that cannot serve, else 0.
fn status(verdict: option_rom::Verdict) -> ExitCode {
    ExitCode::from(u8::from(verdict == option_rom::Verdict::Bad))
}
