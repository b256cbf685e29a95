//! Proxmox VE's guests, from the database that /etc/pve is made of (pmxcfs keeps it in
//! /var/lib/pve-cluster/config.db). The files are read once into memory, the write-ahead log is applied there,
//! and nothing beside them is touched or made.

mod database;
mod edit;
#[cfg(test)]
mod edit_tests;
mod mapping;
mod section;
mod tree;
mod vm;
mod wal;

use hardware::Reading;
use serde::{Deserialize, Serialize};

use crate::files::Files;
use crate::reader::{Reader, Trouble};

pub use database::{DatabaseError, Row, read_database};
pub use edit::{EditError, PveChange, edit_database};
pub use mapping::{MappedDevice, PciMapping, parse_pci_mappings};
pub use section::{Section, parse_sections};
pub use tree::Tree;
pub use vm::{Guest, GuestKind, HostPci, HostSelector};
pub use wal::{WalSummary, apply as apply_wal};

/// Where pmxcfs keeps it.
pub const DATABASE: &str = "/var/lib/pve-cluster/config.db";
/// A cluster's database is a few MB; the log is as large as what was written since the last checkpoint.
const LARGEST: u64 = 128 << 20;
/// How often a database is read again that changes under way, as it does on a running host.
const TRIES: usize = 4;

/// What /etc/pve says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guests {
    /// Virtual machines and containers, by node and number.
    pub guests: Vec<Guest>,
    /// Resource mappings of PCI devices.
    pub mappings: Vec<PciMapping>,
    /// storage.cfg.
    pub stores: Vec<Section>,
    /// The nodes that have a folder.
    pub nodes: Vec<String>,
    /// Whether the host is one of a cluster (a corosync.conf).
    pub cluster: bool,
    /// What the log held that the database did not.
    pub log: Option<WalSummary>,
    /// What would keep pmxcfs from starting.
    pub faults: Vec<String>,
}

impl Guests {
    pub(crate) fn read(reader: &Reader) -> Reading<Self> {
        let read = read(reader);
        if let Reading::Unknown(why) = &read {
            reader.note(Trouble::Unread(why.to_string()));
        }
        read
    }

    /// From the files of /etc/pve.
    pub fn from_tree(tree: &Tree, log: Option<WalSummary>) -> Self {
        let text = |path: &str| tree.text(path).unwrap_or_default();
        let ha = parse_sections(&text("ha/resources.cfg"));
        let mut guests = Vec::new();
        let mut nodes = Vec::new();
        for (path, content) in tree.files() {
            let parts: Vec<&str> = path.split('/').collect();
            let ["nodes", node, rest @ ..] = parts.as_slice() else {
                continue;
            };
            if !nodes.iter().any(|known| known == node) {
                nodes.push((*node).to_owned());
            }
            let kind = match rest {
                ["qemu-server", _] => GuestKind::Qemu,
                ["lxc", _] => GuestKind::Container,
                _ => continue,
            };
            let number = rest
                .last()
                .and_then(|name| name.strip_suffix(".conf")?.parse().ok());
            if let Some(number) = number {
                let content = String::from_utf8_lossy(content);
                let mut guest = Guest::parse(node, number, kind, &content);
                guest.ha = ha.iter().any(|section| {
                    section.kind.as_deref() == Some(kind.ha()) && section.id == number.to_string()
                });
                guests.push(guest);
            }
        }
        guests.sort_by(|one, other| (&one.node, one.number).cmp(&(&other.node, other.number)));
        Self {
            guests,
            mappings: parse_pci_mappings(&text("mapping/pci.cfg")),
            stores: parse_sections(&text("storage.cfg")),
            nodes,
            cluster: tree.text("corosync.conf").is_some(),
            log,
            faults: tree.faults().to_vec(),
        }
    }
}

/// The files of /etc/pve as their bytes are.
pub fn read_tree(files: &dyn Files) -> Reading<Tree> {
    tree(&Reader::new(files, String::new())).map(|(tree, _)| tree)
}

fn read(reader: &Reader) -> Reading<Guests> {
    tree(reader).map(|(tree, log)| Guests::from_tree(&tree, log))
}

fn tree(reader: &Reader) -> Reading<(Tree, Option<WalSummary>)> {
    let log_path = format!("{DATABASE}-wal");
    let mut last = None;
    for _ in 0..TRIES {
        // The log before and after: when it is the same, nothing was moved from it into the database between.
        let before = reader.bytes(&log_path, LARGEST);
        let database = reader.bytes(DATABASE, LARGEST);
        let after = reader.bytes(&log_path, LARGEST);
        let settled = before == after;
        last = Some((database, after));
        if settled {
            break;
        }
    }
    let (database, log) = match last {
        Some((Reading::Known(database), log)) => (database, log),
        Some((Reading::Unknown(why), _)) => return Reading::Unknown(why),
        Some((Reading::Absent, _)) | None => return Reading::Absent,
    };
    let journal = reader.bytes(&format!("{DATABASE}-journal"), LARGEST);
    if journal.known().is_some_and(|journal| !journal.is_empty()) {
        return Reading::unknown(format!(
            "{DATABASE}-journal holds a change that was not finished; it is not rolled back here"
        ));
    }
    let log = match log {
        Reading::Known(log) => log,
        Reading::Absent => Vec::new(),
        Reading::Unknown(why) => return Reading::Unknown(why),
    };
    let (database, summary) = apply_wal(database, &log);
    match read_database(database) {
        Ok(rows) => Reading::Known((Tree::from_rows(&rows), summary)),
        Err(error) => Reading::unknown(format!("{DATABASE}: {error}")),
    }
}

#[cfg(test)]
mod tests;
