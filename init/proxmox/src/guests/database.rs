use std::io::Cursor;
use std::time::{Duration, Instant};

use rusqlite::limits::Limit;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, MAIN_DB};

/// A row of pmxcfs's table `tree` (pve-cluster, src/pmxcfs/database.c).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its number.
    pub inode: i64,
    /// The folder it is in; 0 is the root.
    pub parent: i64,
    /// The version of the tree that it was changed in.
    pub version: i64,
    /// Seconds since 1970.
    pub mtime: i64,
    /// 4 a folder, 8 a file (d_type).
    pub kind: i64,
    /// Its name.
    pub name: String,
    /// A file's content.
    pub data: Vec<u8>,
}

/// Why a database could not be read.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// SQLite refuses it.
    #[error("it is no database that pmxcfs could open: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// SQLite's own check finds faults.
    #[error("the database is damaged: {0}")]
    Damaged(String),
    /// It holds more than pmxcfs would.
    #[error("it holds more than {0} entries, which no host has")]
    TooMany(usize),
    /// `tree` is something else.
    #[error("its 'tree' is not a table, as that of pmxcfs is, but a {0}")]
    NoTable(String),
    /// Columns that are no data but worked out by the schema.
    #[error("its schema works columns out, which that of pmxcfs does not")]
    WorkedOut,
    /// Something that happens when a row is changed.
    #[error("its schema has triggers, which that of pmxcfs has not")]
    Trigger,
    /// It kept SQLite busy for longer than it is waited for.
    #[error("it takes longer than any host's would, so it is damaged or made up")]
    TooLong,
    /// Rows that hold more than the file is long.
    #[error("its entries hold more bytes than the database itself, so they are made up")]
    MadeUp,
}

/// No cluster has more files.
const ROWS: usize = 100_000;
/// pmxcfs keeps files up to 1 MiB.
const FILE: i32 = 2 << 20;
/// A damaged or hostile database may send SQLite round in circles.
const PATIENCE: Duration = Duration::from_secs(3);
const STEPS: i32 = 1_000;

/// Every row of `tree`, from a database in memory that has no log any more.
pub fn read_database(database: Vec<u8>) -> Result<Vec<Row>, DatabaseError> {
    read_until(database, Instant::now() + PATIENCE)
}

/// The same, given up at this time.
pub(super) fn read_until(database: Vec<u8>, end: Instant) -> Result<Vec<Row>, DatabaseError> {
    let mut connection = Connection::open_in_memory()?;
    let length = database.len();
    connection.deserialize_read_exact(MAIN_DB, Cursor::new(database), length, true)?;
    connection.pragma_update(None, "ignore_check_constraints", true)?;
    checked(&mut connection, end)?;
    let mut left = length;
    let mut statement =
        connection.prepare("SELECT inode, parent, version, mtime, type, name, data FROM tree")?;
    let mut found = statement.query([])?;
    let mut rows = Vec::new();
    while let Some(row) = found.next()? {
        if rows.len() == ROWS {
            return Err(DatabaseError::TooMany(ROWS));
        }
        let held: usize = [5, 6]
            .into_iter()
            .map(|column| row.get_ref(column).map_or(0, length_of))
            .sum();
        left = left.checked_sub(held).ok_or(DatabaseError::MadeUp)?;
        rows.push(Row {
            inode: number(row.get_ref(0)?),
            parent: number(row.get_ref(1)?),
            version: number(row.get_ref(2)?),
            mtime: number(row.get_ref(3)?),
            kind: number(row.get_ref(4)?),
            name: String::from_utf8_lossy(&bytes(row.get_ref(5)?)).into_owned(),
            data: bytes(row.get_ref(6)?),
        });
    }
    in_time(end)?;
    Ok(rows)
}

/// Fails after this time. SQLite itself is stopped between its steps, but one step can be long.
pub(super) fn in_time(end: Instant) -> Result<(), DatabaseError> {
    if Instant::now() < end {
        Ok(())
    } else {
        Err(DatabaseError::TooLong)
    }
}

/// Bounds what a database can make SQLite do, from here to this time, and refuses what pmxcfs has not made.
pub(super) fn checked(connection: &mut Connection, end: Instant) -> Result<(), DatabaseError> {
    connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, FILE)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    connection.progress_handler(STEPS, Some(move || Instant::now() > end))?;
    plain_table(connection)?;
    let check: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if check != "ok" {
        return Err(DatabaseError::Damaged(check.replace('\n', " ")));
    }
    Ok(())
}

/// A schema is a program: what is worked out when it is read takes time and memory without bound, and no progress
/// handler ends a single call.
fn plain_table(connection: &Connection) -> Result<(), DatabaseError> {
    let kind = "SELECT type FROM pragma_table_list('tree') WHERE schema = 'main'";
    let kind: String = connection.query_row(kind, [], |row| row.get(0))?;
    if kind != "table" {
        return Err(DatabaseError::NoTable(kind));
    }
    let worked_out = "SELECT count(*) FROM pragma_table_list AS list, pragma_table_xinfo(list.name) AS info \
                      WHERE list.schema = 'main' AND info.hidden <> 0";
    let worked_out: i64 = connection.query_row(worked_out, [], |row| row.get(0))?;
    if worked_out > 0 {
        return Err(DatabaseError::WorkedOut);
    }
    let triggers = "SELECT count(*) FROM main.sqlite_schema WHERE type = 'trigger'";
    let triggers: i64 = connection.query_row(triggers, [], |row| row.get(0))?;
    if triggers > 0 {
        return Err(DatabaseError::Trigger);
    }
    Ok(())
}

/// A column may hold any type, whatever the table says; what is no number is one that no row has.
fn number(value: ValueRef) -> i64 {
    value.as_i64().unwrap_or(-1)
}

fn length_of(value: ValueRef) -> usize {
    match value {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes.len(),
        ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_) => 0,
    }
}

fn bytes(value: ValueRef) -> Vec<u8> {
    match value {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes.to_vec(),
        ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_) => Vec::new(),
    }
}
