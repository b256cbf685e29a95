use std::collections::HashMap;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Component;
use std::slice;
use std::sync::Arc;

use serde::Deserialize;
use sha2::{Digest, Sha256};
use tar::{Archive, Entry, EntryType};

use super::manifest::Kind;
use super::pack::hex;
use super::{CaptureError, FileEntry, MANIFEST, Manifest, NAMES, ROMS, SCHEMA};
use crate::source::{LogSource, PROC, SYS};
use crate::tree::{Content, Image, Listed, Node, PATH_LIMIT, Tree};
use crate::{Names, RomReading, Source};

/// A machine of four thousand functions unpacks to a fifth of this.
const MAX_UNPACKED: u64 = 512 << 20;
const MAX_MANIFEST: u64 = 64 << 20;
const MAX_ENTRIES: usize = 1 << 20;

/// A capture, unpacked into memory.
pub struct Capture {
    /// What it says of itself.
    pub manifest: Manifest,
    /// To read the machine from.
    pub source: Source,
    /// Copies of option ROMs; none when nobody read any.
    pub roms: Option<Vec<RomReading>>,
    /// The names that were used when it was made.
    pub names: Option<Names>,
}

impl Capture {
    /// Unpacks a capture. It may come from anybody: it is held against its manifest, and what no capture
    /// has is refused.
    ///
    /// # Errors
    /// [`CaptureError`] says what is wrong with it.
    pub fn read(compressed: impl Read) -> Result<Self, CaptureError> {
        let decoder = zstd::Decoder::new(compressed).map_err(CaptureError::Archive)?;
        let mut archive = Archive::new(Bounded {
            inner: decoder,
            left: MAX_UNPACKED,
        });
        let mut entries = archive.entries_with_seek().map_err(archive_error)?;
        let first = entries.next().ok_or(CaptureError::NoManifest)?;
        let manifest = manifest(first.map_err(archive_error)?)?;
        let mut contents = Contents {
            expected: manifest.files.iter(),
            image: Image::default(),
            others: HashMap::new(),
        };
        for (count, entry) in entries.enumerate() {
            if count >= MAX_ENTRIES {
                return Err(CaptureError::TooLarge("a million entries"));
            }
            contents.take(entry.map_err(archive_error)?)?;
        }
        let Contents {
            mut expected,
            mut image,
            mut others,
        } = contents;
        if let Some(file) = expected.next() {
            return Err(changed(&file.path, "it is missing"));
        }
        fill_in(&mut image, &manifest)?;
        let roms = match &manifest.roms {
            Some(entries) => Some(
                entries
                    .iter()
                    .map(|entry| {
                        let mut reading = entry.reading.clone();
                        if let Some(path) = &entry.file {
                            let bytes = others.remove(path);
                            reading.bytes =
                                Ok(bytes.ok_or_else(|| changed(path, "it is missing"))?);
                        }
                        Ok(reading)
                    })
                    .collect::<Result<Vec<RomReading>, CaptureError>>()?,
            ),
            None => None,
        };
        let names = others
            .remove(NAMES)
            .map(|bytes| Names::from_text(String::from_utf8_lossy(&bytes).into_owned()));
        Ok(Self {
            source: source(image, &manifest),
            manifest,
            roms,
            names,
        })
    }
}

/// The folders under the names that they were read by, so that messages are the same.
fn source(image: Image, manifest: &Manifest) -> Source {
    let image = Arc::new(image);
    let from = &manifest.read_from;
    let tree = |at: &str, name: &Option<String>| {
        let name = name.as_ref()?;
        Some(Tree::of_image(Arc::clone(&image), at, name))
    };
    Source::capture(
        manifest.complete,
        tree(SYS, &from.sys),
        tree(PROC, &from.proc),
        LogSource::Image(Arc::clone(&image), from.log.clone()),
    )
}

fn manifest(mut entry: Entry<impl Read>) -> Result<Manifest, CaptureError> {
    if path(&entry)? != MANIFEST || entry.header().entry_type() != EntryType::Regular {
        return Err(CaptureError::NoManifest);
    }
    if entry.size() > MAX_MANIFEST {
        return Err(CaptureError::TooLarge("64 MiB of manifest"));
    }
    let mut json = Vec::new();
    entry.read_to_end(&mut json).map_err(archive_error)?;
    // Asked before the rest, which another kind need not have.
    let kind: Kinded = serde_json::from_slice(&json).map_err(CaptureError::Manifest)?;
    match kind.schema.as_deref() {
        Some(SCHEMA) => serde_json::from_slice(&json).map_err(CaptureError::Manifest),
        other => Err(CaptureError::Schema(other.unwrap_or("unknown").to_owned())),
    }
}

/// Any JSON document of ours.
#[derive(Deserialize)]
struct Kinded {
    schema: Option<String>,
}

struct Contents<'m> {
    /// Files of the manifest that have not come yet: they come in its order.
    expected: slice::Iter<'m, FileEntry>,
    image: Image,
    /// Files that are not of /sys, /proc or the log.
    others: HashMap<String, Vec<u8>>,
}

impl Contents<'_> {
    fn take(&mut self, mut entry: Entry<impl Read>) -> Result<(), CaptureError> {
        let path = path(&entry)?;
        let node = match entry.header().entry_type() {
            EntryType::Regular => {
                let (bytes, cut) = self.file(&path, &mut entry)?;
                if path == NAMES || path.starts_with(ROMS) {
                    self.others.insert(path, bytes);
                    return Ok(());
                }
                Node::File(Content::Bytes { bytes, whole: !cut })
            }
            EntryType::Directory => Node::folder(),
            EntryType::Symlink => {
                let text = entry.link_name_bytes();
                let text = text.and_then(|text| String::from_utf8(text.into_owned()).ok());
                Node::Link(text.ok_or_else(|| foreign(&path, "a link without a readable target"))?)
            }
            _ => return Err(foreign(&path, "neither file, folder nor link")),
        };
        insert_new(&mut self.image, &path, node)
    }

    /// A file, held against what the manifest says of it.
    fn file(
        &mut self,
        path: &str,
        entry: &mut Entry<impl Read>,
    ) -> Result<(Vec<u8>, bool), CaptureError> {
        let Some(expected) = self.expected.next().filter(|file| file.path == path) else {
            return Err(foreign(
                path,
                "a file that its manifest does not name there",
            ));
        };
        if entry.size() != expected.length {
            return Err(changed(path, "its length differs"));
        }
        let mut bytes = Vec::with_capacity(usize::try_from(entry.size().min(1 << 16)).unwrap_or(0));
        entry.read_to_end(&mut bytes).map_err(archive_error)?;
        if hex(&Sha256::digest(&bytes)) != expected.sha256 {
            return Err(changed(path, "its SHA-256 differs"));
        }
        Ok((bytes, expected.cut))
    }
}

/// The path of an entry. It must be one that stays inside, written in the plain way.
fn path(entry: &Entry<impl Read>) -> Result<String, CaptureError> {
    let bytes = entry.path_bytes();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let plain = entry.path().is_ok_and(|path| {
        path.components()
            .all(|part| matches!(part, Component::Normal(_)))
    });
    let text = match entry.header().entry_type() {
        EntryType::Directory => text.trim_end_matches('/').to_owned(),
        _ => text,
    };
    let odd = text.is_empty() || text.contains("//") || text.contains("/./") || text.ends_with('/');
    if !plain || odd || text.starts_with("./") || text.len() > PATH_LIMIT {
        return Err(foreign(&text, "a path that could lead out of it"));
    }
    Ok(text)
}

/// What only the manifest says.
fn fill_in(image: &mut Image, manifest: &Manifest) -> Result<(), CaptureError> {
    for unreadable in &manifest.unreadable {
        let (path, error) = (&unreadable.path, unreadable.error.clone());
        match unreadable.kind {
            Kind::File => insert_new(image, path, Node::File(Content::Unreadable(error)))?,
            Kind::Folder => image.set_listed(path, Listed::Unreadable(error)),
            Kind::Unknown => insert_new(image, path, Node::Hidden(error))?,
        }
    }
    for path in &manifest.unread {
        insert_new(image, path, Node::File(Content::Unread))?;
    }
    for path in &manifest.special {
        insert_new(image, path, Node::Other)?;
    }
    for (folder, names) in &manifest.absent {
        for name in names {
            let path = match folder.as_str() {
                "" => name.clone(),
                folder => format!("{folder}/{name}"),
            };
            insert_new(image, &path, Node::Missing)?;
        }
    }
    for path in &manifest.listed {
        image.set_listed(path, Listed::Yes);
    }
    Ok(())
}

/// Puts something where nothing is but perhaps a folder that was made on the way to another entry.
fn insert_new(image: &mut Image, path: &str, node: Node) -> Result<(), CaptureError> {
    match (image.node(path), &node) {
        (Some(Node::Folder { .. }), Node::Folder { .. }) => return Ok(()),
        (Some(_), _) => return Err(foreign(path, "which is in it twice")),
        (None, _) => {}
    }
    image.insert(path, node).map_err(|what| foreign(path, what))
}

fn foreign(path: &str, what: &'static str) -> CaptureError {
    CaptureError::Foreign {
        path: path.escape_debug().take(200).collect(),
        what,
    }
}

fn changed(path: &str, what: &'static str) -> CaptureError {
    CaptureError::Changed {
        path: path.escape_debug().take(200).collect(),
        what,
    }
}

fn archive_error(error: io::Error) -> CaptureError {
    let bound = error.get_ref().is_some_and(|inner| inner.is::<Bound>());
    if bound || error.to_string().contains(Bound::WORDS) {
        CaptureError::TooLarge("512 MiB")
    } else {
        CaptureError::Archive(error)
    }
}

/// Bytes of a block of an archive (ustar).
const BLOCK: usize = 512;

/// A reader that gives an error, not an end, when too much has come through it.
struct Bounded<R> {
    inner: R,
    left: u64,
}

#[derive(Debug, thiserror::Error)]
#[error("{}", Self::WORDS)]
struct Bound;

impl Bound {
    const WORDS: &'static str = "the bound of a capture was passed";
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        let passed = u64::try_from(length).unwrap_or(u64::MAX);
        self.left = self
            .left
            .checked_sub(passed)
            .ok_or_else(|| io::Error::other(Bound))?;
        Ok(length)
    }
}

/// Only forward, over the padding behind a file: the archive's own way to skip clears 32 KiB for every file, which
/// takes longer than all the rest.
impl<R: Read> Seek for Bounded<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let SeekFrom::Current(offset) = to else {
            return Err(io::ErrorKind::Unsupported.into());
        };
        let mut left =
            usize::try_from(offset).map_err(|_| io::Error::from(io::ErrorKind::Unsupported))?;
        let mut block = [0; BLOCK];
        while left > 0 {
            let part = block.get_mut(..left.min(BLOCK)).unwrap_or_default();
            match self.read(part)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                passed => left = left.saturating_sub(passed),
            }
        }
        Ok(MAX_UNPACKED.saturating_sub(self.left))
    }
}
