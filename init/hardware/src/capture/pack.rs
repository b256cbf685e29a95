use std::collections::BTreeMap;
use std::io::{self, Write};

use sha2::{Digest, Sha256};
use tar::{Builder, EntryType, Header};

use super::manifest::{Kind, ReadFrom, RomEntry, Unreadable};
use super::redact::{self, Redacted};
use super::{
    CaptureError, Details, FileEntry, MANIFEST, Manifest, NAMES, Packed, ROMS, Recording, SCHEMA,
    date,
};
use crate::RomReading;
use crate::tree::{Content, Failure, Listed, Node};

/// Quick: a capture is some tens of kilobytes at any level.
const LEVEL: i32 = 3;

/// Puts a capture together.
pub(super) fn pack(recording: Recording, details: &Details) -> Result<Packed, CaptureError> {
    let image = recording.recorder.into_image();
    let Redacted { nodes, left_out } = if details.identifiers {
        Redacted::nothing(image)
    } else {
        redact::redact(image)
    };
    let mut content = Parts::default();
    let mut manifest = Manifest {
        schema: SCHEMA.to_owned(),
        preflight: details.version.to_owned(),
        taken: date::rfc3339(details.taken),
        kernel: details.machine.kernel.release.known().cloned(),
        identifiers: details.identifiers,
        boot_stick: details.boot_stick.map(str::to_owned),
        installed_uses: details.machine.installed_uses.clone(),
        left_out,
        complete: recording.complete,
        read_from: ReadFrom {
            sys: recording.sys,
            proc: recording.proc,
            log: recording.log,
        },
        roms: details.roms.map(|roms| content.roms(roms)),
        files: Vec::new(),
        listed: Vec::new(),
        absent: BTreeMap::new(),
        unreadable: Vec::new(),
        unread: Vec::new(),
        special: Vec::new(),
    };
    if let Some(names) = details.names {
        let names = names.subset(&details.machine.functions);
        content.file(NAMES.to_owned(), names.into_bytes(), false);
    }
    for (path, node) in nodes {
        describe(&mut manifest, &mut content, path, node);
    }
    content
        .parts
        .sort_by(|one, other| one.path.cmp(&other.path));
    manifest.files = content.parts.iter().filter_map(Part::entry).collect();
    let bytes = archive(&manifest, &content.parts, date::seconds(details.taken));
    Ok(Packed {
        bytes: bytes.map_err(CaptureError::Pack)?,
        manifest,
    })
}

/// One entry of the archive.
struct Part {
    path: String,
    kind: PartKind,
}

enum PartKind {
    File { bytes: Vec<u8>, cut: bool },
    Folder,
    Link(String),
}

impl Part {
    fn entry(&self) -> Option<FileEntry> {
        let PartKind::File { bytes, cut } = &self.kind else {
            return None;
        };
        Some(FileEntry {
            path: self.path.clone(),
            length: u64::try_from(bytes.len()).unwrap_or(u64::MAX),
            sha256: hex(&Sha256::digest(bytes)),
            cut: *cut,
        })
    }
}

#[derive(Default)]
struct Parts {
    parts: Vec<Part>,
}

impl Parts {
    fn push(&mut self, path: String, kind: PartKind) {
        self.parts.push(Part { path, kind });
    }

    fn file(&mut self, path: String, bytes: Vec<u8>, cut: bool) {
        self.push(path, PartKind::File { bytes, cut });
    }

    /// Files for the ROMs that were read; a number tells attempts at the same function apart.
    fn roms(&mut self, roms: &[RomReading]) -> Vec<RomEntry> {
        let entry = |(index, reading): (usize, &RomReading)| {
            let file = reading.bytes.as_ref().ok().map(|bytes| {
                let path = format!("{ROMS}/{}.{index}.rom", reading.address);
                self.file(path.clone(), bytes.clone(), false);
                path
            });
            RomEntry {
                reading: RomReading {
                    bytes: reading.bytes.clone().map(|_| Vec::new()),
                    ..reading.clone()
                },
                file,
            }
        };
        roms.iter().enumerate().map(entry).collect()
    }
}

/// Turns what stands at a path into an entry of the archive, or into a line of the manifest where an
/// archive has no way to say it.
fn describe(manifest: &mut Manifest, content: &mut Parts, path: String, node: Node) {
    let mut unreadable = |path, kind, error: Failure| {
        let why = error.error().to_string();
        manifest.unreadable.push(Unreadable {
            path,
            kind,
            error,
            why,
        });
    };
    match node {
        Node::File(Content::Bytes { bytes, whole }) => content.file(path, bytes, !whole),
        Node::File(Content::Unreadable(error)) => unreadable(path, Kind::File, error),
        Node::File(Content::Unread) => manifest.unread.push(path),
        Node::Folder { listed, .. } => {
            match listed {
                Listed::Yes => manifest.listed.push(path.clone()),
                Listed::No => {}
                Listed::Unreadable(error) => unreadable(path.clone(), Kind::Folder, error),
            }
            content.push(path, PartKind::Folder);
        }
        Node::Link(text) => content.push(path, PartKind::Link(text)),
        Node::Other => manifest.special.push(path),
        Node::Missing => {
            let (folder, name) = path.rsplit_once('/').unwrap_or(("", &path));
            let names = manifest.absent.entry(folder.to_owned()).or_default();
            names.push(name.to_owned());
        }
        Node::Hidden(error) => unreadable(path, Kind::Unknown, error),
    }
}

fn archive(manifest: &Manifest, parts: &[Part], modified: u64) -> io::Result<Vec<u8>> {
    let mut encoder = zstd::Encoder::new(Vec::new(), LEVEL)?;
    encoder.include_checksum(true)?;
    let mut tar = Builder::new(encoder);
    let json = serde_json::to_vec_pretty(manifest)?;
    append(&mut tar, MANIFEST, EntryType::Regular, &json, modified)?;
    for part in parts {
        match &part.kind {
            PartKind::File { bytes, .. } => {
                append(&mut tar, &part.path, EntryType::Regular, bytes, modified)?;
            }
            PartKind::Folder => append(&mut tar, &part.path, EntryType::Directory, &[], modified)?,
            PartKind::Link(text) => {
                let mut header = header(EntryType::Symlink, 0, modified);
                tar.append_link(&mut header, &part.path, text)?;
            }
        }
    }
    tar.into_inner()?.finish()
}

fn append(
    tar: &mut Builder<impl Write>,
    path: &str,
    kind: EntryType,
    bytes: &[u8],
    modified: u64,
) -> io::Result<()> {
    let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    tar.append_data(&mut header(kind, length, modified), path, bytes)
}

fn header(kind: EntryType, length: u64, modified: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_size(length);
    header.set_mode(if kind == EntryType::Directory {
        0o755
    } else {
        0o644
    });
    header.set_mtime(modified);
    header
}

/// Bytes as lower-case hex digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |value: u8| {
        DIGITS
            .get(usize::from(value))
            .map_or('0', |digit| char::from(*digit))
    };
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}
