//! modules.dep.bin: the list that modprobe reads instead of modules.dep (kmod, libkmod/libkmod-index.h). A tree of
//! the names' characters; every number is big-endian.

use std::collections::BTreeMap;

const MAGIC: u32 = 0xb007_f457;
const VERSION: u32 = 0x0002_0001;
/// What a node has, in the bits of its place that no file is long enough to need.
const PREFIX: u32 = 0x8000_0000;
const VALUES: u32 = 0x4000_0000;
const CHILDREN: u32 = 0x2000_0000;
/// A tree has room for ASCII alone.
const LAST: u8 = 0x7f;

/// The file, of module names and their lines in modules.dep. Of two with one name, the later one holds. A name that
/// is not ASCII is left out, as modprobe could not ask for it.
pub(super) fn of(lines: impl Iterator<Item = (String, String)>) -> Vec<u8> {
    let lines: BTreeMap<Vec<u8>, String> = lines
        .map(|(name, line)| (name.into_bytes(), line))
        .filter(|(name, line)| {
            name.iter().all(|byte| (1..=LAST).contains(byte)) && !line.contains('\0')
        })
        .collect();
    let entries: Vec<(&[u8], &str)> = lines
        .iter()
        .map(|(name, line)| (name.as_slice(), line.as_str()))
        .collect();
    let mut bytes = Vec::new();
    for word in [MAGIC, VERSION, 0] {
        bytes.extend(word.to_be_bytes());
    }
    let root = node(&entries, &mut bytes);
    if let Some(place) = bytes.get_mut(8..12) {
        place.copy_from_slice(&root.to_be_bytes());
    }
    bytes
}

/// Writes a node of these names, which are sorted and have lost what leads to it; where it is, and what it has.
/// As deep as a name is long.
fn node(entries: &[(&[u8], &str)], bytes: &mut Vec<u8>) -> u32 {
    let prefix = common(entries);
    let rest: Vec<(&[u8], &str)> = entries
        .iter()
        .map(|(name, line)| (name.get(prefix.len()..).unwrap_or_default(), *line))
        .collect();
    let (own, below) = match rest.split_first() {
        Some((([], line), below)) => (Some(*line), below),
        _ => (None, rest.as_slice()),
    };
    let first = |entry: &(&[u8], &str)| entry.0.first().copied();
    let range = below
        .first()
        .and_then(first)
        .zip(below.last().and_then(first));
    let mut children = Vec::new();
    if let Some((from, to)) = range {
        for byte in from..=to {
            let under: Vec<(&[u8], &str)> = below
                .iter()
                .filter(|entry| first(entry) == Some(byte))
                .map(|(name, line)| (name.get(1..).unwrap_or_default(), *line))
                .collect();
            children.push(match under.is_empty() {
                true => 0,
                false => node(&under, bytes),
            });
        }
    }
    let mut place = u32::try_from(bytes.len()).unwrap_or_default();
    if !prefix.is_empty() {
        bytes.extend(prefix);
        bytes.push(0);
        place |= PREFIX;
    }
    if let Some((from, to)) = range {
        bytes.extend([from, to]);
        for child in children {
            bytes.extend(child.to_be_bytes());
        }
        place |= CHILDREN;
    }
    if let Some(line) = own {
        // One value, and its priority, which only patterns need.
        bytes.extend(1_u32.to_be_bytes());
        bytes.extend(0_u32.to_be_bytes());
        bytes.extend(line.bytes());
        bytes.push(0);
        place |= VALUES;
    }
    place
}

/// What all names begin with.
fn common<'a>(entries: &[(&'a [u8], &str)]) -> &'a [u8] {
    let (Some((first, _)), Some((last, _))) = (entries.first(), entries.last()) else {
        return &[];
    };
    // Sorted, so that what the first and the last share, all share.
    let length = first
        .iter()
        .zip(*last)
        .take_while(|(one, other)| one == other)
        .count();
    first.get(..length).unwrap_or_default()
}
