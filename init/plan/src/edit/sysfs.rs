//! sysfs.conf and sysfs.d of sysfsutils: `attribute = value`, written at every start.

use super::{EditError, Source};

/// The file that is ours.
pub const OWN: &str = "/etc/sysfs.d/preflight.conf";

/// Sees to it that an attribute gets this value.
///
/// # Errors
/// An attribute that stands there twice, and what [`EditError`] says of all files.
pub fn set(file: &[u8], attribute: &str, value: &str) -> Result<Vec<u8>, EditError> {
    let mut source = Source::parse(file);
    source.check()?;
    let lines: Vec<_> = source
        .lines()
        .filter_map(|line| {
            let (key, old) = line.text.split_once('=')?;
            let at = line.start + key.len() + 1 + (old.len() - old.trim_ascii_start().len());
            let old = old.trim_ascii();
            (key.trim_ascii() == attribute).then(|| (at..at + old.len(), old.to_owned()))
        })
        .collect();
    match lines.as_slice() {
        [] => source.append_line(&format!("{attribute} = {value}")),
        [(_, old)] if old == value => {}
        [(span, _)] => source.replace(span.clone(), value),
        _ => return Err(EditError::Twice(attribute.to_owned())),
    }
    Ok(source.print())
}
