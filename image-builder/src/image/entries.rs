use std::collections::BTreeMap;
use std::collections::btree_map;
use std::sync::Arc;

/// What goes into an initramfs, by path. A folder always comes before what is in it.
#[derive(Debug, Default)]
pub struct Image {
    entries: BTreeMap<String, Entry>,
}

/// One file, folder, link or device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What it is.
    pub node: Node,
    /// Heading that its size is summed under.
    pub reason: String,
}

/// What an entry is. Everything belongs to root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// A folder with its permission bits.
    Folder(u32),
    /// A file.
    File {
        /// The bytes.
        content: Arc<Vec<u8>>,
        /// Permission bits.
        mode: u32,
    },
    /// A symbolic link with its target.
    Link(String),
    /// A character device, open to root alone.
    Device {
        /// Major number.
        major: u32,
        /// Minor number.
        minor: u32,
    },
}

/// Two different things want one path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("/{path} is in the image already ({first}), but {second} brings something else for it")]
pub struct Conflict {
    path: String,
    first: String,
    second: String,
}

impl Image {
    /// Adds an entry, with the folders above it where they are missing. The same thing twice is
    /// fine and keeps its first reason.
    pub fn add(&mut self, path: &str, node: Node, reason: &str) -> Result<(), Conflict> {
        let path = path.trim_matches('/');
        for (end, _) in path.match_indices('/') {
            let folder = path.get(..end).unwrap_or_default();
            self.add_one(folder, Node::Folder(0o755), reason)?;
        }
        self.add_one(path, node, reason)
    }

    /// Adds a file that everybody may read.
    pub fn add_file(
        &mut self,
        path: &str,
        content: impl Into<Arc<Vec<u8>>>,
        reason: &str,
    ) -> Result<(), Conflict> {
        let (content, mode) = (content.into(), 0o644);
        self.add(path, Node::File { content, mode }, reason)
    }

    /// Adds a file that can be run.
    pub fn add_program(
        &mut self,
        path: &str,
        content: impl Into<Arc<Vec<u8>>>,
        reason: &str,
    ) -> Result<(), Conflict> {
        let (content, mode) = (content.into(), 0o755);
        self.add(path, Node::File { content, mode }, reason)
    }

    /// All entries, sorted by path; paths have no slash at the start.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Entry)> + Clone {
        self.entries
            .iter()
            .map(|(path, entry)| (path.as_str(), entry))
    }

    fn add_one(&mut self, path: &str, node: Node, reason: &str) -> Result<(), Conflict> {
        match self.entries.entry(path.to_owned()) {
            btree_map::Entry::Vacant(place) => {
                place.insert(Entry {
                    node,
                    reason: reason.to_owned(),
                });
                Ok(())
            }
            btree_map::Entry::Occupied(place) => {
                let same = match (&place.get().node, &node) {
                    // The first one to name a folder decides about its permissions.
                    (Node::Folder(_), Node::Folder(_)) => true,
                    (first, second) => first == second,
                };
                if same {
                    return Ok(());
                }
                Err(Conflict {
                    path: path.to_owned(),
                    first: place.get().reason.clone(),
                    second: reason.to_owned(),
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_come_by_themselves_and_before_their_content() {
        let mut image = Image::default();
        image
            .add_file("/lib/modules/a", vec![1], "modules")
            .unwrap();
        let paths: Vec<_> = image.iter().map(|(path, _)| path).collect();
        assert_eq!(paths, ["lib", "lib/modules", "lib/modules/a"]);
    }

    #[test]
    fn the_same_twice_is_fine_and_something_else_is_not() {
        let mut image = Image::default();
        image.add_file("bin/x", vec![1], "tool: a").unwrap();
        image.add_file("bin/x", vec![1], "tool: b").unwrap();
        let error = image.add_file("bin/x", vec![2], "tool: c").unwrap_err();
        assert!(error.to_string().contains("/bin/x"), "{error}");
        assert!(image.add_file("bin/x/y", vec![2], "tool: c").is_err());
    }
}
