use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::Path;

use hardware::Reading;
use serde::{Deserialize, Serialize};

use crate::files::{Files, Kind, RootError};

/// Configuration files are small; what is larger is none.
pub(crate) const TEXT: u64 = 4 << 20;

/// Something that was met while reading, in the order of what it means for the reader.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trouble {
    /// It could not be read at all.
    Unread(String),
    /// It was cut off, or filled with zeros, by a crash.
    HalfWritten(String),
    /// It is no text in UTF-8.
    NotText(String),
    /// A link to what is not there, for the system itself too unless something is mounted there when it runs.
    Dangling(String),
}

/// Reads from one root and remembers what could not be read, so that no reader can forget to say it.
pub(crate) struct Reader<'a> {
    files: &'a dyn Files,
    /// Stands before each path: empty for the root, `ESP 1A2B-3C4D: ` for an ESP.
    label: String,
    troubles: RefCell<BTreeSet<Trouble>>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(files: &'a dyn Files, label: String) -> Self {
        Self {
            files,
            label,
            troubles: RefCell::default(),
        }
    }

    /// How a path is written for a person.
    pub(crate) fn shown(&self, path: &str) -> String {
        format!("{}{path}", self.label)
    }

    pub(crate) fn troubles(&self) -> Vec<Trouble> {
        self.troubles.borrow().iter().cloned().collect()
    }

    pub(crate) fn note(&self, trouble: Trouble) {
        self.troubles.borrow_mut().insert(trouble);
    }

    fn kept<T>(&self, result: Result<T, RootError>) -> Reading<T> {
        match result {
            Ok(value) => Reading::Known(value),
            Err(RootError::Missing(_)) => Reading::Absent,
            Err(error @ RootError::Dangling { .. }) => {
                self.note(Trouble::Dangling(format!("{}{error}", self.label)));
                Reading::Absent
            }
            Err(error) => {
                let why = format!("{}{error}", self.label);
                self.note(Trouble::Unread(why.clone()));
                Reading::Unknown(why.into())
            }
        }
    }

    pub(crate) fn bytes(&self, path: &str, limit: u64) -> Reading<Vec<u8>> {
        self.kept(self.files.read(Path::new(path), limit))
    }

    pub(crate) fn tail(&self, path: &str, limit: u64) -> Reading<String> {
        self.kept(self.files.tail(Path::new(path), limit))
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    /// A text file. Bytes that are no UTF-8 are replaced, and said.
    pub(crate) fn text(&self, path: &str) -> Reading<String> {
        self.bytes(path, TEXT).map(|bytes| {
            if bytes.contains(&0) {
                self.note(Trouble::HalfWritten(format!(
                    "{} holds zero bytes, as a file does that was being written when the machine lost power",
                    self.shown(path)
                )));
            }
            String::from_utf8(bytes).unwrap_or_else(|error| {
                let valid = error.utf8_error().valid_up_to();
                let bytes = error.into_bytes();
                let line = 1 + bytes.iter().take(valid).filter(|byte| **byte == b'\n').count();
                self.note(Trouble::NotText(format!(
                    "{}:{line} is not text in UTF-8",
                    self.shown(path)
                )));
                String::from_utf8_lossy(&bytes).into_owned()
            })
        })
    }

    /// Names in a folder, sorted. One that is not UTF-8 is said and left out: no file that matters has one.
    pub(crate) fn names(&self, path: &str) -> Reading<Vec<String>> {
        self.kept(self.files.list(Path::new(path))).map(|names| {
            let mut texts = Vec::new();
            for name in names {
                match name.into_string() {
                    Ok(name) => texts.push(name),
                    Err(name) => self.note(Trouble::NotText(format!(
                        "{} has a file whose name is not UTF-8: {}",
                        self.shown(path),
                        name.to_string_lossy()
                    ))),
                }
            }
            texts
        })
    }

    /// What is there; none where nothing is, or it cannot be told.
    pub(crate) fn kind(&self, path: &str) -> Option<Kind> {
        match self.kept(self.files.kind(Path::new(path))) {
            Reading::Known(kind) => Some(kind),
            Reading::Absent | Reading::Unknown(_) => None,
        }
    }

    /// Whether nothing is there, which is not the same as that it cannot be told.
    pub(crate) fn is_absent(&self, path: &str) -> bool {
        self.kept(self.files.kind(Path::new(path))) == Reading::Absent
    }

    pub(crate) fn is_file(&self, path: &str) -> bool {
        self.kind(path) == Some(Kind::File)
    }

    /// The text files of a folder whose names end so: name and content. Folders that are missing have none.
    pub(crate) fn texts(&self, folder: &str, ending: &str) -> Vec<(String, String)> {
        let names = self.names(folder).known().cloned().unwrap_or_default();
        names
            .into_iter()
            .filter(|name| name.ends_with(ending) && !name.starts_with('.'))
            .filter_map(|name| {
                let text = self.text(&format!("{folder}/{name}")).known().cloned()?;
                Some((name, text))
            })
            .collect()
    }
}
