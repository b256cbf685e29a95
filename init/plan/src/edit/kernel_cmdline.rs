//! /etc/kernel/cmdline: one line, given to systemd-boot by proxmox-boot-tool.

use super::words::{cut_text, placed_words};
use super::{EditError, Source, WordEdit};

/// Edits the line.
///
/// # Errors
/// A file of several lines, one without `root=`, and what [`EditError`] says of all files.
pub fn edit(file: &[u8], edits: &[WordEdit]) -> Result<Vec<u8>, EditError> {
    let mut source = Source::parse(file);
    source.check()?;
    let lines = source
        .lines()
        .filter(|line| !line.text.trim_ascii().is_empty())
        .count();
    if lines > 1 {
        return Err(EditError::ManyLines(lines));
    }
    let first = source
        .lines()
        .next()
        .map(|line| line.text)
        .unwrap_or_default();
    if !cut_text(first).iter().any(|word| word.starts_with("root=")) {
        return Err(EditError::NoRoot);
    }
    for edit in edits {
        apply(&mut source, edit)?;
    }
    Ok(source.print())
}

fn apply(source: &mut Source, edit: &WordEdit) -> Result<(), EditError> {
    let Some(line) = source.lines().next() else {
        return Ok(());
    };
    let (span, end) = (line.span(), line.start + line.text.trim_ascii_end().len());
    let words = placed_words(source, &[span]);
    edit.apply(source, &words, end)
}
