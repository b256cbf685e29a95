use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use crate::capture::Capture;
use crate::{Error, Machine, Names, RomReading, Source, lspci, read, rom};

/// What zstd files begin with (RFC 8878, 3.1.1).
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
/// Beginnings of files that are given by mistake, and what they are.
const MISTAKES: &[(&[u8], &str)] = &[
    (b"\x1f\x8b", "compressed by gzip"),
    (b"\xfd7zXZ", "compressed by xz"),
    (b"PK\x03\x04", "a zip archive"),
    (
        b"{",
        "JSON, perhaps a report and not the machine that it is about",
    ),
    (b"<", "a web page, not the text on it"),
];
/// Four thousand functions of 4096 bytes each take 55 MB of hex.
const LIMIT: usize = 256 << 20;
const TOO_LONG: &str = "longer than 256 MiB";
/// Bytes of a text that are read at once.
const PIECE: usize = 128 << 10;

/// A machine that was saved, whatever way.
pub struct Saved {
    /// The machine.
    pub machine: Machine,
    /// Copies of its option ROMs; none when nobody read any.
    pub roms: Option<Vec<RomReading>>,
    /// Names of its devices, where it brings them.
    pub names: Option<Names>,
}

/// Reads a machine from a folder laid out like /sys, a capture, or what lspci printed; which of them it
/// is shows in its content. `names` turns names in a text back into ids.
///
/// # Errors
/// [`Error`] says what is wrong with the file, or what it is instead.
pub fn load(path: &Path, names: Option<&Names>) -> Result<Saved, Error> {
    let open = |cause| Error::Open {
        path: path.to_owned(),
        cause,
    };
    if path.is_dir() {
        let source = Source::folder(path)?;
        let machine = read(&source)?;
        // Damage is told by what reads ROMs for their own sake.
        let roms = rom::read_all(&source, &machine.functions, &mut |_| {});
        return Ok(Saved {
            machine,
            roms: Some(roms).filter(|roms| !roms.is_empty()),
            names: None,
        });
    }
    let mut file = File::open(path).map_err(open)?;
    let mut bytes = Vec::with_capacity(PIECE);
    let ended = fill(&mut file, &mut bytes, PIECE).map_err(open)?;
    if bytes.starts_with(ZSTD) {
        let length = file.metadata().map_or(0, |metadata| metadata.len());
        let length = usize::try_from(length).unwrap_or(0).min(LIMIT);
        bytes.reserve_exact(length.saturating_sub(bytes.len()));
        fill(&mut file, &mut bytes, LIMIT + 1).map_err(open)?;
        if bytes.len() > LIMIT {
            return Err(no_source(path, TOO_LONG));
        }
        return capture(path, &bytes);
    }
    let mistake = MISTAKES
        .iter()
        .find(|(magic, _)| bytes.trim_ascii_start().starts_with(magic));
    if let Some((_, what)) = mistake {
        return Err(no_source(path, what));
    }
    Ok(Saved {
        machine: text(path, file, bytes, ended, names)?,
        roms: None,
        names: None,
    })
}

/// Reads what lspci printed piece by piece: of a large machine it is many megabytes.
fn text(
    path: &Path,
    mut file: File,
    mut bytes: Vec<u8>,
    mut ended: bool,
    names: Option<&Names>,
) -> Result<Machine, Error> {
    let lspci = |cause| Error::Lspci {
        path: path.to_owned(),
        cause,
    };
    let length = file.metadata().map_or(0, |metadata| metadata.len());
    let mut text = lspci::Text::of_length(usize::try_from(length).unwrap_or(0));
    let mut seen = 0;
    loop {
        // A piece ends with a line, or with the file.
        let lines = memchr::memrchr(b'\n', &bytes).map_or(0, |end| end + 1);
        let taken = if ended { bytes.len() } else { lines };
        let piece = bytes.get(..taken).unwrap_or_default();
        if memchr::memchr(0, piece).is_some() {
            return Err(no_source(path, "neither text nor a capture"));
        }
        // The check for good UTF-8 is much quicker than the one that mends it.
        match str::from_utf8(piece) {
            Ok(piece) => text.feed(piece),
            Err(_) => text.feed(&String::from_utf8_lossy(piece)),
        }
        .map_err(lspci)?;
        if ended {
            return text.machine(names).map_err(lspci);
        }
        seen += taken;
        bytes.drain(..taken);
        if seen + bytes.len() > LIMIT {
            return Err(no_source(path, TOO_LONG));
        }
        // A line that is longer than a piece is read whole.
        let length = if taken == 0 {
            bytes.len() + PIECE
        } else {
            PIECE
        };
        ended = fill(&mut file, &mut bytes, length).map_err(|cause| Error::Open {
            path: path.to_owned(),
            cause,
        })?;
    }
}

/// Reads on up to this length. Whether the file ended before.
fn fill(file: &mut File, bytes: &mut Vec<u8>, length: usize) -> io::Result<bool> {
    let room = length.saturating_sub(bytes.len());
    let limit = u64::try_from(room).unwrap_or(u64::MAX);
    Ok(file.take(limit).read_to_end(bytes)? < room)
}

fn capture(path: &Path, bytes: &[u8]) -> Result<Saved, Error> {
    let capture = Capture::read(bytes).map_err(|cause| Error::Capture {
        path: path.to_owned(),
        cause,
    })?;
    let mut machine = read(&capture.source)?;
    if let Some(disk) = &capture.manifest.boot_stick {
        machine.mark_boot_stick(disk);
    }
    machine.installed_uses = capture.manifest.installed_uses;
    Ok(Saved {
        machine,
        roms: capture.roms,
        names: capture.names,
    })
}

fn no_source(path: &Path, what: &'static str) -> Error {
    Error::NoSource {
        path: path.to_owned(),
        what,
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;

    fn loaded(text: &[u8]) -> Result<Machine, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let saved = load(file.path(), None);
        saved.map(|saved| saved.machine).map_err(|e| e.to_string())
    }

    /// A bridge on each of these buses, in dumps and words, longer than several pieces.
    fn long_text() -> String {
        let mut text = String::new();
        for bus in 0..=u8::MAX {
            writeln!(text, "{bus:02x}:00.0 Bridge [0604]: \u{e9} [8086:1234]").unwrap();
            for line in (0..4096).step_by(16) {
                writeln!(text, "{line:02x}:{}", " 5a".repeat(16)).unwrap();
            }
        }
        text
    }

    #[test]
    fn a_text_in_pieces_is_read_as_it_is_read_whole() {
        let text = long_text();
        assert!(text.len() > 8 * PIECE);
        let whole = lspci::parse(&text, None).unwrap();
        assert_eq!(whole.functions.len(), 256);
        assert_eq!(loaded(text.as_bytes()).unwrap(), whole);
        let unended = text.trim_end();
        assert_eq!(loaded(unended.as_bytes()).unwrap(), whole);
        let mut damaged = text.into_bytes();
        damaged.extend(b"\xff\n");
        assert_eq!(loaded(&damaged).unwrap(), whole);
    }

    #[test]
    fn a_line_longer_than_a_piece_is_one_line_and_comes_to_an_end() {
        let line = format!("00:00.0 Bridge: {}", "x".repeat(3 * PIECE));
        assert_eq!(loaded(line.as_bytes()).unwrap().functions.len(), 1);
        let none = loaded("x".repeat(PIECE).as_bytes()).unwrap_err();
        assert!(none.contains("no line begins with a PCI address"), "{none}");
    }

    #[test]
    fn what_is_no_text_far_behind_is_refused_too() {
        let mut text = long_text().into_bytes();
        text.push(0);
        let why = loaded(&text).unwrap_err();
        assert!(why.contains("neither text nor a capture"), "{why}");
    }
}
