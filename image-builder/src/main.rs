//! The command line of the image builder.

mod fetch;

use clap::{Parser, Subcommand};

/// Builds the images that Preflight boots from.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Fetch(fetch::Arguments),
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().command {
        Command::Fetch(arguments) => fetch::run(&arguments),
    }
}
