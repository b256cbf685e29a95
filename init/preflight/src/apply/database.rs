//! The guests' database, which pmxcfs opens in another mode and writes to whenever a host runs: a change of it goes
//! back, or on, as a whole only where nothing else has written to it, and else by the entries that it changed.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Result, ensure};
use apply::{
    ApplyError, ChangeSet, EntryChange, FileChange, FileState, Held, Instead, Memory, Places, Role,
    state_of,
};
use proxmox::guests::{DATABASE, PveChange, Tree, apply_wal, edit_database, read_database};
use storage::Root;

/// A cluster's database is a few MB; the log is as large as what was written since the last checkpoint.
const LARGEST: u64 = 128 << 20;
/// What SQLite keeps beside a database with a log.
pub const BESIDE: [&str; 2] = ["-wal", "-shm"];

/// A database, with what its log has.
pub struct Today {
    /// Without a log.
    pub merged: Vec<u8>,
    /// Whether there was anything in one.
    pub has_log: bool,
}

/// By the end of its path, for its folder can be a place of its own.
pub fn is_database(file: &FileChange) -> bool {
    !file.place.is_fat() && DATABASE.ends_with(&file.path)
}

/// Reads it as pmxcfs would when it starts: the log goes into the database.
pub fn today(root: &Root, path: &str) -> Result<Today> {
    let beside = |ending: &str| match root.read(format!("{path}{ending}"), LARGEST) {
        Ok(bytes) => Ok(bytes),
        Err(error) if error.is_missing() => Ok(Vec::new()),
        Err(error) => Err(error),
    };
    let database = root.read(path, LARGEST)?;
    let log = beside("-wal")?;
    ensure!(
        beside("-journal")?.is_empty(),
        "{path}-journal holds a change that was not finished"
    );
    let (merged, _) = apply_wal(database, &log);
    Ok(Today {
        merged,
        has_log: !log.is_empty(),
    })
}

/// The time, as pmxcfs writes it.
pub fn now() -> i64 {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(now.as_secs()).unwrap_or_default()
}

/// An entry of a receipt for a file that is written into a database.
pub fn entry_of(change: &PveChange) -> EntryChange {
    EntryChange {
        path: change.path.clone(),
        before: change.before.clone().map(Held),
        after: change.after.clone().map(Held),
    }
}

/// What becomes of the database where something else has written to it.
pub fn by_entries(places: &Places, set: &ChangeSet) -> Result<Option<Instead>, ApplyError> {
    let Some(file) = set.files.iter().find(|file| is_database(file)) else {
        return Ok(None);
    };
    let root = places.get(&file.place)?.root.on_one_file_system();
    let found = Found::read(&root, set, file)?;
    let Some(database) = found.database.filter(|_| found.is_foreign) else {
        return Ok(None);
    };
    let (mut instead, edited) = match edited(&root, &file.path, &set.entries) {
        Ok(edited) => edited,
        // What a person wants to have overwritten are entries; where that is not possible, all stay.
        Err(error) => {
            let why = format!("/etc/pve cannot be changed: {error:#}; change the guest by hand");
            (telling(vec![STAYS.to_owned()], vec![why]), None)
        }
    };
    let state = |bytes: Vec<u8>, contents: &mut Memory| FileState {
        size: bytes.len() as u64,
        digest: contents.add(bytes),
        attributes: database.attributes.map(|attributes| apply::Attributes {
            modified: None,
            ..attributes
        }),
    };
    let stays = edited.is_none();
    let mut own = FileChange {
        before: Some(database),
        after: Some(database),
        between: None,
        ..file.clone()
    };
    if let Some((between, after)) = edited {
        own.between = between.map(|bytes| state(bytes, &mut instead.contents));
        own.after = Some(state(after, &mut instead.contents));
    }
    instead.files.push(own);
    // As at the apply: none of them stands beside the edited database.
    for (path, there) in found.beside {
        instead.files.push(FileChange {
            place: file.place.clone(),
            path,
            role: Role::Plain,
            before: there,
            after: there.filter(|_| stays),
            between: None,
        });
    }
    Ok(Some(instead))
}

const STAYS: &str = "/var/lib/pve-cluster/config.db stays as it is today";

fn telling(told: Vec<String>, conflicts: Vec<String>) -> Instead {
    Instead {
        files: Vec::new(),
        contents: Memory::default(),
        told,
        is_begun: false,
        conflicts,
    }
}

/// The files as they are.
struct Found {
    database: Option<FileState>,
    beside: Vec<(String, Option<FileState>)>,
    /// Whether one of them is neither as before the change nor as after it, nor as in between.
    is_foreign: bool,
}

impl Found {
    fn read(root: &Root, set: &ChangeSet, file: &FileChange) -> Result<Self, ApplyError> {
        let database = state_of(root, &file.place, &file.path)?;
        // Once it went by its entries, it goes by them ever after.
        let mut is_foreign = file.is_same() || !is_known(file, database);
        let mut beside = Vec::new();
        for ending in BESIDE {
            let path = format!("{}{ending}", file.path);
            let there = state_of(root, &file.place, &path)?;
            let mut own = set.files.iter();
            let own = own.find(|own| own.is_at(&file.place, &path));
            is_foreign |= match own {
                Some(own) => !is_known(own, there),
                None => there.is_some(),
            };
            beside.push((path, there));
        }
        Ok(Self {
            database,
            beside,
            is_foreign,
        })
    }
}

fn is_known(file: &FileChange, there: Option<FileState>) -> bool {
    let is_between = there.is_some() && there == file.between;
    is_between || there == file.before || there == file.after
}

/// What is told of it; with the database as it has to stand before its log goes, and as it is to be, where it changes.
type Edited = (Instead, Option<(Option<Vec<u8>>, Vec<u8>)>);

fn edited(root: &Root, path: &str, entries: &[EntryChange]) -> Result<Edited> {
    ensure!(
        !entries.is_empty(),
        "the receipt is of an earlier version, and does not say which guests it changed"
    );
    let Today { merged, has_log } = today(root, path)?;
    let tree = Tree::from_rows(&read_database(merged.clone())?);
    let mut conflicts = Vec::new();
    let mut changes = Vec::new();
    let mut names = Vec::new();
    let mut is_begun = false;
    for entry in entries {
        let held = tree.files().find(|(path, _)| *path == entry.path);
        let held = held.map(|(_, bytes)| bytes.to_vec());
        let [before, after] =
            [&entry.before, &entry.after].map(|side| side.clone().map(|held| held.0));
        if held == after {
            is_begun = true;
            continue;
        }
        if held != before {
            let what = match held {
                Some(_) => "it has another text",
                None => "it is gone",
            };
            conflicts.push(format!("/etc/pve/{}: {what}", entry.path));
        }
        let goes = if after.is_none() { " (goes)" } else { "" };
        names.push(format!("/etc/pve/{}{goes}", entry.path));
        changes.push(PveChange {
            path: entry.path.clone(),
            before: held,
            after,
        });
    }
    if changes.is_empty() {
        let told = format!("{STAYS}: what the change has there is so already");
        let instead = Instead {
            is_begun,
            ..telling(vec![told], conflicts)
        };
        return Ok((instead, None));
    }
    let edited = edit_database(merged.clone(), &changes, now())?;
    let told = format!(
        "in /var/lib/pve-cluster/config.db, which the host has written to since, only this changes: {}; all other \
         guests, storages, users and keys stay as they are today",
        names.join(", ")
    );
    let between = has_log.then_some(merged);
    let instead = Instead {
        is_begun,
        ..telling(vec![told], conflicts)
    };
    Ok((instead, Some((between, edited))))
}

#[cfg(test)]
mod tests;
