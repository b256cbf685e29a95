mod folder;
mod image;
mod recorder;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::fcntl::OFlag;

use self::folder::Folder;
pub(crate) use self::image::{Content, Failure, Image, Listed, Node, PATH_LIMIT};
pub(crate) use self::recorder::Recorder;
use crate::Reading;

/// Attributes and other short texts: more is cut.
pub(crate) const TEXT_LIMIT: usize = 64 << 10;

/// A folder that is read and never left: one of the running system, the same while everything that is
/// read of it is written down, or one that was written down.
pub(crate) struct Tree {
    path: PathBuf,
    place: Place,
}

enum Place {
    Folder(Folder),
    Recorded {
        folder: Folder,
        recorder: Recorder,
        at: String,
    },
    Image {
        image: Arc<Image>,
        at: String,
    },
}

/// What a path is, links not followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link.
    Link,
    /// A device node, pipe or socket.
    Other,
}

impl Tree {
    /// Opens a folder as the root that is never left.
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self {
            path: path.to_owned(),
            place: Place::Folder(Folder::open(path)?),
        })
    }

    /// The folder `at` of an image, called `path` towards people.
    pub fn of_image(image: Arc<Image>, at: &str, path: &str) -> Self {
        Self {
            path: PathBuf::from(path),
            place: Place::Image {
                image,
                at: at.to_owned(),
            },
        }
    }

    /// The same folder; all that is read of it from now on is written down as the folder `at`. What was
    /// read once is not read again, so that the record is of one moment.
    pub fn recorded(self, recorder: &Recorder, at: &str) -> Self {
        let place = match self.place {
            Place::Folder(folder) => Place::Recorded {
                folder,
                recorder: recorder.clone(),
                at: at.to_owned(),
            },
            place => place,
        };
        Self {
            path: self.path,
            place,
        }
    }

    /// A folder inside as a tree of its own: nothing above it can be reached through it.
    pub fn folder(&self, path: &str) -> io::Result<Self> {
        let place = match &self.place {
            Place::Folder(folder) => Place::Folder(folder.folder(path)?),
            Place::Recorded {
                folder,
                recorder,
                at,
            } => Place::Recorded {
                at: recorder.folder(folder, at, path)?,
                folder: folder.folder(path)?,
                recorder: recorder.clone(),
            },
            Place::Image { image, at } => Place::Image {
                at: image.folder(at, path)?,
                image: Arc::clone(image),
            },
        };
        Ok(Self {
            path: self.path.join(path),
            place,
        })
    }

    /// Where `path` is, for people.
    pub fn name(&self, path: &str) -> String {
        self.path.join(path).display().to_string()
    }

    /// Where the folder is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens a regular file of the running system.
    pub fn open_file(&self, path: &str, flags: OFlag) -> io::Result<File> {
        match &self.place {
            Place::Folder(folder) | Place::Recorded { folder, .. } => folder.open_file(path, flags),
            Place::Image { .. } => Err(io::Error::other("a capture has no files to be opened")),
        }
    }

    /// The first `limit` bytes of a regular file.
    pub fn bytes(&self, path: &str, limit: usize) -> io::Result<Vec<u8>> {
        match &self.place {
            Place::Folder(folder) => folder.bytes(path, limit),
            Place::Recorded {
                folder,
                recorder,
                at,
            } => recorder.bytes(folder, at, path, limit),
            Place::Image { image, at } => image.bytes(at, path, limit),
        }
    }

    /// All of a regular file; an error when it is longer than `limit`.
    pub fn all_bytes(&self, path: &str, limit: usize) -> io::Result<Vec<u8>> {
        let bytes = self.bytes(path, limit.saturating_add(1))?;
        if bytes.len() > limit {
            return Err(io::Error::other(format!("longer than {limit} bytes")));
        }
        Ok(bytes)
    }

    /// A short text without its last line break. What is not UTF-8 is replaced.
    pub fn text(&self, path: &str) -> io::Result<String> {
        let bytes = self.bytes(path, TEXT_LIMIT)?;
        Ok(String::from_utf8_lossy(&bytes)
            .trim_end_matches(['\n', '\0'])
            .to_owned())
    }

    /// A short text. A file that is not there is absent; one that cannot be read is unknown.
    pub fn read_text(&self, path: &str) -> Reading<String> {
        self.reading(path, self.text(path))
    }

    /// What became of an attempt at `path`: not found is absent.
    pub fn reading<T>(&self, path: &str, result: io::Result<T>) -> Reading<T> {
        match result {
            Ok(value) => Reading::Known(value),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Reading::Absent,
            Err(error) => Reading::unknown(format!("{}: {}", self.name(path), why(&error))),
        }
    }

    /// Like [`Tree::reading`] for what is there on every machine: not found is unknown.
    pub fn expected<T>(&self, path: &str, result: io::Result<T>) -> Reading<T> {
        match self.reading(path, result) {
            Reading::Absent => Reading::unknown(format!("{} is not there", self.name(path))),
            other => other,
        }
    }

    /// The text of a symbolic link. Only the folders on the way to it are followed.
    pub fn link(&self, path: &str) -> io::Result<String> {
        match &self.place {
            Place::Folder(folder) => folder.link(path),
            Place::Recorded {
                folder,
                recorder,
                at,
            } => recorder.link(folder, at, path),
            Place::Image { image, at } => image.link(at, path),
        }
    }

    /// What stands at a path, the last link not followed.
    pub fn kind(&self, path: &str) -> io::Result<Kind> {
        match &self.place {
            Place::Folder(folder) => folder.kind(path),
            Place::Recorded {
                folder,
                recorder,
                at,
            } => recorder.kind(folder, at, path),
            Place::Image { image, at } => image.kind(at, path),
        }
    }

    /// Whether something stands at a path.
    pub fn has(&self, path: &str) -> bool {
        self.kind(path).is_ok()
    }

    /// Names in a folder, sorted.
    pub fn list(&self, path: &str) -> io::Result<Vec<String>> {
        match &self.place {
            Place::Folder(folder) => folder.list(path),
            Place::Recorded {
                folder,
                recorder,
                at,
            } => recorder.list(folder, at, path),
            Place::Image { image, at } => image.list(at, path),
        }
    }
}

/// An error in a person's words, with what to do where that is known.
pub(crate) fn why(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(image::EXDEV) => "leads outside the folder that is being read".to_owned(),
        _ if error.kind() == io::ErrorKind::PermissionDenied => "needs root".to_owned(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use nix::sys::stat::Mode;

    use super::*;

    #[test]
    fn links_are_followed_inside_the_folder_and_refused_where_they_lead_out() {
        let outside = tempfile::tempdir().unwrap();
        std::fs::write(outside.path().join("secret"), "x").unwrap();
        let inside = outside.path().join("sys");
        std::fs::create_dir_all(inside.join("devices/a")).unwrap();
        std::fs::write(inside.join("devices/a/vendor"), "0x8086\n").unwrap();
        symlink("devices/a", inside.join("good")).unwrap();
        symlink("../secret", inside.join("upward")).unwrap();
        symlink(outside.path().join("secret"), inside.join("absolute")).unwrap();

        let tree = Tree::open(&inside).unwrap();
        assert_eq!(tree.text("good/vendor").unwrap(), "0x8086");
        for path in ["upward", "absolute", "../secret", "good/../../../secret"] {
            let reading = tree.read_text(path);
            let Reading::Unknown(why) = &reading else {
                panic!("{path}: {reading:?}")
            };
            assert!(
                why.ends_with("leads outside the folder that is being read"),
                "{why}"
            );
        }
        assert_eq!(
            tree.link("absolute").unwrap(),
            outside.path().join("secret").to_str().unwrap()
        );
    }

    #[test]
    fn a_pipe_is_not_opened() {
        let folder = tempfile::tempdir().unwrap();
        nix::unistd::mkfifo(&folder.path().join("vendor"), Mode::S_IRUSR).unwrap();
        let tree = Tree::open(folder.path()).unwrap();
        assert!(tree.read_text("vendor").is_unknown());
        assert_eq!(tree.kind("vendor").unwrap(), Kind::Other);
    }

    #[test]
    fn what_is_too_long_is_cut_or_refused() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("table"), [7; 100]).unwrap();
        let tree = Tree::open(folder.path()).unwrap();
        assert_eq!(tree.bytes("table", 10).unwrap().len(), 10);
        assert_eq!(tree.all_bytes("table", 100).unwrap().len(), 100);
        assert!(tree.all_bytes("table", 99).is_err());
    }
}
