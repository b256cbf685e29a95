//! What the subcommands print.

use std::borrow::Cow;
use std::io::{self, Write};
use std::path::Path;
use std::sync::LazyLock;
use std::time::Instant;

use anyhow::Context;
use image_builder::medium::BuiltFile;
use image_builder::progress::Progress;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

/// How to print what was built.
#[derive(Clone, Copy, clap::ValueEnum)]
pub(crate) enum Format {
    Text,
    Json,
}

/// Nothing is shown where standard error is no terminal.
static BAR: LazyLock<ProgressBar> = LazyLock::new(|| ProgressBar::new(0));

/// One line that is written over: what is done, and a bar where it is known how much of it.
pub(crate) fn progress(news: Progress<'_>) {
    match news {
        Progress::Doing(what) => {
            BAR.set_style(style("{msg} ..."));
            // Whatever comes after it draws the line.
            BAR.set_message(harmless(what).into_owned());
            BAR.set_length(0);
            if BAR.is_finished() {
                BAR.reset();
            }
        }
        Progress::Part { done, all } => {
            if BAR.length() != Some(all) {
                BAR.set_style(style("{msg} [{bar:30}] {percent:>3} %"));
                BAR.set_length(all);
            }
            BAR.set_position(done);
        }
    }
    BAR.tick();
}

pub(crate) fn clear_progress() {
    BAR.finish_and_clear();
}

/// One of the two above, which are well-formed.
fn style(template: &str) -> ProgressStyle {
    let style = ProgressStyle::with_template(template);
    style.map_or_else(
        |_| ProgressStyle::default_bar(),
        |style| style.progress_chars("## "),
    )
}

/// Lines for a person, whose words may be from a file of anybody.
pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    put(&harmless_lines(text))
}

/// A value as JSON. serde_json leaves the control characters behind ASCII as they are, and terminals obey those, too;
/// they can be nowhere but in strings.
pub(crate) fn print_json(value: &impl Serialize) -> anyhow::Result<()> {
    put(&escaped(&serde_json::to_string_pretty(value)?))
}

/// Lines, each of which is harmless.
pub(crate) fn harmless_lines(text: &str) -> String {
    let lines: Vec<_> = text.split('\n').map(harmless).collect();
    lines.join("\n")
}

fn put(text: &str) -> anyhow::Result<()> {
    writeln!(io::stdout(), "{text}").context("cannot write to standard output")
}

/// What a terminal obeys instead of showing it: control characters, and what turns the direction of writing.
fn is_obeyed(c: char) -> bool {
    let turns =
        matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() || turns
}

/// A text of one line, with a question mark for all that a terminal would obey: names in an image, and what a disk
/// says about itself, are written by anybody.
pub(crate) fn harmless(text: &str) -> Cow<'_, str> {
    match text.contains(is_obeyed) {
        true => text.replace(is_obeyed, "?").into(),
        false => text.into(),
    }
}

fn escaped(json: &str) -> String {
    let escape = |c: char| match c {
        '\n' => c.to_string(),
        c if is_obeyed(c) => format!("\\u{:04x}", u32::from(c)),
        c => c.to_string(),
    };
    match json.contains(|c: char| c != '\n' && is_obeyed(c)) {
        true => json.chars().map(escape).collect(),
        false => json.to_owned(),
    }
}

/// Tells what was built into a file: as JSON, or the file's path with what `text` says of it.
pub(crate) fn report<Built: Serialize>(
    format: Format,
    file: &Path,
    built: &Built,
    text: impl FnOnce(&Built) -> String,
) -> anyhow::Result<()> {
    clear_progress();
    match format {
        Format::Json => print_json(built),
        Format::Text => {
            let file = file.display().to_string();
            print(&format!("{}: {}", harmless(&file), text(built)))
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str = "a\x1b[2Jb\u{9b}31mc\rd\ne\u{202e}f\x7f";

    #[test]
    fn nothing_that_a_terminal_obeys_is_left_in_a_line() {
        assert_eq!(harmless(HOSTILE), "a?[2Jb?31mc?d?e?f?");
        assert_eq!(harmless("Grüße, 日本"), "Grüße, 日本");
    }

    #[test]
    fn json_says_the_same_without_any_of_it() {
        let json = escaped(&serde_json::to_string_pretty(&[HOSTILE]).unwrap());
        assert!(json.lines().all(|line| !line.contains(is_obeyed)), "{json}");
        let again: Vec<String> = serde_json::from_str(&json).unwrap();
        assert_eq!(again, [HOSTILE]);
    }
}
