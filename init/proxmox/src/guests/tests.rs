use std::path::Path;

use proptest::prelude::*;
use rusqlite::Connection;
use storage::Root;

use super::*;
use crate::files::MemoryFiles;

const SCHEMA: &str = "CREATE TABLE tree (inode INTEGER PRIMARY KEY NOT NULL, parent INTEGER NOT NULL CHECK(typeof(parent)=='integer'), version INTEGER NOT NULL CHECK(typeof(version)=='integer'), writer INTEGER NOT NULL CHECK(typeof(writer)=='integer'), mtime INTEGER NOT NULL CHECK(typeof(mtime)=='integer'), type INTEGER NOT NULL CHECK(typeof(type)=='integer'), name TEXT NOT NULL, data BLOB);";

const ROWS: [(i64, i64, i64, &str, &str); 10] = [
    (0, 0, 8, "__version__", ""),
    (2, 0, 4, "nodes", ""),
    (3, 2, 4, "pve", ""),
    (4, 3, 4, "qemu-server", ""),
    (
        5,
        4,
        8,
        "100.conf",
        "name: win11\nonboot: 1\nstartup: order=2,up=30\nmachine: q35\nhostpci0: 0000:01:00,pcie=1,x-vga=1\n[PENDING]\nhostpci1: 02:00.0\n",
    ),
    (
        6,
        4,
        8,
        "101.conf",
        "name: ai\nhostpci0: mapping=gpu,rombar=0\n",
    ),
    (7, 0, 4, "mapping", ""),
    (
        8,
        7,
        8,
        "pci.cfg",
        "gpu\n\tdescription a card\n\tmap id=10de:1b80,iommugroup=12,node=pve,path=0000:01:00.0,subsystem-id=1043:8591\n",
    ),
    (9, 0, 4, "ha", ""),
    (10, 9, 8, "resources.cfg", "vm: 101\n\tstate started\n"),
];

/// A database as pmxcfs keeps it, in WAL mode, with the last rows only in the log; no checkpoint was made.
pub(crate) fn died_with_a_full_log(folder: &Path, rows: usize) -> Connection {
    let path = folder.join("config.db");
    let connection = Connection::open(path).unwrap();
    connection
        .pragma_update(None, "journal_mode", "wal")
        .unwrap();
    connection
        .pragma_update(None, "wal_autocheckpoint", 0)
        .unwrap();
    connection.execute_batch(SCHEMA).unwrap();
    for (index, (inode, parent, kind, name, data)) in ROWS.iter().enumerate() {
        if index == rows {
            connection
                .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
                .unwrap();
        }
        connection
            .execute(
                "INSERT INTO tree VALUES (?1, ?2, 5, 0, 1700000000, ?3, ?4, CAST(?5 AS BLOB))",
                (inode, parent, kind, name, data),
            )
            .unwrap();
    }
    connection
}

fn read_from(folder: &Path) -> Reading<Guests> {
    let bytes = |name: &str| std::fs::read(folder.join(name)).unwrap_or_default();
    let files = MemoryFiles::new()
        .file(DATABASE, bytes("config.db"))
        .file(&format!("{DATABASE}-wal"), bytes("config.db-wal"));
    Guests::read(&Reader::new(&files, String::new()))
}

fn known(reading: Reading<Guests>) -> Guests {
    match reading {
        Reading::Known(guests) => guests,
        other => panic!("{other:?}"),
    }
}

#[test]
fn guests_in_the_log_alone_are_read_and_no_file_is_touched() {
    let folder = tempfile::tempdir().unwrap();
    let connection = died_with_a_full_log(folder.path(), 2);
    let list = || {
        let entries = std::fs::read_dir(folder.path()).unwrap();
        let mut list: Vec<_> = entries
            .map(|entry| {
                let path = entry.unwrap().path();
                let bytes = std::fs::read(&path).unwrap();
                (path, bytes)
            })
            .collect();
        list.sort();
        list
    };
    let before = list();
    std::fs::create_dir_all(folder.path().join("var/lib")).unwrap();
    std::os::unix::fs::symlink("../..", folder.path().join("var/lib/pve-cluster")).unwrap();
    let files = Root::open(folder.path()).unwrap();
    let guests = known(Guests::read(&Reader::new(&files, String::new())));
    std::fs::remove_dir_all(folder.path().join("var")).unwrap();
    assert_eq!(list(), before);
    drop(connection);

    assert!(guests.log.unwrap().commits >= 8);
    let [windows, ai] = guests.guests.as_slice() else {
        panic!("two guests: {:?}", guests.guests);
    };
    assert!(windows.onboot && !windows.ha && ai.ha && ai.starts_itself());
    assert_eq!(windows.order, Some(2));
    let [device] = windows.hostpci.as_slice() else {
        panic!("what is pending is not set yet");
    };
    assert_eq!(device.hosts[0].to_string(), "0000:01:00");
    assert!(device.hosts[0].covers("0000:01:00.1".parse().unwrap()));
    assert!(device.is_on("x-vga"));
    assert_eq!(ai.hostpci[0].mapping.as_deref(), Some("gpu"));
    assert_eq!(guests.mappings[0].devices[0].group, Some(12));
    assert_eq!(guests.faults, Vec::<String>::new());
    assert!(!guests.cluster);
}

#[test]
fn a_log_that_was_cut_off_counts_up_to_its_last_whole_transaction() {
    let folder = tempfile::tempdir().unwrap();
    let connection = died_with_a_full_log(folder.path(), 4);
    let log = std::fs::read(folder.path().join("config.db-wal")).unwrap();
    let database = std::fs::read(folder.path().join("config.db")).unwrap();
    drop(connection);
    let mut seen = Vec::new();
    for length in (0..log.len()).step_by(512) {
        let (database, summary) = apply_wal(database.clone(), &log[..length]);
        let rows = read_database(database).unwrap().len();
        assert_eq!(rows, 4 + summary.map_or(0, |summary| summary.commits));
        seen.push(rows);
    }
    assert!(seen.contains(&4) && seen.contains(&9));
    let mut broken = log.clone();
    broken[200] ^= 1;
    let (whole, summary) = apply_wal(database, &broken);
    assert_eq!(summary.unwrap().commits, 0);
    assert_eq!(read_database(whole).unwrap().len(), 4);
}

#[test]
fn our_reading_of_the_log_is_sqlites() {
    let folder = tempfile::tempdir().unwrap();
    let connection = died_with_a_full_log(folder.path(), 3);
    let ours = known(read_from(folder.path()));
    // Closing moves the log into the database.
    drop(connection);
    assert!(!folder.path().join("config.db-wal").exists());
    let sqlites = known(read_from(folder.path()));
    assert_eq!(ours.guests, sqlites.guests);
    assert_eq!(sqlites.log, None);
}

#[test]
fn a_damaged_database_is_unknown_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    drop(died_with_a_full_log(folder.path(), 3));
    let path = folder.path().join("config.db");
    let whole = std::fs::read(&path).unwrap();
    for (from, what) in [(0, "the header"), (4096, "the table")] {
        let mut bytes = whole.clone();
        bytes[from..from + 64].fill(0xff);
        std::fs::write(&path, &bytes).unwrap();
        let Reading::Unknown(why) = read_from(folder.path()) else {
            panic!("{what} is broken");
        };
        assert!(why.starts_with(DATABASE), "{why}");
    }
    std::fs::write(&path, &whole[..5000]).unwrap();
    assert!(read_from(folder.path()).is_unknown());
    std::fs::write(&path, b"").unwrap();
    assert!(read_from(folder.path()).is_unknown());
    assert_eq!(
        Guests::read(&Reader::new(&MemoryFiles::new(), String::new())),
        Reading::Absent
    );
}

fn read_made_by(script: &str) -> Result<Vec<Row>, DatabaseError> {
    let mut connection = Connection::open_in_memory().unwrap();
    connection.execute_batch(script).unwrap();
    read_database(connection.serialize("main").unwrap().to_vec())
}

/// Some numbers, to make rows from.
fn numbers(count: u32) -> String {
    format!(
        "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < {count}) SELECT"
    )
}

#[test]
fn a_view_in_place_of_the_table_is_refused() {
    let view = format!(
        "CREATE VIEW tree AS {} x AS inode, 0 AS parent, 0 AS version, 0 AS mtime, 8 AS type, 'a' AS name, zeroblob(2000000) AS data FROM c;",
        numbers(10_000)
    );
    assert!(matches!(read_made_by(&view), Err(DatabaseError::NoTable(kind)) if kind == "view"));
}

/// The table with one more column, and as many rows.
fn table(column: &str, rows: u32) -> String {
    format!(
        "CREATE TABLE tree (inode INTEGER PRIMARY KEY, parent DEFAULT 0, version DEFAULT 0, mtime DEFAULT 0, type DEFAULT 8, \
         name DEFAULT 'a', {column}); INSERT INTO tree (inode) {} x FROM c;",
        numbers(rows)
    )
}

#[test]
fn columns_that_the_schema_works_out_are_refused() {
    let slow = "length(replace(hex(zeroblob(900000 + inode)), '0', '1'))";
    let tree = table(&format!("data AS ({slow})"), 1);
    assert!(matches!(read_made_by(&tree), Err(DatabaseError::WorkedOut)));
    let other = format!(
        "{} CREATE TABLE other (a, b AS (a) STORED);",
        table("data", 1)
    );
    assert!(matches!(
        read_made_by(&other),
        Err(DatabaseError::WorkedOut)
    ));
    // A check is not run, so it cannot take long either.
    let checked = table(&format!("data CHECK({slow})"), 10_000);
    let checked = format!("PRAGMA ignore_check_constraints = 1; {checked}");
    assert_eq!(read_made_by(&checked).unwrap().len(), 10_000);
}

#[test]
fn rows_that_hold_more_than_the_file_are_refused() {
    let long = "b".repeat(50_000);
    let made_up = format!(
        "{} ALTER TABLE tree ADD COLUMN data DEFAULT '{long}';",
        table("unused", 100)
    );
    assert!(matches!(read_made_by(&made_up), Err(DatabaseError::MadeUp)));
    assert_eq!(
        read_made_by(&table("data DEFAULT 'b'", 100)).unwrap().len(),
        100
    );
}

fn row(inode: i64, parent: i64, kind: i64, name: &str) -> Row {
    let (version, mtime) = (1, 0);
    Row {
        inode,
        parent,
        version,
        mtime,
        kind,
        name: name.to_owned(),
        data: Vec::new(),
    }
}

#[test]
fn what_pmxcfs_refuses_is_said() {
    let root = row(0, 0, 8, "__version__");
    let faults = |rows: &[Row]| {
        Tree::from_rows(&[std::slice::from_ref(&root), rows].concat())
            .faults()
            .to_vec()
    };
    assert_eq!(faults(&[row(2, 0, 4, "nodes")]), Vec::<String>::new());
    for (rows, said) in [
        (vec![row(2, 0, 8, "")], "no name"),
        (vec![row(2, 0, 7, "a")], "unknown type 7"),
        (vec![row(2, 9, 8, "a")], "not there"),
        (vec![row(2, 0, 8, "a"), row(3, 2, 8, "b")], "no folder"),
        (vec![row(2, 0, 8, "a"), row(3, 0, 8, "a")], "same name"),
        (vec![row(2, 3, 4, "a"), row(3, 2, 4, "b")], "without end"),
    ] {
        let faults = faults(&rows);
        assert!(
            faults.iter().any(|fault| fault.contains(said)),
            "{said}: {faults:?}"
        );
    }
    assert!(Tree::from_rows(&[row(0, 0, 8, "root")]).faults()[0].contains("__version__"));
}

proptest! {
    #[test]
    fn any_log_is_applied_within_bounds(log in proptest::collection::vec(any::<u8>(), 0..400), database in proptest::collection::vec(any::<u8>(), 0..100)) {
        let (applied, _) = apply_wal(database.clone(), &log);
        prop_assert!(applied.len() <= database.len() + log.len());
    }

    #[test]
    fn any_guest_file_is_read(text in "(?s).{0,200}") {
        Guest::parse("pve", 100, GuestKind::Qemu, &text);
        Guest::parse("pve", 100, GuestKind::Qemu, &format!("hostpci0: {text}"));
        parse_sections(&text);
        parse_pci_mappings(&text);
    }

    #[test]
    fn any_rows_make_a_tree(rows in proptest::collection::vec((0_i64..6, 0_i64..6, 3_i64..9, "[a-c]{0,1}"), 0..12)) {
        let rows: Vec<_> = rows.iter().map(|(inode, parent, kind, name)| row(*inode, *parent, *kind, name)).collect();
        Tree::from_rows(&rows);
    }
}
