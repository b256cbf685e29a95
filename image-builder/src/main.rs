//! The command line of the image builder.

mod command;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use command::{
    clear_progress, completions, fetch, harmless_lines, initramfs, inspect, iso, manual, netboot,
    uki, usb,
};

/// Builds the images that Preflight boots from.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Completions(completions::Arguments),
    Fetch(fetch::Arguments),
    Initramfs(Box<initramfs::Arguments>),
    Inspect(inspect::Arguments),
    Man(manual::Arguments),
    Netboot(netboot::Arguments),
    Iso(iso::Arguments),
    Uki(uki::Arguments),
    Usb(usb::Arguments),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Completions(arguments) => completions::run(&arguments, &mut Arguments::command()),
        Command::Fetch(arguments) => fetch::run(&arguments),
        Command::Initramfs(arguments) => initramfs::run(*arguments),
        Command::Inspect(arguments) => inspect::run(&arguments),
        Command::Man(arguments) => manual::run(&arguments, &mut Arguments::command()),
        Command::Netboot(arguments) => netboot::run(arguments),
        Command::Iso(arguments) => iso::run(arguments),
        Command::Uki(arguments) => uki::run(arguments),
        Command::Usb(arguments) => usb::run(arguments),
    };
    clear_progress();
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // It may name what is in a file of anybody.
            let words = format!("{error:#}");
            eprintln!("image-builder: {}", harmless_lines(&words));
            ExitCode::FAILURE
        }
    }
}
