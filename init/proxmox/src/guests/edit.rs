use std::collections::BTreeMap;
use std::io::Cursor;
use std::time::{Duration, Instant};

use rusqlite::{Connection, MAIN_DB, Transaction, TransactionBehavior};

use super::database::{DatabaseError, checked, in_time, read_until};
use super::tree::{FILE, FOLDER, Tree, VERSION};

/// A file of /etc/pve that is to change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PveChange {
    /// Its path, without a leading slash.
    pub path: String,
    /// What it holds now; none where it is not there.
    pub before: Option<Vec<u8>>,
    /// What it is to hold; none where it is to go.
    pub after: Option<Vec<u8>>,
}

/// Why a database was not changed.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    /// It cannot be read, or what came out of the change cannot.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// pmxcfs does not start on it.
    #[error("pmxcfs would not start on it: {0}; that has to be mended first")]
    Faulty(String),
    /// The host is one of a cluster.
    #[error(
        "the host is one of a cluster, whose other nodes would undo the change or take it over; change the guest \
         on a running node"
    )]
    Cluster,
    /// A file holds something else than what the change was made for.
    #[error("{0} has changed since the change was planned; plan it again")]
    Changed(String),
    /// A path that no file of /etc/pve can have.
    #[error("{0} is no path that pmxcfs keeps a file at")]
    Path(String),
    /// pmxcfs keeps no larger file.
    #[error("{0} would be larger than the 1 MiB that pmxcfs keeps")]
    TooLarge(String),
    /// The database does not hold what was written into it.
    #[error("{0} does not read back as it was written")]
    NotWritten(String),
}

impl From<rusqlite::Error> for EditError {
    fn from(error: rusqlite::Error) -> Self {
        DatabaseError::from(error).into()
    }
}

/// The largest file that pmxcfs keeps (pve-cluster, src/pmxcfs/memdb.h, MEMDB_MAX_FILE_SIZE).
const LARGEST: usize = 1 << 20;
/// A host's database is read, changed and read again in less.
const PATIENCE: Duration = Duration::from_secs(10);
/// Names in the root of /etc/pve that are links into `nodes`, or made up when they are read, and never kept in the
/// database (pve-cluster, src/pmxcfs/pmxcfs.c, where the plug-ins are set up).
const NOT_KEPT: [&str; 10] = [
    "local",
    "qemu-server",
    "lxc",
    "openvz",
    ".version",
    ".members",
    ".vmlist",
    ".rrd",
    ".clusterlog",
    ".debug",
];
/// Linux's longest name (NAME_MAX).
const LONGEST: usize = 255;

/// The database with these files changed, as pmxcfs itself would change them one after another, at `now` (seconds
/// since 1970): the tree's version goes up by one each time, and the entry and the root's row carry it (pve-cluster,
/// src/pmxcfs/memdb.c and database.c). Nothing is read or written but these bytes. `database` must hold all that its
/// log has ([`super::apply_wal`]); the result has no log either.
pub fn edit_database(
    database: Vec<u8>,
    changes: &[PveChange],
    now: i64,
) -> Result<Vec<u8>, EditError> {
    edit_until(database, changes, now, Instant::now() + PATIENCE)
}

/// The same, given up at `end`.
pub(super) fn edit_until(
    database: Vec<u8>,
    changes: &[PveChange],
    now: i64,
    end: Instant,
) -> Result<Vec<u8>, EditError> {
    let tree = sound(&database, end)?;
    for change in changes {
        check(&tree, change)?;
    }
    let length = database.len();
    let mut connection = Connection::open_in_memory()?;
    connection.deserialize_read_exact(MAIN_DB, Cursor::new(database), length, false)?;
    checked(&mut connection, end)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for change in changes {
        put(&transaction, change, now)?;
        in_time(end)?;
    }
    transaction.commit()?;
    let whole: String = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if whole != "ok" {
        return Err(DatabaseError::Damaged(whole).into());
    }
    let edited = connection.serialize(MAIN_DB)?.to_vec();
    let files: BTreeMap<String, Vec<u8>> = sound(&edited, end)?
        .files()
        .map(|(path, data)| (path.to_owned(), data.to_vec()))
        .collect();
    let last: BTreeMap<&str, Option<&Vec<u8>>> = changes
        .iter()
        .map(|change| (change.path.as_str(), change.after.as_ref()))
        .collect();
    for (path, after) in last {
        if files.get(path) != after {
            return Err(EditError::NotWritten(path.to_owned()));
        }
    }
    Ok(edited)
}

/// The tree of a database that pmxcfs would start on, of a host that stands alone.
fn sound(database: &[u8], end: Instant) -> Result<Tree, EditError> {
    let tree = Tree::from_rows(&read_until(database.to_vec(), end)?);
    if let Some(fault) = tree.faults().first() {
        return Err(EditError::Faulty(fault.clone()));
    }
    if tree.files().any(|(path, _)| path == "corosync.conf") {
        return Err(EditError::Cluster);
    }
    Ok(tree)
}

fn check(tree: &Tree, change: &PveChange) -> Result<(), EditError> {
    let is_name = |name: &str| {
        !name.is_empty() && name.len() <= LONGEST && !matches!(name, "." | ".." | VERSION)
    };
    let first = change.path.split('/').next().unwrap_or_default();
    let is_kept = change.path.split('/').all(is_name) && !NOT_KEPT.contains(&first);
    if !is_kept || change.path.contains('\0') {
        return Err(EditError::Path(change.path.clone()));
    }
    if change
        .after
        .as_ref()
        .is_some_and(|after| after.len() > LARGEST)
    {
        return Err(EditError::TooLarge(change.path.clone()));
    }
    let held = tree.files().find(|(path, _)| *path == change.path);
    if held.map(|(_, data)| data) != change.before.as_deref() {
        return Err(EditError::Changed(change.path.clone()));
    }
    Ok(())
}

/// Writes one file, and the folders above it that are missing; or removes it. A folder stays, as it does in /etc/pve.
fn put(transaction: &Transaction, change: &PveChange, now: i64) -> Result<(), EditError> {
    let parts: Vec<&str> = change.path.split('/').collect();
    let Some((name, folders)) = parts.split_last() else {
        return Err(EditError::Path(change.path.clone()));
    };
    let Some(after) = &change.after else {
        return remove(transaction, folders, name, now);
    };
    let mut parent = 0;
    for folder in folders {
        parent = match entry(transaction, parent, folder)? {
            Some((inode, FOLDER)) => inode,
            Some(_) => return Err(EditError::Path(change.path.clone())),
            None => add(transaction, parent, folder, None, now)?,
        };
    }
    match entry(transaction, parent, name)? {
        None => {
            add(transaction, parent, name, Some(after), now)?;
        }
        Some((inode, FILE)) => {
            let version = next_version(transaction, now)?;
            transaction.execute(
                "UPDATE tree SET version = ?2, writer = 0, mtime = ?3, data = ?4 WHERE inode = ?1",
                (inode, version, now, after),
            )?;
        }
        Some(_) => return Err(EditError::Path(change.path.clone())),
    }
    Ok(())
}

/// Only the root's row tells of a file that goes (memdb.c, memdb_delete).
fn remove(
    transaction: &Transaction,
    folders: &[&str],
    name: &str,
    now: i64,
) -> Result<(), EditError> {
    let mut parent = 0;
    for folder in folders {
        match entry(transaction, parent, folder)? {
            Some((inode, FOLDER)) => parent = inode,
            _ => return Ok(()),
        }
    }
    if let Some((inode, FILE)) = entry(transaction, parent, name)? {
        next_version(transaction, now)?;
        transaction.execute("DELETE FROM tree WHERE inode = ?1", [inode])?;
    }
    Ok(())
}

/// The number and type of an entry. The root's own row is in no folder.
fn entry(
    transaction: &Transaction,
    parent: i64,
    name: &str,
) -> Result<Option<(i64, i64)>, EditError> {
    let mut found = transaction
        .prepare("SELECT inode, type FROM tree WHERE parent = ?1 AND name = ?2 AND inode <> 0")?;
    let mut rows = found.query((parent, name))?;
    Ok(match rows.next()? {
        Some(row) => Some((row.get(0)?, row.get(1)?)),
        None => None,
    })
}

/// A new entry has the tree's new version as its number.
fn add(
    transaction: &Transaction,
    parent: i64,
    name: &str,
    data: Option<&Vec<u8>>,
    now: i64,
) -> Result<i64, EditError> {
    let version = next_version(transaction, now)?;
    let kind = if data.is_some() { FILE } else { FOLDER };
    transaction.execute(
        "INSERT INTO tree (inode, parent, version, writer, mtime, type, name, data) \
         VALUES (?1, ?2, ?1, 0, ?3, ?4, ?5, ?6)",
        (version, parent, now, kind, name, data),
    )?;
    Ok(version)
}

/// Counts the tree's version up, in the root's row. No entry has a larger number on a host; where one has, its number
/// must not be given twice.
fn next_version(transaction: &Transaction, now: i64) -> Result<i64, EditError> {
    transaction.execute(
        "UPDATE tree SET version = 1 + max(version, (SELECT max(inode) FROM tree)), writer = 0, mtime = ?1 WHERE inode = 0",
        [now],
    )?;
    let version = "SELECT version FROM tree WHERE inode = 0";
    Ok(transaction.query_row(version, [], |row| row.get(0))?)
}
