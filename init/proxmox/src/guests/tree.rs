use std::collections::BTreeMap;

use super::Row;

pub(super) const FOLDER: i64 = 4;
pub(super) const FILE: i64 = 8;
/// The root's row.
pub(super) const VERSION: &str = "__version__";
/// Folders deeper than this are none of pmxcfs's.
const DEPTH: usize = 16;

/// The files of /etc/pve, by path without a leading slash, and what pmxcfs would refuse to start on
/// (pve-cluster, src/pmxcfs/database.c, bdb_backend_load_index).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    files: BTreeMap<String, Vec<u8>>,
    faults: Vec<String>,
}

impl Tree {
    /// Puts rows into their folders.
    pub fn from_rows(rows: &[Row]) -> Self {
        let mut tree = Self::default();
        let by_inode: BTreeMap<i64, &Row> = rows.iter().map(|row| (row.inode, row)).collect();
        if by_inode.get(&0).is_none_or(|root| root.name != VERSION) {
            tree.faults.push(format!("it has no root named {VERSION}"));
        }
        let mut names: BTreeMap<(i64, &str), i64> = BTreeMap::new();
        for row in rows.iter().filter(|row| row.inode != 0) {
            let what = format!("entry {} ('{}')", row.inode, row.name);
            if row.name.is_empty() {
                tree.faults.push(format!("entry {} has no name", row.inode));
                continue;
            }
            if row.kind != FOLDER && row.kind != FILE {
                tree.faults
                    .push(format!("{what} is of the unknown type {}", row.kind));
                continue;
            }
            if let Some(twin) = names.insert((row.parent, &row.name), row.inode) {
                tree.faults
                    .push(format!("{what} has the same name as entry {twin}"));
            }
            match path(row, &by_inode) {
                Ok(path) if row.kind == FILE => {
                    tree.files.insert(path, row.data.clone());
                }
                Ok(_) => {}
                Err(why) => tree.faults.push(format!("{what} {why}")),
            }
        }
        tree.twice();
        tree
    }

    /// A number may belong to one guest only.
    fn twice(&mut self) {
        let mut seen: BTreeMap<&str, &str> = BTreeMap::new();
        let mut faults = Vec::new();
        for path in self.files.keys() {
            let parts: Vec<&str> = path.split('/').collect();
            if let ["nodes", _, "qemu-server" | "lxc", name] = parts.as_slice()
                && let Some(number) = name.strip_suffix(".conf")
                && let Some(other) = seen.insert(number, path)
            {
                faults.push(format!("{path} and {other} are the same guest number"));
            }
        }
        self.faults.extend(faults);
    }

    /// Every file, by path.
    pub fn files(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.files
            .iter()
            .map(|(path, data)| (path.as_str(), data.as_slice()))
    }

    /// A text file; what is not UTF-8 in it is replaced.
    pub fn text(&self, path: &str) -> Option<String> {
        let data = self.files.get(path)?;
        Some(String::from_utf8_lossy(data).into_owned())
    }

    /// What pmxcfs would refuse, a sentence each.
    pub fn faults(&self) -> &[String] {
        &self.faults
    }
}

fn path(row: &Row, by_inode: &BTreeMap<i64, &Row>) -> Result<String, &'static str> {
    let mut names = vec![row.name.as_str()];
    let mut parent = row.parent;
    while parent != 0 {
        let folder = by_inode
            .get(&parent)
            .ok_or("is in a folder that is not there")?;
        if folder.kind != FOLDER {
            return Err("is in something that is no folder");
        }
        if names.len() > DEPTH {
            return Err("is in folders that lie in each other without end");
        }
        names.push(&folder.name);
        parent = folder.parent;
    }
    names.reverse();
    Ok(names.join("/"))
}
