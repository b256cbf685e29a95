use std::io::{self, Write};

use ::cpio::newc::{Builder, ModeFileType, trailer};

use super::packer::{Packer, Payload};
use super::{Entry, Image, Level, Node};
use crate::progress::Progress::Doing;
use crate::progress::{Told, Watch};

/// What the kernel reads before it unpacks anything, and only from an archive in front that is not compressed
/// (Documentation/arch/x86/microcode.rst).
const EARLY: &str = "kernel";
/// Archives end at a multiple of it, as those of cpio(1) do.
const BLOCK: usize = 512;
/// Where in memory updates of Intel begin (SDM 3A, 9.11.6); boot loaders put an initramfs at the start of a page.
const ALIGNMENT: usize = 16;
/// Bytes of an entry in front of its name.
const HEADER: usize = 110;
/// The folder of modules and their index files.
const MODULES: &str = "lib/modules";

/// Writes an image as newc cpio archives (the kernel's buffer-format.rst), compressed as `level` says: one, or at
/// [`Level::Small`] one of programs and one of modules. Microcode goes into an archive of its own in front.
///
/// The bytes depend on the image, the level and `modified` (seconds since 1970) alone: inode numbers
/// count the entries, and the owner is root. `progress` hears how many bytes of the files are packed.
pub fn write_archive(
    image: &Image,
    level: Level,
    modified: u32,
    mut output: impl Write,
    progress: Watch,
) -> io::Result<()> {
    output.write_all(&early_archive(image, modified)?)?;
    let parts: &[_] = match level {
        Level::Small => &[
            (Payload::Programs, Some(false), "packing programs"),
            (Payload::Modules, Some(true), "packing modules"),
        ],
        Level::None | Level::Fast => &[(Payload::Programs, None, "packing")],
    };
    for (payload, modules, words) in parts {
        let late = image.iter().filter(|(path, _)| !is_early(path));
        let part = late.zip(1..).filter(|((path, _), _)| {
            modules.is_none_or(|modules| modules == path.starts_with(MODULES))
        });
        let length = part.clone().map(|((_, entry), _)| length(entry)).sum();
        progress(Doing(words));
        let packer = Packer::new(level, *payload, &mut output)?;
        let mut told = Told::new(packer, length, progress);
        for ((path, entry), inode) in part {
            write_entry(path, entry, inode, modified, &mut told)?;
        }
        trailer(&mut told)?;
        told.into_output().finish()?;
    }
    output.flush()
}

/// Bytes that an entry brings, besides its header.
fn length(entry: &Entry) -> u64 {
    match &entry.node {
        Node::File { content, .. } => content.len() as u64,
        Node::Folder(_) | Node::Link(_) | Node::Device { .. } => 0,
    }
}

fn is_early(path: &str) -> bool {
    path.split('/').next() == Some(EARLY)
}

/// Nothing where the image has nothing for it.
fn early_archive(image: &Image, modified: u32) -> io::Result<Vec<u8>> {
    let mut archive = Vec::new();
    let early = image.iter().filter(|(path, _)| is_early(path));
    for ((path, entry), inode) in early.zip(1..) {
        let name = match &entry.node {
            Node::File { .. } => with_aligned_content(path, archive.len()),
            _ => path.to_owned(),
        };
        write_entry(&name, entry, inode, modified, &mut archive)?;
    }
    if !archive.is_empty() {
        trailer(&mut archive)?;
        archive.resize(archive.len().next_multiple_of(BLOCK), 0);
    }
    Ok(archive)
}

/// The name of an entry at this place with zeros behind it, so that its content begins at a multiple of
/// [`ALIGNMENT`]. Linux compares the path that it looks for with the beginning of the name, and takes fewer than 18
/// bytes behind it for the rest of a name (lib/earlycpio.c); whoever unpacks the archive ends names at a zero.
fn with_aligned_content(path: &str, place: usize) -> String {
    let end = place + HEADER + path.len() + 1;
    let zeros = end.next_multiple_of(ALIGNMENT) - end;
    format!("{path}{}", "\0".repeat(zeros))
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
