//! The devices that a look has set read-only, so that also another process can lift that again.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use crate::{Error, is_read_only, set_read_only};

/// In the folder of the look: a path on every line.
const LIST: &str = "read-only";

/// Sets a device read-only for the time of the look in this folder; one that is read-only already stays so
/// afterwards too.
pub(crate) fn hold_read_only(folder: &Path, node: &Path) -> Result<(), Error> {
    if is_read_only(node)? {
        return Ok(());
    }
    note(folder, node)?;
    set_read_only(node, true)
}

/// Notes it before it is done: a process that dies in between leaves nothing behind that nobody knows of.
fn note(folder: &Path, node: &Path) -> Result<(), Error> {
    let path = folder.join(LIST);
    let line = [node.as_os_str().as_bytes(), b"\n"].concat();
    let mut file = OpenOptions::new()
        .append(true)
        .create(true)
        .open(&path)
        .map_err(Error::io("open", &path))?;
    file.write_all(&line).map_err(Error::io("write", &path))
}

/// Lifts what was set by looks in this folder, and gives what could not be lifted, and why.
pub(crate) fn lift_read_only(folder: &Path) -> Vec<(String, String)> {
    let path = folder.join(LIST);
    let noted = match fs::read(&path) {
        Ok(noted) => noted,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Vec::new(),
        Err(error) => return vec![(path.display().to_string(), error.to_string())],
    };
    let mut stays = Vec::new();
    for node in nodes(&noted) {
        match set_read_only(&node, false) {
            Ok(()) => {}
            // Pulled out.
            Err(Error::Io { cause, .. }) if cause.kind() == io::ErrorKind::NotFound => {}
            Err(error) => stays.push((
                format!("the read-only flag of {}", node.display()),
                error.to_string(),
            )),
        }
    }
    if stays.is_empty()
        && let Err(error) = fs::remove_file(&path)
    {
        stays.push((path.display().to_string(), error.to_string()));
    }
    stays
}

/// The devices in the list. What was cut off while it was written is none that was set.
fn nodes(noted: &[u8]) -> Vec<PathBuf> {
    let lines = noted.split_inclusive(|byte| *byte == b'\n');
    lines
        .filter_map(|line| line.strip_suffix(b"\n"))
        .filter(|line| line.starts_with(b"/dev/"))
        .map(|line| PathBuf::from(std::ffi::OsString::from_vec(line.to_vec())))
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_was_noted_is_what_is_lifted_and_a_device_that_was_pulled_is_done() {
        let folder = tempfile::tempdir().unwrap();
        for node in ["/dev/no-such-disk", "/dev/cciss/no-such-disk"] {
            note(folder.path(), Path::new(node)).unwrap();
        }
        let noted = fs::read(folder.path().join(LIST)).unwrap();
        assert_eq!(nodes(&noted).len(), 2);
        assert_eq!(lift_read_only(folder.path()), []);
        assert!(!folder.path().join(LIST).exists());
        assert_eq!(lift_read_only(folder.path()), []);
    }

    #[test]
    fn a_device_whose_flag_stays_is_told_and_kept_in_the_list() {
        let folder = tempfile::tempdir().unwrap();
        note(folder.path(), Path::new("/dev/null")).unwrap();
        let stays = lift_read_only(folder.path());
        assert!(stays[0].0.contains("/dev/null"), "{stays:?}");
        assert!(folder.path().join(LIST).exists());
    }

    proptest! {
        #[test]
        fn any_list_is_read(noted in proptest::collection::vec(any::<u8>(), 0..100)) {
            assert!(nodes(&noted).iter().all(|node| node.starts_with("/dev")));
        }
    }
}
