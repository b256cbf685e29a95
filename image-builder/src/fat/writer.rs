use std::io;
use std::ops::Range;

use super::clock::Stamp;
use super::names::{ShortName, is_short, long_entries, short_name};

const ENTRY: usize = 32;
const FOLDER: u8 = 0x10;
const ARCHIVE: u8 = 0x20;
/// The entry of a folder for itself, and for the one above.
const ITSELF: &ShortName = b".          ";
const ABOVE: &ShortName = b"..         ";

/// A folder with what is in it, in order.
#[derive(Debug, Default)]
pub(super) struct Folder<'a> {
    nodes: Vec<(&'a str, Node<'a>)>,
}

#[derive(Debug)]
enum Node<'a> {
    File(&'a [u8]),
    Folder(Folder<'a>),
}

impl<'a> Folder<'a> {
    pub(super) fn add(&mut self, path: &'a str, content: &'a [u8]) -> io::Result<()> {
        let clash = || io::Error::other(format!("{path} stands for two things"));
        let (name, rest) = match path.split_once('/') {
            Some((name, rest)) => (name, Some(rest)),
            None => (path, None),
        };
        let found = self
            .nodes
            .iter_mut()
            .find(|(other, _)| other.eq_ignore_ascii_case(name));
        match (found, rest) {
            (Some((_, Node::Folder(folder))), Some(rest)) => folder.add(rest, content),
            (Some(_), _) => Err(clash()),
            (None, Some(rest)) => {
                let mut folder = Folder::default();
                folder.add(rest, content)?;
                self.nodes.push((name, Node::Folder(folder)));
                Ok(())
            }
            (None, None) => {
                self.nodes.push((name, Node::File(content)));
                Ok(())
            }
        }
    }
}

/// An empty file system that files are laid into one behind the other.
pub(super) struct Writer<'a> {
    bytes: &'a mut [u8],
    stamp: Stamp,
    /// FAT32, else FAT16.
    wide: bool,
    cluster: usize,
    tables: [usize; 2],
    root: Range<usize>,
    data: usize,
    /// Number of the first cluster that is not there.
    end: u32,
    next: u32,
}

impl<'a> Writer<'a> {
    /// `bytes` as they were formatted: with two tables, and of a FAT32 the root folder in cluster 2.
    pub(super) fn new(bytes: &'a mut [u8], stamp: Stamp) -> io::Result<Self> {
        let field = |at: usize, length: usize| -> io::Result<usize> {
            let field = bytes.get(at..at + length);
            let field = field.ok_or_else(|| io::Error::other("the boot sector is cut"))?;
            let number = field.iter().rev();
            Ok(number.fold(0, |number, byte| number << 8 | usize::from(*byte)))
        };
        // Section 3: the BIOS parameter block.
        let sector = field(11, 2)?;
        let cluster = field(13, 1)? * sector;
        let reserved = field(14, 2)? * sector;
        let root_length = field(17, 2)? * ENTRY;
        let narrow = field(22, 2)? * sector;
        let wide = narrow == 0;
        let table = if wide { field(36, 4)? * sector } else { narrow };
        let root = reserved + 2 * table;
        let data = root + root_length;
        let length = bytes.len();
        let clusters = length.saturating_sub(data).checked_div(cluster);
        let clusters = clusters.ok_or_else(|| io::Error::other("a cluster has no length"))?;
        Ok(Self {
            bytes,
            stamp,
            wide,
            cluster,
            tables: [reserved, reserved + table],
            root: root..data,
            data,
            end: u32::try_from(clusters + 2).map_err(io::Error::other)?,
            next: if wide { 3 } else { 2 },
        })
    }

    /// How many there are.
    pub(super) fn clusters(&self) -> u32 {
        self.end.saturating_sub(2)
    }

    /// Lays out the root folder, behind the volume label that stands there.
    pub(super) fn write(mut self, root: &Folder<'_>) -> io::Result<()> {
        let start = if self.wide {
            self.place_of(2)
        } else {
            self.root.clone()
        };
        let label = self.bytes.get(start.clone()).unwrap_or_default();
        let mut entries = label.get(..ENTRY).unwrap_or_default().to_vec();
        self.fill(root, 0, &mut entries)?;
        if self.wide {
            let more = entries.len().saturating_sub(self.cluster);
            let mut chain = vec![2];
            chain.extend(self.allocate(more)?);
            self.link(&chain)?;
            self.put_into(&chain, &entries)?;
            return self.tell_free_clusters();
        }
        if entries.len() > start.len() {
            return Err(io::Error::other("the root folder is full"));
        }
        self.put(start.start, &entries)
    }

    /// The entries of a folder's content, which is laid out, too. `own` is the folder's first cluster, which
    /// for the root is written as 0.
    fn fill(&mut self, folder: &Folder<'_>, own: u32, entries: &mut Vec<u8>) -> io::Result<()> {
        let mut taken: Vec<ShortName> = Vec::new();
        for (name, node) in &folder.nodes {
            let short = short_name(name, &taken)?;
            taken.push(short);
            if !is_short(name, &short) {
                entries.extend(long_entries(name, &short).as_flattened());
            }
            let entry = match node {
                Node::File(content) => {
                    let chain = self.allocate(content.len())?;
                    self.link(&chain)?;
                    self.put_into(&chain, content)?;
                    let length = u32::try_from(content.len()).map_err(io::Error::other)?;
                    self.entry(&short, ARCHIVE, first(&chain), length)
                }
                Node::Folder(inner) => {
                    let chain = self.allocate(length_of(inner))?;
                    self.link(&chain)?;
                    let cluster = first(&chain);
                    let mut inside = self.entry(ITSELF, FOLDER, cluster, 0).to_vec();
                    inside.extend(self.entry(ABOVE, FOLDER, own, 0));
                    self.fill(inner, cluster, &mut inside)?;
                    self.put_into(&chain, &inside)?;
                    self.entry(&short, FOLDER, cluster, 0)
                }
            };
            entries.extend(entry);
        }
        Ok(())
    }

    /// Section 6.
    fn entry(&self, name: &ShortName, attributes: u8, cluster: u32, length: u32) -> [u8; ENTRY] {
        let Stamp { date, time } = self.stamp;
        let [low, more, high, highest] = cluster.to_le_bytes();
        let mut bytes = Vec::from(*name);
        bytes.extend([attributes, 0, 0]);
        bytes.extend([time, date, date].map(u16::to_le_bytes).as_flattened());
        bytes.extend([high, highest]);
        bytes.extend([time, date].map(u16::to_le_bytes).as_flattened());
        bytes.extend([low, more]);
        bytes.extend(length.to_le_bytes());
        bytes.first_chunk().copied().unwrap_or([0; ENTRY])
    }

    /// Clusters for so many bytes, one behind the other.
    fn allocate(&mut self, bytes: usize) -> io::Result<Vec<u32>> {
        let count = u32::try_from(bytes.div_ceil(self.cluster)).map_err(io::Error::other)?;
        let end = self.next.saturating_add(count);
        if end > self.end {
            return Err(io::Error::other("the files do not fit"));
        }
        let chain = (self.next..end).collect();
        self.next = end;
        Ok(chain)
    }

    /// Writes a chain into both tables.
    fn link(&mut self, chain: &[u32]) -> io::Result<()> {
        const LAST: u32 = 0x0fff_ffff;
        let followers = chain.iter().skip(1).copied().chain([LAST]);
        for (cluster, follower) in chain.iter().zip(followers) {
            let cluster = usize::try_from(*cluster).map_err(io::Error::other)?;
            for table in self.tables {
                let bytes = follower.to_le_bytes();
                if self.wide {
                    self.put(table + cluster * 4, &bytes)?;
                } else {
                    self.put(table + cluster * 2, bytes.get(..2).unwrap_or_default())?;
                }
            }
        }
        Ok(())
    }

    fn place_of(&self, cluster: u32) -> Range<usize> {
        let index = usize::try_from(cluster.saturating_sub(2)).unwrap_or(usize::MAX);
        let start = self.data.saturating_add(index.saturating_mul(self.cluster));
        start..start.saturating_add(self.cluster)
    }

    fn put_into(&mut self, chain: &[u32], content: &[u8]) -> io::Result<()> {
        for (cluster, part) in chain.iter().zip(content.chunks(self.cluster)) {
            self.put(self.place_of(*cluster).start, part)?;
        }
        Ok(())
    }

    fn put(&mut self, at: usize, content: &[u8]) -> io::Result<()> {
        let place = self.bytes.get_mut(at..at + content.len());
        let place = place.ok_or_else(|| io::Error::other("the file system ends too early"))?;
        place.copy_from_slice(content);
        Ok(())
    }

    /// In the FSInfo sector of a FAT32 (section 5), so that nobody has to count.
    fn tell_free_clusters(&mut self) -> io::Result<()> {
        const FS_INFO: usize = 512;
        self.put(FS_INFO + 488, &(self.end - self.next).to_le_bytes())?;
        self.put(FS_INFO + 492, &self.next.to_le_bytes())
    }
}

/// Bytes of a folder's entries. A name takes as many whatever its short form becomes.
fn length_of(folder: &Folder<'_>) -> usize {
    let entries = folder.nodes.iter().map(|(name, _)| {
        let short = short_name(name, &[]);
        match short {
            Ok(short) if is_short(name, &short) => 1,
            Ok(short) => 1 + long_entries(name, &short).len(),
            Err(_) => 0,
        }
    });
    (2 + entries.sum::<usize>()) * ENTRY
}

/// An empty file has no cluster, which is written as 0.
fn first(chain: &[u32]) -> u32 {
    chain.first().copied().unwrap_or(0)
}
