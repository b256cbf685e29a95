use std::io::{self, Write};

use ::cpio::newc::{Builder, ModeFileType, trailer};

use super::{Entry, Image, Node};

/// How much time the compressor takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Level {
    /// For daily builds: well under a second.
    #[default]
    Fast,
    /// For releases: some ten times longer, about a tenth smaller.
    Small,
}

impl Level {
    /// The zstd level. Both keep within the window that the kernel's decoder takes (128 MB).
    fn zstd(self) -> i32 {
        match self {
            Self::Fast => 9,
            Self::Small => 19,
        }
    }
}

/// Writes an image as a newc cpio archive (the kernel's buffer-format.rst), compressed with zstd.
///
/// The bytes depend on the image, the level and `modified` (seconds since 1970) alone: inode numbers
/// count the entries, the owner is root, and one thread compresses.
pub fn write_archive(
    image: &Image,
    level: Level,
    modified: u32,
    output: impl Write,
) -> io::Result<()> {
    let mut encoder = zstd::Encoder::new(output, level.zstd())?;
    encoder.include_checksum(true)?;
    for ((path, entry), inode) in image.iter().zip(1..) {
        write_entry(path, entry, inode, modified, &mut encoder)?;
    }
    trailer(&mut encoder)?;
    encoder.finish()?.flush()
}

fn write_entry(
    path: &str,
    entry: &Entry,
    inode: u32,
    modified: u32,
    output: &mut impl Write,
) -> io::Result<()> {
    let builder = Builder::new(path).ino(inode).mtime(modified);
    let (builder, content): (Builder, &[u8]) = match &entry.node {
        Node::Folder(mode) => (
            builder
                .mode(*mode)
                .set_mode_file_type(ModeFileType::Directory),
            &[],
        ),
        Node::File { content, mode } => (
            builder
                .mode(*mode)
                .set_mode_file_type(ModeFileType::Regular),
            content,
        ),
        Node::Link(target) => (
            builder
                .mode(0o777)
                .set_mode_file_type(ModeFileType::Symlink),
            target.as_bytes(),
        ),
        Node::Device { major, minor } => (
            builder
                .mode(0o600)
                .set_mode_file_type(ModeFileType::Char)
                .rdev_major(*major)
                .rdev_minor(*minor),
            &[],
        ),
    };
    let too_large = || io::Error::new(io::ErrorKind::FileTooLarge, format!("{path} is over 4 GB"));
    let length = u32::try_from(content.len()).map_err(|_| too_large())?;
    let mut writer = builder.write(output, length);
    writer.write_all(content)?;
    writer.finish()?;
    Ok(())
}
