use std::ops::Range;

use plan::edit::{Source, WordEdit, placed_words};

use super::EntryError;

/// Changes the `options` of a loader entry (UAPI group, Boot Loader Specification, type 1). Several lines of options
/// are one command line; a new word goes behind the last.
///
/// # Errors
/// An entry without options, and what [`plan::edit::EditError`] says of all files.
pub fn loader_entry(file: &[u8], edits: &[WordEdit]) -> Result<Vec<u8>, EntryError> {
    let mut source = Source::parse(file);
    source.check()?;
    for edit in edits {
        let options = options(&source);
        let end = options.last().ok_or(EntryError::NoOptions)?.end;
        let words = placed_words(&source, &options);
        edit.apply(&mut source, &words, end)?;
    }
    Ok(source.print())
}

/// Where the values of `options` stand, without white space around them.
fn options(source: &Source) -> Vec<Range<usize>> {
    let values = source.lines().filter_map(|line| {
        let text = line.text.trim_ascii_start();
        let rest = text.strip_prefix("options")?;
        if !rest.starts_with([' ', '\t']) {
            return None;
        }
        let start = line.start + line.text.len() - rest.trim_ascii_start().len();
        let end = line.start + line.text.trim_ascii_end().len();
        (start < end).then_some(start..end)
    });
    values.collect()
}
