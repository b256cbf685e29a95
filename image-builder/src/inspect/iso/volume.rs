//! Reads an ISO 9660 file system (ECMA-119) with the names of Rock Ridge (IEEE P1282), whole or damaged.

use super::super::source::Source;

/// Bytes of a sector.
pub(super) const SECTOR: u64 = 2048;
/// Where volume descriptors begin, and more of them than any CD has.
const FIRST: u64 = 16;
const MOST_DESCRIPTORS: u64 = 32;
const FOLDER: u8 = 0x02;
const CONTINUED: u8 = 0x80;
const DEPTH: usize = 16;
const MOST: usize = 50_000;
const FOLDER_BYTES: u64 = 2 << 20;
const ALL_FOLDERS: u64 = 64 << 20;

/// What volume descriptors say.
#[derive(Default)]
pub(super) struct Descriptors {
    pub(super) name: String,
    /// `YYYYMMDDHHMMSS`, when it is that.
    pub(super) made: Option<String>,
    /// Bytes of the file system.
    pub(super) length: u64,
    /// First sector of El Torito's catalogue.
    pub(super) catalogue: Option<u64>,
    root: Extent,
}

#[derive(Default, Clone, Copy)]
struct Extent {
    at: u64,
    bytes: u64,
}

/// A file.
pub(super) struct File {
    pub(super) path: String,
    pub(super) bytes: u64,
    /// First byte; none where it lies in several places.
    pub(super) at: Option<u64>,
}

impl File {
    /// Its path and length.
    pub(super) fn listed(&self) -> (&str, u64) {
        (&self.path, self.bytes)
    }
}

/// What a walk through its folders finds.
#[derive(Default)]
pub(super) struct Found {
    pub(super) files: Vec<File>,
    /// Why the walk did not find all.
    pub(super) broken: Option<String>,
    read: u64,
}

impl Descriptors {
    /// None where there is no primary volume descriptor (section 8.4).
    pub(super) fn read(source: &Source) -> Option<Self> {
        const BOOT: u8 = 0;
        const PRIMARY: u8 = 1;
        const END: u8 = 255;
        let mut found = None;
        let mut catalogue = None;
        for sector in FIRST..FIRST + MOST_DESCRIPTORS {
            let Some(bytes) = source.read(sector * SECTOR, SECTOR) else {
                break;
            };
            if bytes.get(1..6) != Some(b"CD001") {
                break;
            }
            match bytes.first() {
                Some(&PRIMARY) if found.is_none() => found = Self::primary(&bytes),
                Some(&BOOT) if bytes.get(7..30) == Some(b"EL TORITO SPECIFICATION") => {
                    catalogue = long(&bytes, 71);
                }
                Some(&END) => break,
                _ => {}
            }
        }
        Some(Self {
            catalogue,
            ..found?
        })
    }

    fn primary(bytes: &[u8]) -> Option<Self> {
        let name = String::from_utf8_lossy(bytes.get(40..72)?);
        let made = std::str::from_utf8(bytes.get(813..827)?).ok();
        let is_date = |text: &&str| text.chars().all(|c| c.is_ascii_digit()) && *text > "0";
        Some(Self {
            name: name.trim_end_matches([' ', '\0']).to_owned(),
            made: made.filter(is_date).map(str::to_owned),
            length: long(bytes, 80)? * SECTOR,
            catalogue: None,
            root: extent(bytes.get(156..)?)?,
        })
    }

    /// All files, by their paths.
    pub(super) fn walk(&self, source: &Source) -> Found {
        let mut found = Found::default();
        folder(source, self.root, "", DEPTH, &mut found);
        found.files.sort_by(|one, other| one.path.cmp(&other.path));
        found
    }
}

fn folder(source: &Source, place: Extent, path: &str, depth: usize, found: &mut Found) {
    found.read = found.read.saturating_add(place.bytes);
    let affordable = depth > 0 && place.bytes <= FOLDER_BYTES && found.read <= ALL_FOLDERS;
    let bytes = affordable
        .then(|| source.read(place.at, place.bytes))
        .flatten();
    let Some(bytes) = bytes else {
        found.broken = Some(match path {
            "" => "its root folder cannot be read".to_owned(),
            path => format!("its folder {path} cannot be read"),
        });
        return;
    };
    let sector_length = usize::try_from(SECTOR).unwrap_or(usize::MAX);
    for sector in bytes.chunks(sector_length) {
        let mut rest = sector;
        // A record does not go across sectors; zeros fill up (section 6.8.1.1).
        while let Some(length) = rest.first().copied().filter(|length| *length != 0) {
            let Some((record, behind)) = rest.split_at_checked(length.into()) else {
                found.broken = Some(format!("an entry of its folder /{path} is cut off"));
                return;
            };
            if found.files.len() >= MOST {
                found.broken = Some(format!("it has more than {MOST} files"));
                return;
            }
            entry(source, record, path, depth, found);
            rest = behind;
        }
    }
}

fn entry(source: &Source, record: &[u8], path: &str, depth: usize, found: &mut Found) {
    let (Some(place), Some(&flags)) = (extent(record), record.get(25)) else {
        return;
    };
    let Some((identifier, behind)) = identifier(record) else {
        return;
    };
    // The folder itself and the one above it.
    if matches!(identifier, [0] | [1]) {
        return;
    }
    let name = rock_ridge(source, behind).unwrap_or_else(|| plain_name(identifier));
    let path = format!("{path}{name}");
    if flags & FOLDER != 0 {
        return folder(source, place, &format!("{path}/"), depth - 1, found);
    }
    match found.files.last_mut().filter(|file| file.path == path) {
        Some(file) => {
            file.bytes = file.bytes.saturating_add(place.bytes);
            file.at = None;
        }
        None => found.files.push(File {
            path,
            bytes: place.bytes,
            at: Some(place.at).filter(|_| flags & CONTINUED == 0),
        }),
    }
}

/// The identifier of a record and what stands behind it for other systems' use.
fn identifier(record: &[u8]) -> Option<(&[u8], &[u8])> {
    let length = usize::from(*record.get(32)?);
    let (identifier, behind) = record.get(33..)?.split_at_checked(length)?;
    // It is filled up to an even length, with the 33 bytes in front of it.
    let fill = usize::from(length % 2 == 0);
    Some((identifier, behind.get(fill..).unwrap_or_default()))
}

/// `BOOT.CAT;1` without its version.
fn plain_name(identifier: &[u8]) -> String {
    let name = String::from_utf8_lossy(identifier);
    let name = name.split(';').next().unwrap_or_default();
    name.trim_end_matches('.').to_owned()
}

/// The name in NM entries, the last of which may stand elsewhere (SUSP, 5.1; Rock Ridge, 4.1.4).
fn rock_ridge(source: &Source, area: &[u8]) -> Option<String> {
    const AREAS: usize = 4;
    let mut name = Vec::new();
    let mut area = area.to_vec();
    for _ in 0..AREAS {
        let mut next = None;
        let mut rest = area.as_slice();
        while let [first, second, length, _, ..] = rest {
            let (kind, length) = ([*first, *second], usize::from(*length));
            let Some((entry, behind)) = rest.split_at_checked(length).filter(|_| length >= 4)
            else {
                break;
            };
            match &kind {
                b"NM" => name.extend_from_slice(entry.get(5..).unwrap_or_default()),
                b"CE" => next = Some([long(entry, 4)?, long(entry, 12)?, long(entry, 20)?]),
                _ => {}
            }
            rest = behind;
        }
        let Some([sector, offset, length]) = next else {
            break;
        };
        area = source.read(sector * SECTOR + offset, length.min(SECTOR))?;
    }
    (!name.is_empty()).then(|| String::from_utf8_lossy(&name).into_owned())
}

fn extent(record: &[u8]) -> Option<Extent> {
    Some(Extent {
        at: long(record, 2)? * SECTOR,
        bytes: long(record, 10)?,
    })
}

/// A number of 32 bits, of which ECMA-119 has the little-endian half first (7.3.3).
fn long(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?).into())
}
