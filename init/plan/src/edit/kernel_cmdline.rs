//! /etc/kernel/cmdline: one line, given to systemd-boot by proxmox-boot-tool.

use super::words::{cut, cut_text};
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
    let line = source
        .lines()
        .next()
        .map(|line| line.text.to_owned())
        .unwrap_or_default();
    let words = cut(line.char_indices().map(|(at, character)| (character, at)));
    let texts: Vec<String> = words
        .iter()
        .map(|word| word.iter().map(|(character, _)| *character).collect())
        .collect();
    let changes = edit.changes(&texts)?;
    if let Some(word) = &changes.appended {
        let end = line.trim_ascii_end().len();
        source.replace(end..end, &format!(" {word}"));
    }
    for (index, instead) in changes.replaced.iter().rev() {
        let Some(span) = words.get(*index).and_then(|word| {
            let (_, start) = word.first()?;
            let (last, end) = word.last()?;
            Some(*start..*end + last.len_utf8())
        }) else {
            continue;
        };
        match instead {
            Some(word) => source.replace(span, word),
            None => {
                let before = line.get(..span.start).unwrap_or_default();
                let gap = before.len() - before.trim_ascii_end().len();
                source.replace(span.start - gap..span.end, "");
            }
        }
    }
    Ok(())
}
