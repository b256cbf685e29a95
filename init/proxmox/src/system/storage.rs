//! What a system mounts.

use serde::{Deserialize, Serialize};

use crate::place::Place;
use crate::reader::Reader;

/// Where it stands in every system.
pub const FSTAB: &str = "/etc/fstab";

/// A line of /etc/fstab (fstab(5)).
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

pub(crate) fn fstab(reader: &Reader) -> Vec<FstabLine> {
    let text = reader.text(FSTAB).known().cloned().unwrap_or_default();
    parse_fstab(&text)
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
