//! What the subcommands print.

use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::time::Instant;

use anyhow::Context;
use image_builder::medium::BuiltFile;
use serde::Serialize;

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

/// Tells what was built into a file: as JSON, or the file's path with what `text` says of it.
pub(crate) fn report<Built: Serialize>(
    format: Format,
    file: &Path,
    built: &Built,
    text: impl FnOnce(&Built) -> String,
) -> anyhow::Result<()> {
    clear_progress();
    print(&match format {
        Format::Json => serde_json::to_string_pretty(built)?,
        Format::Text => format!("{}: {}", file.display(), text(built)),
    })
}

/// How large a file became, and how long since `start` it took.
pub(crate) fn size_and_time(bytes: u64, start: Instant) -> String {
    let size = megabytes(usize::try_from(bytes).unwrap_or(usize::MAX));
    format!("{size} MB, built in {:.1} s", start.elapsed().as_secs_f64())
}

/// Megabytes with two decimals, rounded up so that nothing reads as 0.00.
pub(crate) fn megabytes(bytes: usize) -> String {
    let hundredths = bytes.div_ceil(10_000);
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

/// A line for each file of a medium.
pub(crate) fn file_lines(files: &[BuiltFile]) -> String {
    let widths = files.iter().map(|file| file.path.len());
    let width = widths.max().unwrap_or_default();
    let mut text = String::new();
    for file in files {
        let size = megabytes(file.bytes);
        text.push_str(&format!("\n  {:width$}  {size:>6} MB", file.path));
    }
    text
}
