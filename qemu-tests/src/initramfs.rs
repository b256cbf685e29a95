//! Initramfs images as lists of entries: to make a small one, or to take something out of a whole one.

use std::io::{self, Cursor, Read, Write};

use cpio::newc;

const CPIO: &[u8] = b"070701";
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];

/// File type bits of a mode (inode(7)).
const FOLDER: u32 = 0o040_000;
const DEVICE: u32 = 0o020_000;
const FILE: u32 = 0o100_000;

/// One entry of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Path from the root, without a slash in front.
    pub name: String,
    /// Type and permission bits.
    pub mode: u32,
    /// Device number: major, minor.
    pub device: (u32, u32),
    /// A file's contents, a link's target.
    pub bytes: Vec<u8>,
}

impl Entry {
    /// A folder.
    pub fn folder(name: &str) -> Self {
        Self::new(name, FOLDER | 0o755, (0, 0), Vec::new())
    }

    /// A character device.
    pub fn device(name: &str, major: u32, minor: u32) -> Self {
        Self::new(name, DEVICE | 0o600, (major, minor), Vec::new())
    }

    /// An executable file.
    pub fn program(name: &str, bytes: Vec<u8>) -> Self {
        Self::new(name, FILE | 0o755, (0, 0), bytes)
    }

    /// A file.
    pub fn file(name: &str, bytes: Vec<u8>) -> Self {
        Self::new(name, FILE | 0o644, (0, 0), bytes)
    }

    fn new(name: &str, mode: u32, device: (u32, u32), bytes: Vec<u8>) -> Self {
        Self {
            name: name.to_owned(),
            mode,
            device,
            bytes,
        }
    }
}

/// An uncompressed archive of these entries. Hard links become files of their own.
pub fn write(entries: &[Entry]) -> io::Result<Vec<u8>> {
    let mut archive = Vec::new();
    for (inode, entry) in (1..).zip(entries) {
        let length = u32::try_from(entry.bytes.len()).map_err(io::Error::other)?;
        let mut writer = newc::Builder::new(&entry.name)
            .ino(inode)
            .nlink(1)
            .mode(entry.mode)
            .rdev_major(entry.device.0)
            .rdev_minor(entry.device.1)
            .write(archive, length);
        writer.write_all(&entry.bytes)?;
        archive = writer.finish()?;
    }
    newc::trailer(archive)
}

/// What the kernel makes of an image when it looks for archives: one after the other, each plain or compressed with
/// zstd, with zeros between them.
struct Image {
    /// All files.
    entries: Vec<Entry>,
    /// The same archives, none of them compressed.
    unpacked: Vec<u8>,
}

/// The entries of an image in the way the kernel unpacks it.
pub fn read(image: &[u8]) -> io::Result<Vec<Entry>> {
    Ok(Image::read(image)?.entries)
}

/// The same image, in which nothing is compressed. An emulated processor spends a tenth of a boot on that.
pub fn unpacked(image: &[u8]) -> io::Result<Vec<u8>> {
    Ok(Image::read(image)?.unpacked)
}

impl Image {
    fn read(image: &[u8]) -> io::Result<Self> {
        let mut found = Self {
            entries: Vec::new(),
            unpacked: Vec::new(),
        };
        let mut rest = image;
        loop {
            let zeros = rest.iter().take_while(|byte| **byte == 0).count();
            rest = &rest[zeros..];
            if rest.is_empty() {
                return Ok(found);
            }
            if rest.starts_with(CPIO) {
                let length = read_archive(rest, &mut found.entries)?;
                found.unpacked.extend(&rest[..length]);
                found
                    .unpacked
                    .resize(found.unpacked.len().next_multiple_of(512), 0);
                rest = &rest[length..];
            } else if rest.starts_with(ZSTD) {
                let mut cursor = Cursor::new(rest);
                let mut plain = Vec::new();
                zstd::Decoder::with_buffer(&mut cursor)?
                    .single_frame()
                    .read_to_end(&mut plain)?;
                let inner = Self::read(&plain)?;
                found.entries.extend(inner.entries);
                found.unpacked.extend(inner.unpacked);
                rest = &rest[usize::try_from(cursor.position()).map_err(io::Error::other)?..];
            } else {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    format!("neither cpio nor zstd at byte {}", image.len() - rest.len()),
                ));
            }
        }
    }
}

/// Reads one archive up to its trailer; its length.
fn read_archive(image: &[u8], entries: &mut Vec<Entry>) -> io::Result<usize> {
    let mut cursor = Cursor::new(image);
    loop {
        let mut reader = newc::Reader::new(cursor)?;
        let header = reader.entry();
        let last = header.is_trailer();
        let mut entry = Entry::new(
            header.name(),
            header.mode(),
            (header.rdev_major(), header.rdev_minor()),
            Vec::new(),
        );
        if !last {
            reader.read_to_end(&mut entry.bytes)?;
            entries.push(entry);
        }
        cursor = reader.finish()?;
        if last {
            return usize::try_from(cursor.position()).map_err(io::Error::other);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Vec<Entry> {
        vec![
            Entry::folder("dev"),
            Entry::device("dev/console", 5, 1),
            Entry::program("init", b"\x7fELF...".to_vec()),
        ]
    }

    #[test]
    fn what_was_written_is_read_again() {
        assert_eq!(read(&write(&sample()).unwrap()).unwrap(), sample());
    }

    #[test]
    fn archives_one_after_the_other_are_read_compressed_or_not() {
        let plain = write(&sample()).unwrap();
        let mut image = plain.clone();
        image.resize(image.len().next_multiple_of(512), 0);
        image.extend(zstd::encode_all(plain.as_slice(), 3).unwrap());
        assert_eq!(read(&image).unwrap(), [sample(), sample()].concat());
        let unpacked = unpacked(&image).unwrap();
        assert_eq!(read(&unpacked).unwrap(), [sample(), sample()].concat());
        assert!(unpacked.ends_with(&[0; 4]) && unpacked.len() >= 2 * plain.len());
        assert!(!unpacked.windows(ZSTD.len()).any(|window| window == ZSTD));
    }

    #[test]
    fn what_is_no_archive_is_refused() {
        assert!(read(b"not an image").is_err());
    }
}
