//! sysfs.conf and sysfs.d of sysfsutils: `attribute = value`, written at every start.

use super::source::plain;
use super::{EditError, Source};

/// Sees to it that each of these attributes that stands in the file gets this value. None is added.
///
/// # Errors
/// A value that would have to be quoted, and what [`EditError`] says of all files.
pub fn set(
    file: &[u8],
    is_meant: impl Fn(&str) -> bool,
    value: &str,
) -> Result<Vec<u8>, EditError> {
    let mut source = Source::parse(file);
    source.check()?;
    plain(value)?;
    let spans: Vec<_> = source
        .lines()
        .filter_map(|line| {
            let (attribute, old) = line.text.split_once('=')?;
            let attribute = attribute.trim_ascii();
            let at = line.start + line.text.len() - old.trim_ascii_start().len();
            let is_it = !attribute.starts_with('#') && is_meant(attribute);
            is_it.then(|| at..at + old.trim_ascii().len())
        })
        .collect();
    for span in spans.into_iter().rev() {
        source.replace(span, value);
    }
    Ok(source.print())
}
