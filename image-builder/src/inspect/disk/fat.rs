//! Reads a FAT file system (Microsoft's FAT specification, version 1.03), whole or damaged, and never writes.

use super::super::source::Source;

const ENTRY: usize = 32;
const LONG_NAME: u8 = 0x0f;
const FOLDER: u8 = 0x10;
const LABEL: u8 = 0x08;
/// Folders in folders; firmware goes no deeper on an ESP.
const DEPTH: usize = 16;
/// Files and folders of all the file system.
const MOST: usize = 20_000;
/// No folder is larger (section 6).
const FOLDER_BYTES: usize = 2 << 20;
/// And all of them together; folders whose clusters are the same ones end here.
const ALL_FOLDERS: usize = 64 << 20;

/// A FAT file system whose numbers fit together.
pub(super) struct Fat<'a> {
    source: &'a Source<'a>,
    start: u64,
    cluster: u64,
    data: u64,
    clusters: u32,
    /// Place and bytes of the table of clusters. It is read entry by entry: its length is whatever a boot sector says.
    table: (u64, u64),
    root: Root,
    /// `FAT16` or `FAT32`.
    pub(super) kind: &'static str,
    pub(super) id: u32,
}

enum Root {
    /// Of FAT16: its place and its bytes.
    Fixed(u64, u64),
    /// Of FAT32: its first cluster.
    Chain(u32),
}

/// A file in it.
pub(super) struct File {
    pub(super) path: String,
    pub(super) bytes: u32,
    cluster: u32,
}

impl File {
    /// Its path and length.
    pub(super) fn listed(&self) -> (&str, u64) {
        (&self.path, self.bytes.into())
    }
}

/// What a walk through its folders finds.
#[derive(Default)]
pub(super) struct Found {
    pub(super) label: Option<String>,
    pub(super) files: Vec<File>,
    /// Why the walk did not find all.
    pub(super) broken: Option<String>,
    seen: usize,
    read: usize,
}

impl<'a> Fat<'a> {
    /// The file system in this part of a disk; none where there is none, or one that cannot be.
    pub(super) fn open(source: &'a Source, start: u64, length: u64) -> Option<Self> {
        let sector = source.read(start, 512)?;
        let byte = |at: usize| sector.get(at).copied().map(u64::from);
        let short = |at: usize| {
            Some(u64::from(u16::from_le_bytes(
                *sector.get(at..)?.first_chunk()?,
            )))
        };
        let long = |at: usize| Some(u32::from_le_bytes(*sector.get(at..)?.first_chunk()?));
        let bytes = short(11).filter(|bytes| [512, 1024, 2048, 4096].contains(bytes))?;
        let cluster = byte(13).filter(|sectors| sectors.is_power_of_two())? * bytes;
        let (reserved, tables) = (short(14)?, byte(16)?);
        let root_bytes = short(17)? * ENTRY as u64;
        let sectors = short(19)
            .filter(|sectors| *sectors != 0)
            .or(long(32).map(u64::from))?;
        let is_fat32 = short(22)? == 0;
        let table_sectors = if is_fat32 {
            u64::from(long(36)?)
        } else {
            short(22)?
        };
        if reserved == 0 || tables == 0 || sectors.checked_mul(bytes)? > length {
            return None;
        }
        let table_bytes = table_sectors.checked_mul(bytes)?;
        let root_at = (reserved * bytes).checked_add(tables.checked_mul(table_bytes)?)?;
        let data = root_at.checked_add(root_bytes.next_multiple_of(bytes))?;
        let clusters = (sectors * bytes).checked_sub(data)? / cluster;
        // The number of clusters decides about the kind (section 3.5). FAT12 is for floppy disks.
        let kind = match (clusters, is_fat32) {
            (4085..65_525, false) => "FAT16",
            (65_525..0x0fff_fff5, true) => "FAT32",
            _ => return None,
        };
        Some(Self {
            source,
            start,
            cluster,
            data,
            clusters: u32::try_from(clusters).ok()?,
            table: (start + reserved * bytes, table_bytes),
            root: match is_fat32 {
                true => Root::Chain(long(44)?),
                false => Root::Fixed(root_at, root_bytes),
            },
            kind,
            id: long(if is_fat32 { 67 } else { 39 })?,
        })
    }

    /// All its files, by their paths.
    pub(super) fn walk(&self) -> Found {
        let mut found = Found::default();
        let root = match self.root {
            Root::Fixed(at, bytes) => self.source.read(self.start + at, bytes),
            Root::Chain(first) => self.chain(first, FOLDER_BYTES),
        };
        match root {
            Some(bytes) => self.folder(&bytes, "", DEPTH, &mut found),
            None => found.broken = Some("its root folder cannot be read".to_owned()),
        }
        found.files.sort_by(|one, other| one.path.cmp(&other.path));
        found
    }

    /// The bytes of a file; none where its clusters do not reach.
    pub(super) fn content(&self, file: &File) -> Option<Vec<u8>> {
        let length = file.bytes as usize;
        if length == 0 {
            return Some(Vec::new());
        }
        let mut bytes = self.chain(file.cluster, length)?;
        (bytes.len() >= length).then(|| {
            bytes.truncate(length);
            bytes
        })
    }

    fn folder(&self, bytes: &[u8], path: &str, depth: usize, found: &mut Found) {
        let mut long_name = LongName::default();
        for entry in bytes.chunks_exact(ENTRY) {
            let (Some(&first), Some(&attributes)) = (entry.first(), entry.get(11)) else {
                return;
            };
            match first {
                0 => return,
                // Removed.
                0xe5 => {
                    long_name = LongName::default();
                    continue;
                }
                _ => {}
            }
            if attributes & 0x3f == LONG_NAME {
                long_name.add(entry);
                continue;
            }
            let name = std::mem::take(&mut long_name)
                .of(entry)
                .unwrap_or_else(|| short_name(entry));
            if attributes & LABEL != 0 {
                found.label = Some(label(entry));
                continue;
            }
            if first == b'.' {
                continue;
            }
            found.seen += 1;
            if found.seen > MOST {
                found.broken = Some(format!("it has more than {MOST} files"));
                return;
            }
            self.entry(entry, format!("{path}{name}"), depth, found);
        }
    }

    fn entry(&self, entry: &[u8], path: String, depth: usize, found: &mut Found) {
        let short = |at: usize| Some(u16::from_le_bytes(*entry.get(at..)?.first_chunk()?));
        let long = |at: usize| Some(u32::from_le_bytes(*entry.get(at..)?.first_chunk()?));
        let (Some(high), Some(low), Some(bytes)) = (short(20), short(26), long(28)) else {
            return;
        };
        let high = if self.kind == "FAT32" {
            u32::from(high)
        } else {
            0
        };
        let cluster = high << 16 | u32::from(low);
        let is_folder = entry
            .get(11)
            .is_some_and(|attributes| attributes & FOLDER != 0);
        if !is_folder {
            found.files.push(File {
                path,
                bytes,
                cluster,
            });
            return;
        }
        let can_read = depth > 0 && found.read <= ALL_FOLDERS;
        match can_read
            .then(|| self.chain(cluster, FOLDER_BYTES))
            .flatten()
        {
            Some(content) => {
                found.read += content.len();
                self.folder(&content, &format!("{path}/"), depth - 1, found);
            }
            None => found.broken = Some(format!("its folder {path} cannot be read")),
        }
    }

    /// The clusters from this one on, until the chain ends or there are as many bytes as wanted. A chain that goes
    /// in a circle ends there, too.
    fn chain(&self, first: u32, wanted: usize) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        let mut number = first;
        while bytes.len() < wanted {
            let index = number
                .checked_sub(2)
                .filter(|index| *index < self.clusters)?;
            let at = self.start + self.data + u64::from(index) * self.cluster;
            bytes.extend(self.source.read(at, self.cluster)?);
            number = match self.next(number)? {
                Some(next) => next,
                None => break,
            };
        }
        Some(bytes)
    }

    /// What follows a cluster; inner none at the end of a chain.
    fn next(&self, number: u32) -> Option<Option<u32>> {
        let (at, length) = self.table;
        let number = u64::from(number);
        let entry = |width: u64| {
            let is_inside = (number + 1) * width <= length;
            is_inside
                .then(|| self.source.read(at + number * width, width))
                .flatten()
        };
        let (next, end) = match self.kind {
            "FAT16" => {
                let entry = *entry(2)?.first_chunk()?;
                (u32::from(u16::from_le_bytes(entry)), 0xfff8)
            }
            _ => {
                let entry = *entry(4)?.first_chunk()?;
                (u32::from_le_bytes(entry) & 0x0fff_ffff, 0x0fff_fff8)
            }
        };
        Some((next < end).then_some(next))
    }
}

/// The pieces of a long name, which stand in front of the entry that they name, last piece first (section 7).
#[derive(Default)]
struct LongName {
    units: Vec<u16>,
    checksum: u8,
}

impl LongName {
    fn add(&mut self, entry: &[u8]) {
        const LAST: u8 = 0x40;
        const PIECES: [std::ops::Range<usize>; 3] = [1..11, 14..26, 28..32];
        if entry.first().is_some_and(|order| order & LAST != 0) {
            self.units.clear();
        }
        let pieces = PIECES.iter().filter_map(|range| entry.get(range.clone()));
        let units = pieces.flat_map(|piece| piece.chunks_exact(2));
        let units = units.filter_map(|unit| Some(u16::from_le_bytes(*unit.first_chunk()?)));
        let mut units: Vec<u16> = units.collect();
        units.append(&mut self.units);
        // 255 characters are the most (section 7.1).
        units.truncate(260);
        self.units = units;
        self.checksum = entry.get(13).copied().unwrap_or_default();
    }

    /// The name, when it is that of this entry.
    fn of(self, entry: &[u8]) -> Option<String> {
        let name = entry.get(..11)?;
        let sum = name
            .iter()
            .fold(0_u8, |sum, byte| sum.rotate_right(1).wrapping_add(*byte));
        if self.units.is_empty() || sum != self.checksum {
            return None;
        }
        let end = self.units.iter().position(|unit| *unit == 0);
        let units = self.units.get(..end.unwrap_or(self.units.len()))?;
        Some(String::from_utf16_lossy(units).replace(['/', '\0'], "_"))
    }
}

fn short_name(entry: &[u8]) -> String {
    // Bits of the reserved byte that Windows and Linux take for lower case.
    let lower = entry.get(12).copied().unwrap_or_default();
    let part = |range: std::ops::Range<usize>, bit: u8| {
        let text = String::from_utf8_lossy(entry.get(range).unwrap_or_default());
        let text = text.trim_end().replace(['/', '\0'], "_");
        if lower & bit != 0 {
            text.to_lowercase()
        } else {
            text
        }
    };
    match (part(0..8, 0x08), part(8..11, 0x10)) {
        (name, end) if end.is_empty() => name,
        (name, end) => format!("{name}.{end}"),
    }
}

fn label(entry: &[u8]) -> String {
    let bytes = entry.get(..11).unwrap_or_default();
    String::from_utf8_lossy(bytes).trim_end().to_owned()
}
