//! What the subcommands print.

use std::io::{self, IsTerminal, Write};

use anyhow::Context;

/// How to print what was built.
#[derive(Clone, Copy, clap::ValueEnum)]
pub(crate) enum Format {
    Text,
    Json,
}

/// One line that is written over, and only where somebody watches.
pub(crate) fn progress(doing: &str) {
    if io::stderr().is_terminal() {
        eprint!("\r\x1b[K{doing} ...");
    }
}

pub(crate) fn clear_progress() {
    if io::stderr().is_terminal() {
        eprint!("\r\x1b[K");
    }
}

pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    writeln!(io::stdout(), "{text}").context("cannot write to standard output")
}

/// Megabytes with two decimals, rounded up so that nothing reads as 0.00.
pub(crate) fn megabytes(bytes: usize) -> String {
    let hundredths = bytes.div_ceil(10_000);
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}
