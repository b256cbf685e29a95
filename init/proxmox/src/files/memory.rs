use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

use super::{Files, Kind, RootError};

/// As many links as Linux follows in one path (MAXSYMLINKS).
const LINKS: usize = 40;

/// Files in memory, for trees that were read otherwise and for tests. Folders are there by what is in them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemoryFiles {
    nodes: BTreeMap<PathBuf, Node>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Node {
    File(Vec<u8>),
    Link(PathBuf),
    Other(Kind),
}

impl MemoryFiles {
    /// Nothing at all.
    pub fn new() -> Self {
        Self::default()
    }

    /// With this file.
    #[must_use]
    pub fn file(mut self, path: &str, content: impl Into<Vec<u8>>) -> Self {
        self.nodes.insert(clean(path), Node::File(content.into()));
        self
    }

    /// With this link.
    #[must_use]
    pub fn symlink(mut self, path: &str, target: &str) -> Self {
        self.nodes.insert(clean(path), Node::Link(target.into()));
        self
    }

    /// With something that is no file: a device, a pipe, an empty folder.
    #[must_use]
    pub fn special(mut self, path: &str, kind: Kind) -> Self {
        self.nodes.insert(clean(path), Node::Other(kind));
        self
    }

    fn is_folder(&self, path: &Path) -> bool {
        path.as_os_str().is_empty()
            || matches!(self.nodes.get(path), Some(Node::Other(Kind::Folder)))
            || self
                .nodes
                .keys()
                .any(|key| key != path && key.starts_with(path))
    }

    /// The path without links, `.` and `..`.
    fn resolve(&self, path: &Path) -> Result<PathBuf, RootError> {
        let mut rest: Vec<OsString> = components(path);
        let mut at = PathBuf::new();
        let mut links = 0;
        while let Some(name) = rest.pop() {
            if name == ".." {
                at.pop();
                continue;
            }
            let next = at.join(&name);
            let Some(Node::Link(target)) = self.nodes.get(&next) else {
                at = next;
                continue;
            };
            links += 1;
            if links > LINKS {
                return Err(RootError::Loop(path.to_owned()));
            }
            if target.is_absolute() {
                at = PathBuf::new();
            }
            rest.extend(components(target));
        }
        Ok(at)
    }

    fn node(&self, path: &Path) -> Result<&Node, RootError> {
        let resolved = self.resolve(path)?;
        if let Some(node) = self.nodes.get(&resolved) {
            return Ok(node);
        }
        if self.is_folder(&resolved) {
            return Ok(&Node::Other(Kind::Folder));
        }
        match self.nodes.get(&clean(path)) {
            Some(Node::Link(target)) => Err(RootError::Dangling {
                path: path.to_owned(),
                target: target.clone(),
            }),
            _ => Err(RootError::Missing(path.to_owned())),
        }
    }
}

impl Files for MemoryFiles {
    fn read(&self, path: &Path, limit: u64) -> Result<Vec<u8>, RootError> {
        match self.node(path)? {
            Node::File(bytes) if bytes.len() as u64 <= limit => Ok(bytes.clone()),
            Node::File(_) => Err(RootError::TooLarge {
                path: path.to_owned(),
                limit,
            }),
            other => Err(wrong(path, other, Kind::File)),
        }
    }

    fn tail(&self, path: &Path, limit: u64) -> Result<Vec<u8>, RootError> {
        let bytes = self.read(path, u64::MAX)?;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let start = bytes.len().saturating_sub(limit);
        Ok(bytes.get(start..).unwrap_or_default().to_vec())
    }

    fn list(&self, path: &Path) -> Result<Vec<OsString>, RootError> {
        let node = self.node(path)?;
        if *node != Node::Other(Kind::Folder) {
            return Err(wrong(path, node, Kind::Folder));
        }
        let folder = self.resolve(path)?;
        let names: BTreeSet<OsString> = self
            .nodes
            .keys()
            .filter_map(|key| key.strip_prefix(&folder).ok())
            .filter_map(|rest| rest.components().next())
            .map(|first| first.as_os_str().to_owned())
            .collect();
        Ok(names.into_iter().collect())
    }

    fn kind(&self, path: &Path) -> Result<Kind, RootError> {
        self.node(path).map(kind_of)
    }

    fn link(&self, path: &Path) -> Result<PathBuf, RootError> {
        let path = clean(path);
        let folder = self.resolve(path.parent().unwrap_or(Path::new("")))?;
        let name = path.file_name().unwrap_or_default();
        match self.nodes.get(&folder.join(name)) {
            Some(Node::Link(target)) => Ok(target.clone()),
            Some(node) => Err(wrong(&path, node, Kind::Link)),
            None => Err(RootError::Missing(path)),
        }
    }
}

fn kind_of(node: &Node) -> Kind {
    match node {
        Node::File(_) => Kind::File,
        Node::Link(_) => Kind::Link,
        Node::Other(kind) => *kind,
    }
}

fn wrong(path: &Path, node: &Node, wanted: Kind) -> RootError {
    RootError::Wrong {
        path: path.to_owned(),
        kind: kind_of(node),
        wanted,
    }
}

fn clean(path: impl AsRef<Path>) -> PathBuf {
    let path = path.as_ref();
    path.strip_prefix("/").unwrap_or(path).to_owned()
}

/// The names of a path, the last one first.
fn components(path: &Path) -> Vec<OsString> {
    let mut names: Vec<_> = path
        .components()
        .filter(|component| matches!(component, Component::Normal(_) | Component::ParentDir))
        .map(|component| component.as_os_str().to_owned())
        .collect();
    names.reverse();
    names
}
