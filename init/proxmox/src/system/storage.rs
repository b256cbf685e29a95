//! What a system mounts.

use serde::{Deserialize, Serialize};

use super::mount_units;
use crate::files::Files;
use crate::place::Place;
use crate::reader::Reader;

/// Where it stands in every system.
pub const FSTAB: &str = "/etc/fstab";

/// A line of /etc/fstab (fstab(5)), or a mount unit that says the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FstabLine {
    /// `UUID=...`, `/dev/pve/root`.
    pub device: String,
    /// Where; `none` for swap.
    pub mount_point: String,
    /// The file system, or `swap`.
    pub kind: String,
    /// Separated by commas.
    #[serde(default)]
    pub options: String,
    /// Where it stands.
    pub place: Place,
}

/// What the system in this root mounts when it starts: the lines of /etc/fstab, then mount units. What cannot be
/// read is left out here, and said when the whole system is read.
pub fn mounts(files: &dyn Files) -> Vec<FstabLine> {
    read(&Reader::new(files, String::new()))
}

pub(crate) fn read(reader: &Reader) -> Vec<FstabLine> {
    let text = reader.text(FSTAB).known().cloned().unwrap_or_default();
    let mut lines = parse_fstab(&text);
    lines.extend(mount_units::read(reader));
    lines
}

/// The lines of an /etc/fstab that mount something.
pub fn parse_fstab(text: &str) -> Vec<FstabLine> {
    let lines = text.lines().enumerate().filter_map(|(index, line)| {
        let mut words = line.split_ascii_whitespace();
        let device = words.next().filter(|word| !word.starts_with('#'))?;
        Some(FstabLine {
            device: device.to_owned(),
            mount_point: words.next()?.to_owned(),
            kind: words.next()?.to_owned(),
            options: words.next().unwrap_or_default().to_owned(),
            place: Place::new(FSTAB, index + 1),
        })
    });
    lines.collect()
}
