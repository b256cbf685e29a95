use proptest::prelude::*;
use rusqlite::Connection;

use super::tests::died_with_a_full_log;
use super::{DatabaseError, EditError, PveChange, Row, apply_wal, edit_database, read_database};

const NOW: i64 = 1_800_000_000;
const GUEST: &str = "nodes/pve/qemu-server/100.conf";

/// A database as a host leaves it, its log taken in.
fn database() -> Vec<u8> {
    changed(&[])
}

/// The same, changed by these statements.
fn changed(statements: &[&str]) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let connection = died_with_a_full_log(folder.path(), 4);
    for statement in statements {
        connection.execute_batch(statement).unwrap();
    }
    let read = |name: &str| std::fs::read(folder.path().join(name)).unwrap();
    apply_wal(read("config.db"), &read("config.db-wal")).0
}

fn data(rows: &[Row], name: &str) -> Vec<u8> {
    let mut rows = rows.iter();
    rows.find(|row| row.name == name).unwrap().data.clone()
}

fn guest(after: &str) -> PveChange {
    PveChange {
        path: GUEST.to_owned(),
        before: Some(data(&read_database(database()).unwrap(), "100.conf")),
        after: Some(after.as_bytes().to_vec()),
    }
}

fn new(path: &str, after: &str) -> PveChange {
    PveChange {
        path: path.to_owned(),
        before: None,
        after: Some(after.as_bytes().to_vec()),
    }
}

#[test]
fn a_changed_file_carries_the_new_version_and_so_does_the_root() {
    let before = read_database(database()).unwrap();
    let edited = edit_database(database(), &[guest("name: new\n")], NOW).unwrap();
    let after = read_database(edited).unwrap();
    assert_eq!(after.len(), before.len());
    for (old, new) in before.iter().zip(&after) {
        let mut wanted = old.clone();
        if old.inode == 0 || old.name == "100.conf" {
            wanted.version = 11;
            wanted.mtime = NOW;
        }
        if old.name == "100.conf" {
            wanted.data = b"name: new\n".to_vec();
        }
        assert_eq!(*new, wanted);
    }
}

#[test]
fn a_new_file_and_its_folder_get_numbers_that_are_versions() {
    let change = new("mapping/deeper/usb.cfg", "x\n");
    let rows = read_database(edit_database(database(), &[change], NOW).unwrap()).unwrap();
    let find = |name: &str| rows.iter().find(|row| row.name == name).unwrap();
    let (folder, file) = (find("deeper"), find("usb.cfg"));
    assert_eq!((folder.inode, folder.version, folder.kind), (11, 11, 4));
    assert_eq!(folder.parent, find("mapping").inode);
    assert_eq!(
        (file.inode, file.version, file.kind, file.parent),
        (12, 12, 8, 11)
    );
    assert_eq!((rows[0].version, rows[0].mtime), (12, NOW));
}

#[test]
fn a_file_that_goes_counts_the_version_up_and_takes_nothing_with_it() {
    let mut change = guest("x");
    change.after = None;
    let before = read_database(database()).unwrap();
    let after = read_database(edit_database(database(), &[change], NOW).unwrap()).unwrap();
    let mut wanted = before;
    wanted.retain(|row| row.name != "100.conf");
    (wanted[0].version, wanted[0].mtime) = (11, NOW);
    assert_eq!(after, wanted);
}

#[test]
fn what_came_out_is_opened_by_sqlite_as_a_file_and_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.db");
    std::fs::write(
        &path,
        edit_database(database(), &[guest("a: b\n")], NOW).unwrap(),
    )
    .unwrap();
    let connection = Connection::open(path).unwrap();
    connection
        .pragma_update(None, "journal_mode", "wal")
        .unwrap();
    let whole: String = connection
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(whole, "ok");
    let text: Vec<u8> = connection
        .query_row("SELECT data FROM tree WHERE name = '100.conf'", [], |row| {
            row.get(0)
        })
        .unwrap();
    assert_eq!(text, b"a: b\n");
}

#[test]
fn a_file_that_is_not_what_was_planned_for_is_left() {
    let mut change = guest("x");
    change.before = Some(b"name: other\n".to_vec());
    let refused = edit_database(database(), &[change], NOW);
    assert!(matches!(refused, Err(EditError::Changed(path)) if path == GUEST));
    let there = edit_database(database(), &[new(GUEST, "x")], NOW);
    assert!(matches!(there, Err(EditError::Changed(_))));
}

#[test]
fn a_cluster_and_what_pmxcfs_would_not_start_on_are_refused() {
    let row = |inode: i64, parent: i64, kind: i64, name: &str| {
        format!("INSERT INTO tree VALUES ({inode}, {parent}, 5, 0, 1, {kind}, '{name}', 'x')")
    };
    let cluster = changed(&[&row(50, 0, 8, "corosync.conf")]);
    assert!(matches!(
        edit_database(cluster, &[guest("x")], NOW),
        Err(EditError::Cluster)
    ));
    let faults = [
        row(50, 0, 8, ""),
        row(50, 0, 9, "odd"),
        row(50, 77, 8, "orphan"),
        row(50, 4, 8, "100.conf"),
        "DELETE FROM tree WHERE inode = 0".to_owned(),
    ];
    for fault in faults {
        let refused = edit_database(changed(&[&fault]), &[guest("x")], NOW);
        assert!(matches!(refused, Err(EditError::Faulty(_))), "{fault}");
    }
}

#[test]
fn a_path_through_a_file_or_without_a_name_and_a_large_file_are_refused() {
    for path in [
        "",
        "/x",
        "a//b",
        "../x",
        "__version__",
        "qemu-server/100.conf",
        "lxc/100.conf",
        "openvz/100.conf",
        "local/qemu-server/100.conf",
        ".vmlist",
        &format!("{GUEST}/below"),
    ] {
        let refused = edit_database(database(), &[new(path, "x")], NOW);
        assert!(matches!(refused, Err(EditError::Path(_))), "{path}");
    }
    let mut large = guest("");
    large.after = Some(vec![b'x'; (1 << 20) + 1]);
    let refused = edit_database(database(), &[large], NOW);
    assert!(matches!(refused, Err(EditError::TooLarge(_))));
}

#[test]
fn an_edit_is_given_up_when_its_time_is_over() {
    let over = std::time::Instant::now();
    let given_up = super::edit::edit_until(database(), &[guest("x")], NOW, over);
    assert!(matches!(
        given_up,
        Err(EditError::Database(DatabaseError::TooLong))
    ));
}

#[test]
fn a_schema_that_does_something_when_it_is_written_is_refused() {
    let trigger = "CREATE TRIGGER t AFTER UPDATE ON tree BEGIN DELETE FROM tree; END";
    let refused = edit_database(changed(&[trigger]), &[guest("x")], NOW);
    assert!(matches!(
        refused,
        Err(EditError::Database(DatabaseError::Trigger))
    ));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_other_file_stays_as_it_is(name in "[a-z]{1,8}", text in ".{0,200}") {
        let change = new(&format!("{name}.cfg"), &text);
        let edited = edit_database(database(), std::slice::from_ref(&change), NOW).unwrap();
        let (before, after) = (read_database(database()).unwrap(), read_database(edited).unwrap());
        prop_assert_eq!(after.len(), before.len() + 1);
        prop_assert_eq!(&after[1..before.len()], &before[1..]);
        prop_assert_eq!(Some(data(&after, &change.path)), change.after);
    }

    #[test]
    fn a_damaged_database_is_refused_or_changed_and_nothing_else(
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
        is_cut in prop::bool::weighted(0.2),
    ) {
        let mut bytes = database();
        for (place, value) in damage {
            let length = bytes.len();
            bytes[place.index(length)] = value;
        }
        if is_cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        if let Ok(edited) = edit_database(bytes.clone(), &[guest("name: new\n")], NOW) {
            let mut wanted = read_database(bytes).unwrap();
            let after = read_database(edited).unwrap();
            let version = after.iter().find(|row| row.inode == 0).unwrap().version;
            for row in &mut wanted {
                let is_guest = row.name == "100.conf";
                if row.inode == 0 || is_guest {
                    (row.version, row.mtime) = (version, NOW);
                }
                if is_guest {
                    row.data = b"name: new\n".to_vec();
                }
            }
            prop_assert_eq!(after, wanted);
        }
    }
}
