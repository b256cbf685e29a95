//! The devices that are open for writing, so that also another process can close them again.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use crate::{Error, is_read_only, set_read_only};

/// In the folder of the look: a word and a path on every line.
const LIST: &str = "opened";

/// A device whose read-only flag was lifted, or that is written to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Opened {
    pub node: PathBuf,
    /// The flag was set before.
    pub was_held: bool,
    /// It is written to: what stands on it is of this look. Of a disk with partitions it is the flag alone.
    pub is_leaf: bool,
}

/// Lifts the read-only flag of a device for the time of the look in this folder, which covers its partitions too.
/// An error when the drive itself keeps it.
pub(crate) fn lift(folder: &Path, node: &Path, is_leaf: bool) -> Result<(), Error> {
    let was_held = is_read_only(node)?;
    if !was_held && !is_leaf {
        return Ok(());
    }
    let opened = Opened {
        node: node.to_owned(),
        was_held,
        is_leaf,
    };
    note(folder, &opened)?;
    if was_held {
        set_read_only(node, false)?;
        if is_read_only(node)? {
            return Err(Error::WriteProtected {
                path: node.to_owned(),
            });
        }
    }
    Ok(())
}

/// Noted before it is done: a process that dies in between leaves nothing behind that nobody knows of.
fn note(folder: &Path, opened: &Opened) -> Result<(), Error> {
    let path = folder.join(LIST);
    let mut line = Vec::from(word(opened));
    line.extend(opened.node.as_os_str().as_bytes());
    line.push(b'\n');
    let mut file = OpenOptions::new()
        .append(true)
        .create(true)
        .open(&path)
        .map_err(Error::io("open", &path))?;
    file.write_all(&line).map_err(Error::io("write", &path))
}

const WORDS: [(&str, bool, bool); 3] = [
    ("leaf ", false, true),
    ("held-leaf ", true, true),
    ("held ", true, false),
];

fn word(opened: &Opened) -> &'static [u8] {
    let mut words = WORDS.iter();
    let found = words.find(|(_, held, leaf)| (*held, *leaf) == (opened.was_held, opened.is_leaf));
    found.map_or(b"", |(word, ..)| word.as_bytes())
}

/// What looks in this folder have opened.
pub(crate) fn opened(folder: &Path) -> Result<Vec<Opened>, Error> {
    let path = folder.join(LIST);
    match fs::read(&path) {
        Ok(list) => Ok(parse(&list)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(Error::io("read", &path)(error)),
    }
}

/// Has everything that was written sent to the media, and sets the flags that were lifted again; the first in
/// the list is the last. Gives what could not be closed, and why.
pub(crate) fn close(folder: &Path, opened: &[Opened]) -> Vec<(String, String)> {
    let mut stays = Vec::new();
    for one in opened.iter().rev() {
        let closed = if one.is_leaf { sync(&one.node) } else { Ok(()) };
        // The flag is set also when not everything has arrived: more writes do not help.
        let held = match one.was_held {
            true => set_read_only(&one.node, true),
            false => Ok(()),
        };
        match closed.and(held) {
            Ok(()) => {}
            Err(error) => stays.push((one.node.display().to_string(), error.to_string())),
        }
    }
    let path = folder.join(LIST);
    if stays.is_empty()
        && let Err(error) = fs::remove_file(&path)
        && error.kind() != io::ErrorKind::NotFound
    {
        stays.push((path.display().to_string(), error.to_string()));
    }
    stays
}

fn sync(node: &Path) -> Result<(), Error> {
    File::open(node)
        .and_then(|device| device.sync_all())
        .map_err(Error::io("finish writing to", node))
}

/// The devices in the list. What was cut off while it was written is none that was opened.
fn parse(list: &[u8]) -> Vec<Opened> {
    let lines = list.split_inclusive(|byte| *byte == b'\n');
    lines
        .filter_map(|line| line.strip_suffix(b"\n"))
        .filter_map(|line| {
            let mut words = WORDS.iter();
            let (rest, was_held, is_leaf) = words.find_map(|(word, held, leaf)| {
                Some((line.strip_prefix(word.as_bytes())?, *held, *leaf))
            })?;
            rest.starts_with(b"/dev/").then(|| Opened {
                node: PathBuf::from(std::ffi::OsString::from_vec(rest.to_vec())),
                was_held,
                is_leaf,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn one(node: &str, was_held: bool, is_leaf: bool) -> Opened {
        Opened {
            node: PathBuf::from(node),
            was_held,
            is_leaf,
        }
    }

    #[test]
    fn what_was_opened_is_read_again_by_whoever_closes_it() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(opened(folder.path()).unwrap(), []);
        let all = [
            one("/dev/sda", true, false),
            one("/dev/sda2", true, true),
            one("/dev/sdb1", false, true),
        ];
        for device in &all {
            note(folder.path(), device).unwrap();
        }
        assert_eq!(opened(folder.path()).unwrap(), all);
    }

    #[test]
    fn a_device_that_does_not_take_its_flag_back_is_told_and_kept_in_the_list() {
        let folder = tempfile::tempdir().unwrap();
        let null = one("/dev/null", true, false);
        note(folder.path(), &null).unwrap();
        let stays = close(folder.path(), std::slice::from_ref(&null));
        assert_eq!(stays[0].0, "/dev/null");
        assert_eq!(opened(folder.path()).unwrap(), [null]);
        assert_eq!(close(folder.path(), &[]), []);
        assert_eq!(opened(folder.path()).unwrap(), []);
    }

    #[test]
    fn a_line_that_was_cut_off_opened_nothing() {
        assert_eq!(
            parse(b"leaf /dev/sda2\nheld-leaf /dev/sd"),
            [one("/dev/sda2", false, true)]
        );
    }

    proptest! {
        #[test]
        fn any_list_is_read(list in proptest::collection::vec(any::<u8>(), 0..100)) {
            assert!(parse(&list).iter().all(|one| one.node.starts_with("/dev")));
        }
    }
}
