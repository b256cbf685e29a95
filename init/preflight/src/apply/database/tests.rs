use std::fs;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};

use apply::{
    Applied, ChangeSet, Durability, Event, Place, PlaceId, Recovered, Since, Unended, apply,
    receipts, recover, undo, unended, unwatched,
};
use rusqlite::Connection;
use tempfile::TempDir;

use super::*;

const GUEST: &str = "nodes/pve/qemu-server/100.conf";
const SCHEMA: &str = "CREATE TABLE tree (inode INTEGER PRIMARY KEY NOT NULL, parent INTEGER NOT NULL, \
                      version INTEGER NOT NULL, writer INTEGER NOT NULL, mtime INTEGER NOT NULL, \
                      type INTEGER NOT NULL, name TEXT NOT NULL, data BLOB);";
const ROWS: &str = "INSERT INTO tree VALUES
    (0, 0, 9, 0, 1, 8, '__version__', NULL), (1, 0, 1, 0, 1, 4, 'nodes', NULL), (2, 1, 1, 0, 1, 4, 'pve', NULL),
    (3, 2, 1, 0, 1, 4, 'qemu-server', NULL), (4, 3, 4, 0, 1, 8, '100.conf', CAST('old' AS BLOB)),
    (5, 0, 5, 0, 1, 8, 'storage.cfg', CAST('dir: local' AS BLOB)), (6, 0, 6, 0, 1, 4, 'mapping', NULL);";
const ANOTHER: &str =
    "INSERT INTO tree VALUES (20, 3, 20, 0, 2, 8, '101.conf', CAST('made since' AS BLOB));
    UPDATE tree SET data = CAST('nfs: new' AS BLOB) WHERE name = 'storage.cfg';
    UPDATE tree SET version = 21 WHERE inode = 0;";

/// A host that has a guest, and a change of it.
struct Host {
    folder: TempDir,
    places: Places,
    set: ChangeSet,
    contents: Memory,
}

impl Host {
    /// Which has run and was powered off in order, or by the plug, and then has a log.
    fn new(has_log: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("var/lib/pve-cluster")).unwrap();
        let root = Root::open(folder.path()).unwrap();
        let place = Place {
            root: root.clone(),
            durability: Durability::Synced,
        };
        let mut host = Self {
            folder,
            places: Places::default()
                .with(PlaceId::root(), place)
                .knowing(by_entries),
            set: ChangeSet {
                id: "one".parse().unwrap(),
                folders: Vec::new(),
                files: Vec::new(),
                entries: Vec::new(),
            },
            contents: Memory::default(),
        };
        host.runs(&[SCHEMA, ROWS], !has_log);
        let changes = [
            PveChange {
                path: GUEST.to_owned(),
                before: Some(b"old".to_vec()),
                after: Some(b"hostpci0: 01:00".to_vec()),
            },
            PveChange {
                path: "mapping/pci.cfg".to_owned(),
                before: None,
                after: Some(b"gpu".to_vec()),
            },
        ];
        let Today { merged, has_log } = today(&root, DATABASE).unwrap();
        let edited = edit_database(merged.clone(), &changes, 2).unwrap();
        let state = |path: &str| state_of(&root, &PlaceId::root(), path).unwrap();
        let mut file = |path: String, between: Option<Vec<u8>>, after: Option<Vec<u8>>| {
            let before = state(&path);
            let mut made = |bytes: Vec<u8>| FileState {
                size: bytes.len() as u64,
                digest: host.contents.add(bytes),
                attributes: before.and_then(|before| before.attributes),
            };
            host.set.files.push(FileChange {
                place: PlaceId::root(),
                role: Role::Plain,
                between: between.map(&mut made),
                after: after.map(&mut made),
                before,
                path,
            });
        };
        file(DATABASE.to_owned(), has_log.then_some(merged), Some(edited));
        if has_log {
            for ending in BESIDE {
                file(format!("{DATABASE}{ending}"), None, None);
            }
        }
        host.set.entries = changes.iter().map(entry_of).collect();
        host
    }

    /// A host that has the change.
    fn applied(has_log: bool) -> (Self, Vec<(String, Vec<u8>)>) {
        let host = Self::new(has_log);
        let before = host.files();
        let done = apply(
            &host.places,
            host.set.clone(),
            &host.contents,
            &mut unwatched,
        );
        assert!(matches!(done.unwrap(), Applied::Done(_)));
        (host, before)
    }

    /// As pmxcfs does: in the mode with a log, and ended in order or not.
    fn runs(&self, statements: &[&str], in_order: bool) {
        let path = self.folder.path().join(DATABASE.trim_start_matches('/'));
        let connection = Connection::open(path).unwrap();
        connection
            .pragma_update(None, "journal_mode", "wal")
            .unwrap();
        for statement in statements {
            connection.execute_batch(statement).unwrap();
        }
        if in_order {
            connection.close().unwrap();
        } else {
            std::mem::forget(connection);
        }
    }

    /// What lies beside each other in the database's folder.
    fn files(&self) -> Vec<(String, Vec<u8>)> {
        let folder = self.folder.path().join("var/lib/pve-cluster");
        let mut files: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap())
            .map(|entry| {
                let bytes = fs::read(entry.path()).unwrap();
                (entry.file_name().into_string().unwrap(), bytes)
            })
            .collect();
        files.sort();
        files
    }

    /// What /etc/pve would show.
    fn tree(&self) -> Vec<(String, String)> {
        let root = Root::open(self.folder.path()).unwrap();
        let rows = read_database(today(&root, DATABASE).unwrap().merged).unwrap();
        let tree = Tree::from_rows(&rows);
        assert!(tree.faults().is_empty());
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let files = tree.files();
        files
            .map(|(path, bytes)| (path.to_owned(), text(bytes)))
            .collect()
    }

    fn undo(&self, since: Since) -> Result<(), ApplyError> {
        undo(&self.places, &self.set.id, since, &mut unwatched)
    }

    fn is_undone_with(&self, rows: [(&str, &str); 3]) {
        let rows = rows.map(|(path, text)| (path.to_owned(), text.to_owned()));
        assert_eq!(self.tree(), rows);
        let names: Vec<String> = self.files().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["config.db"], "no log of another time");
        assert!(!self.folder.path().join("var/lib/preflight").exists());
    }
}

const UNDONE: [(&str, &str); 3] = [
    (GUEST, "old"),
    ("nodes/pve/qemu-server/101.conf", "made since"),
    ("storage.cfg", "nfs: new"),
];

#[test]
fn an_undo_right_after_the_apply_gives_the_same_bytes() {
    for has_log in [false, true] {
        let (host, before) = Host::applied(has_log);
        assert_ne!(host.files(), before);
        host.undo(Since::Refuse).unwrap();
        assert_eq!(host.files(), before);
    }
}

#[test]
fn what_was_made_since_stays_when_a_guest_goes_back_with_a_log_and_without() {
    for (had_log, has_log) in [(false, false), (false, true), (true, false), (true, true)] {
        let (host, _) = Host::applied(had_log);
        host.runs(&[ANOTHER], !has_log);
        assert_eq!(host.files().len(), if has_log { 3 } else { 1 });
        host.undo(Since::Refuse).unwrap();
        host.is_undone_with(UNDONE);
        let version = "SELECT version FROM tree WHERE inode = 0";
        let path = host.folder.path().join(DATABASE.trim_start_matches('/'));
        let version: i64 = Connection::open(path)
            .unwrap()
            .query_row(version, [], |row| row.get(0))
            .unwrap();
        assert_eq!(version, 23, "one more for each file");
    }
}

#[test]
fn a_database_that_was_only_opened_is_no_reason_to_refuse() {
    let (host, _) = Host::applied(false);
    let applied = host.files();
    host.runs(&["PRAGMA user_version"], true);
    let opened = host.files();
    assert_ne!(opened, applied, "the mode is in the file");
    host.undo(Since::Refuse).unwrap();
    let rows = [(GUEST, "old"), ("storage.cfg", "dir: local")];
    let rows = rows.map(|(path, text)| (path.to_owned(), text.to_owned()));
    assert_eq!(host.tree(), rows);
}

#[test]
fn a_guest_that_changed_since_is_refused_by_name_and_then_overwritten_alone() {
    for (edit, why) in [
        (
            "UPDATE tree SET data = CAST('by hand' AS BLOB) WHERE name = '100.conf'",
            "it has another text",
        ),
        ("DELETE FROM tree WHERE name = '100.conf'", "it is gone"),
    ] {
        let (host, _) = Host::applied(false);
        host.runs(&[ANOTHER, edit], false);
        let files = host.files();
        let refused = host.undo(Since::Refuse).unwrap_err();
        let ApplyError::Entries(lines) = &refused else {
            panic!("{refused}");
        };
        assert_eq!(*lines, [format!("/etc/pve/{GUEST}: {why}")]);
        assert_eq!(host.files(), files);
        host.undo(Since::Overwrite).unwrap();
        host.is_undone_with(UNDONE);
    }
}

#[test]
fn a_receipt_without_entries_and_a_database_that_cannot_be_edited_leave_it_as_it_is() {
    let cluster = "INSERT INTO tree VALUES (30, 0, 1, 0, 1, 8, 'corosync.conf', CAST('x' AS BLOB))";
    for (old, more, why) in [
        (true, "", "an earlier version"),
        (false, cluster, "one of a cluster"),
    ] {
        let (mut host, _) = Host::applied(false);
        if old {
            // As it would have been written then.
            let path = host
                .folder
                .path()
                .join("var/lib/preflight/one/receipt.json");
            let mut receipt = receipts(&host.places).unwrap().remove(0).unwrap();
            receipt.set.entries.clear();
            fs::write(path, serde_json::to_vec(&receipt).unwrap()).unwrap();
            host.set.entries.clear();
        }
        host.runs(&[ANOTHER, more], false);
        let files = host.files();
        let refused = host.undo(Since::Refuse).unwrap_err().to_string();
        assert!(refused.contains(why), "{refused}");
        assert_eq!(host.files(), files);
        host.undo(Since::Overwrite).unwrap();
        assert_eq!(host.files(), files);
    }
}

#[test]
fn an_apply_that_was_cut_ends_over_what_the_host_wrote_since_and_can_be_undone() {
    let mut ends = Vec::new();
    for at in 0.. {
        let host = Host::new(true);
        let watch = |event: Event<'_>| {
            if let Event::Doing { number, .. } = event
                && number == at
            {
                std::panic::resume_unwind(Box::new(()));
            }
            ControlFlow::Continue(())
        };
        let cut = catch_unwind(AssertUnwindSafe(|| {
            let set = host.set.clone();
            apply(&host.places, set, &host.contents, &mut { watch }).unwrap();
        }));
        if cut.is_ok() {
            break;
        }
        host.runs(&[ANOTHER], false);
        let begun: Vec<Unended> = unended(&host.places).unwrap();
        assert_eq!(begun[0].changed, []);
        let ended = recover(&host.places, &mut unwatched).unwrap().remove(0).1;
        let is_applied = matches!(ended, Recovered::Applied(_));
        assert_eq!(
            host.tree()
                .contains(&(GUEST.to_owned(), "hostpci0: 01:00".to_owned())),
            is_applied,
            "{at}"
        );
        if is_applied {
            host.undo(Since::Refuse).unwrap();
        }
        assert_eq!(
            host.tree(),
            UNDONE.map(|(path, text)| (path.to_owned(), text.to_owned())),
            "{at}"
        );
        assert!(!host.folder.path().join("var/lib/preflight").exists());
        ends.push(is_applied);
    }
    assert!(ends.contains(&true) && ends.contains(&false), "{ends:?}");
}

#[test]
fn an_undo_that_was_cut_ends_over_what_the_host_wrote_since() {
    for at in 0.. {
        let (host, _) = Host::applied(false);
        host.runs(&[ANOTHER], false);
        let watch = |event: Event<'_>| {
            if let Event::Doing { number, .. } = event
                && number == at
            {
                std::panic::resume_unwind(Box::new(()));
            }
            ControlFlow::Continue(())
        };
        let id = &host.set.id;
        let cut = catch_unwind(AssertUnwindSafe(|| {
            undo(&host.places, id, Since::Refuse, &mut { watch }).unwrap();
        }));
        if cut.is_ok() {
            assert!(at > 8, "{at}");
            break;
        }
        let more = "INSERT INTO tree VALUES (40, 0, 40, 0, 3, 8, 'user.cfg', CAST('more' AS BLOB))";
        host.runs(&[more], false);
        let ended = recover(&host.places, &mut unwatched).unwrap().remove(0).1;
        if ended == Recovered::NotUndone {
            host.undo(Since::Refuse).unwrap();
        }
        let mut wanted = UNDONE
            .map(|(path, text)| (path.to_owned(), text.to_owned()))
            .to_vec();
        wanted.push(("user.cfg".to_owned(), "more".to_owned()));
        assert_eq!(host.tree(), wanted, "{at}");
        assert!(!host.folder.path().join("var/lib/preflight").exists());
    }
}
