use std::collections::HashMap;
use std::io;

use serde::{Deserialize, Serialize};

use super::Kind;

/// The kernel's answer to a path that leads out of the folder that is never left.
pub(super) const EXDEV: i32 = nix::errno::Errno::EXDEV as i32;
const ELOOP: i32 = nix::errno::Errno::ELOOP as i32;
const ENOTDIR: i32 = nix::errno::Errno::ENOTDIR as i32;
const EISDIR: i32 = nix::errno::Errno::EISDIR as i32;
const EINVAL: i32 = nix::errno::Errno::EINVAL as i32;
const ENOENT: i32 = nix::errno::Errno::ENOENT as i32;
/// The kernel follows as many links in one path (`MAXSYMLINKS`).
const MAX_LINKS: usize = 40;
/// The kernel's `PATH_MAX`.
pub(crate) const PATH_LIMIT: usize = 4096;

/// Folders, files and links as far as they were looked at, by path: `sys/bus/pci/devices`. What was not
/// looked at is told apart from what is not there.
#[derive(Debug, Default)]
pub(crate) struct Image {
    nodes: HashMap<String, Node>,
}

/// What stands at one path.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Node {
    File(Content),
    /// A folder, with the names of what is known to be in it.
    Folder {
        listed: Listed,
        names: Vec<String>,
    },
    Link(String),
    /// A device node, pipe or socket.
    Other,
    /// It was looked for, and nothing is there.
    Missing,
    /// What it is could not be seen.
    Hidden(Failure),
}

/// A file's content.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Content {
    /// The bytes from its start; not `whole` where more may follow.
    Bytes {
        bytes: Vec<u8>,
        whole: bool,
    },
    Unreadable(Failure),
    /// Nobody looked into it.
    Unread,
}

/// Whether all names in a folder are known.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Listed {
    Yes,
    No,
    Unreadable(Failure),
}

/// Why something could not be read, so that it can be told again in the same words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Failure {
    /// The kernel's error number.
    Errno(i32),
    /// Words of our own.
    Words(String),
}

impl Failure {
    pub fn of(error: &io::Error) -> Self {
        match error.raw_os_error() {
            Some(number) => Self::Errno(number),
            None => Self::Words(error.to_string()),
        }
    }

    pub fn error(&self) -> io::Error {
        match self {
            Self::Errno(number) => io::Error::from_raw_os_error(*number),
            Self::Words(words) => io::Error::other(words.clone()),
        }
    }
}

impl Node {
    /// A folder of which nothing is known yet.
    pub fn folder() -> Self {
        Self::Folder {
            listed: Listed::No,
            names: Vec::new(),
        }
    }

    fn kind(&self) -> io::Result<Kind> {
        match self {
            Self::File(_) => Ok(Kind::File),
            Self::Folder { .. } => Ok(Kind::Folder),
            Self::Link(_) => Ok(Kind::Link),
            Self::Other => Ok(Kind::Other),
            Self::Missing => Err(errno(ENOENT)),
            Self::Hidden(failure) => Err(failure.error()),
        }
    }
}

impl Image {
    /// Every path with what stands there.
    pub fn into_nodes(self) -> Vec<(String, Node)> {
        self.nodes.into_iter().collect()
    }

    pub fn node(&self, path: &str) -> Option<&Node> {
        self.nodes.get(path)
    }

    /// Puts something at a path, in place of what is there. Folders on the way are made; where something
    /// else than a folder is on the way, nothing is put, and that is said.
    pub fn insert(&mut self, path: &str, node: Node) -> Result<(), &'static str> {
        if let Some(known) = self.nodes.get_mut(path) {
            *known = node;
            return Ok(());
        }
        let is_there = node != Node::Missing;
        if let Some((folder, name)) = path.rsplit_once('/') {
            if !self.nodes.contains_key(folder) {
                self.insert(folder, Node::folder())?;
            }
            match self.nodes.get_mut(folder) {
                Some(Node::Folder { names, .. }) if is_there => names.push(name.to_owned()),
                Some(Node::Folder { .. }) => {}
                _ => return Err("something else than a folder is on the way to it"),
            }
        }
        self.nodes.insert(path.to_owned(), node);
        Ok(())
    }

    /// Says that all names in a folder are known, or why not.
    pub fn set_listed(&mut self, path: &str, now: Listed) {
        if let Some(Node::Folder { listed, .. }) = self.nodes.get_mut(path) {
            *listed = now;
        }
    }

    pub fn set_content(&mut self, path: &str, now: Content) {
        if let Some(Node::File(content)) = self.nodes.get_mut(path) {
            *content = now;
        }
    }

    /// The first `limit` bytes of a file.
    pub fn bytes(&self, at: &str, path: &str, limit: usize) -> io::Result<Vec<u8>> {
        self.file(&self.resolve(at, path, Last::Followed)?, limit)
    }

    /// The first `limit` bytes of the file at a path without links.
    pub fn file(&self, path: &str, limit: usize) -> io::Result<Vec<u8>> {
        match self.nodes.get(path) {
            Some(Node::File(Content::Bytes { bytes, whole })) => match bytes.get(..limit) {
                Some(bytes) => Ok(bytes.to_vec()),
                None if *whole => Ok(bytes.clone()),
                None => Err(io::Error::other(format!(
                    "the capture has only its first {} bytes",
                    bytes.len()
                ))),
            },
            Some(Node::File(Content::Unreadable(failure)) | Node::Hidden(failure)) => {
                Err(failure.error())
            }
            Some(Node::File(Content::Unread)) | None => Err(not_captured()),
            Some(Node::Missing) => Err(errno(ENOENT)),
            Some(Node::Folder { .. }) => Err(errno(EISDIR)),
            Some(Node::Link(_) | Node::Other) => Err(io::Error::other("not a regular file")),
        }
    }

    /// Names in a folder, sorted.
    pub fn list(&self, at: &str, path: &str) -> io::Result<Vec<String>> {
        let path = self.resolve(at, path, Last::Followed)?;
        match self.nodes.get(&path) {
            Some(Node::Folder { listed, names }) => match listed {
                Listed::Yes => {
                    let mut names = names.clone();
                    names.sort_unstable();
                    Ok(names)
                }
                Listed::No => Err(not_captured()),
                Listed::Unreadable(failure) => Err(failure.error()),
            },
            other => Err(no_folder(other)),
        }
    }

    /// The path of a folder.
    pub fn folder(&self, at: &str, path: &str) -> io::Result<String> {
        let path = self.resolve(at, path, Last::Followed)?;
        match self.nodes.get(&path) {
            Some(Node::Folder { .. }) => Ok(path),
            other => Err(no_folder(other)),
        }
    }

    /// The text of a link.
    pub fn link(&self, at: &str, path: &str) -> io::Result<String> {
        let path = self.resolve(at, path, Last::Itself)?;
        match self.nodes.get(&path) {
            Some(Node::Link(text)) => Ok(text.clone()),
            Some(other) => other.kind().and(Err(errno(EINVAL))),
            None => Err(not_captured()),
        }
    }

    /// What stands at a path.
    pub fn kind(&self, at: &str, path: &str) -> io::Result<Kind> {
        let path = self.resolve(at, path, Last::Itself)?;
        self.nodes.get(&path).ok_or_else(not_captured)?.kind()
    }

    fn resolve(&self, at: &str, path: &str, last: Last) -> io::Result<String> {
        resolve(at, path, last, |place| {
            Ok(match self.nodes.get(place) {
                Some(Node::Link(text)) => Step::Link(text.clone()),
                Some(Node::Folder { .. }) => Step::Folder,
                Some(Node::Missing) => return Err(errno(ENOENT)),
                Some(Node::Hidden(failure)) => return Err(failure.error()),
                Some(Node::File(_) | Node::Other) => Step::End,
                None => return Err(self.not_there(place)),
            })
        })
    }

    /// Nothing at a path in a folder whose names are all known is nothing; elsewhere it is not known.
    fn not_there(&self, place: &str) -> io::Error {
        let folder = place
            .rsplit_once('/')
            .and_then(|(folder, _)| self.nodes.get(folder));
        match folder {
            Some(Node::Folder {
                listed: Listed::Yes,
                ..
            }) => errno(ENOENT),
            _ => not_captured(),
        }
    }
}

/// What the last element of a path stands for when it is a link.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Last {
    Followed,
    Itself,
}

/// What is on the way.
pub(super) enum Step {
    Folder,
    Link(String),
    /// Something that leads nowhere further.
    End,
}

/// The path without links that `path` leads to from the folder `at`, above which it must not go
/// (openat2(2), `RESOLVE_BENEATH`). `look` says what stands at a path without links.
pub(super) fn resolve(
    at: &str,
    path: &str,
    last: Last,
    mut look: impl FnMut(&str) -> io::Result<Step>,
) -> io::Result<String> {
    let mut place = at.to_owned();
    let mut ahead: Vec<String> = elements(path).rev().map(str::to_owned).collect();
    let mut links = 0;
    while let Some(element) = ahead.pop() {
        if element == ".." {
            if place.len() <= at.len() {
                return Err(errno(EXDEV));
            }
            place.truncate(place.rfind('/').unwrap_or(0));
            continue;
        }
        let folder = place.len();
        place.push('/');
        place.push_str(&element);
        if place.len() > PATH_LIMIT {
            return Err(errno(ELOOP));
        }
        match look(&place)? {
            Step::Folder => {}
            Step::Link(_) if ahead.is_empty() && last == Last::Itself => {}
            Step::Link(text) => {
                links += 1;
                if links > MAX_LINKS {
                    return Err(errno(ELOOP));
                }
                if text.starts_with('/') {
                    return Err(errno(EXDEV));
                }
                place.truncate(folder);
                ahead.extend(elements(&text).rev().map(str::to_owned));
            }
            Step::End if ahead.is_empty() => {}
            Step::End => return Err(errno(ENOTDIR)),
        }
    }
    Ok(place)
}

fn elements(path: &str) -> impl DoubleEndedIterator<Item = &str> {
    path.split('/')
        .filter(|element| !element.is_empty() && *element != ".")
}

fn no_folder(node: Option<&Node>) -> io::Error {
    match node {
        Some(Node::Missing) => errno(ENOENT),
        Some(Node::Hidden(failure)) => failure.error(),
        Some(_) => errno(ENOTDIR),
        None => not_captured(),
    }
}

fn errno(number: i32) -> io::Error {
    io::Error::from_raw_os_error(number)
}

fn not_captured() -> io::Error {
    io::Error::other("not in the capture, which an older Preflight made")
}
