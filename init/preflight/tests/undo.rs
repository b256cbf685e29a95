#![allow(missing_docs, clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use apply::{
    ChangeSet, Digest, Durability, FileChange, FileState, Memory, Place, PlaceId, Places, Role,
    apply, state_of, unwatched,
};
use storage::Root;
use tempfile::TempDir;

fn changed() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("etc")).unwrap();
    fs::create_dir_all(folder.path().join("var/lib")).unwrap();
    fs::write(folder.path().join("etc/modules"), "loop\n").unwrap();
    let root = Root::open(folder.path()).unwrap();
    let before = state_of(&root, &PlaceId::root(), "/etc/modules").unwrap();
    let mut contents = Memory::default();
    let text = b"loop\nvfio\n".to_vec();
    let after = FileState {
        digest: Digest::of(&text),
        size: text.len() as u64,
        attributes: before.and_then(|before| before.attributes),
    };
    contents.add(text);
    let set = ChangeSet {
        id: "first".parse().unwrap(),
        folders: Vec::new(),
        files: vec![FileChange {
            place: PlaceId::root(),
            path: "/etc/modules".to_owned(),
            role: Role::Plain,
            before,
            after: Some(after),
        }],
    };
    let durability = Durability::Synced;
    let places = Places::default().with(PlaceId::root(), Place { root, durability });
    apply(&places, set, &contents, &mut unwatched).unwrap();
    folder
}

fn undo(root: &Path, more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_preflight"));
    command.arg("undo").arg("--root").arg(root).args(more);
    command.output().unwrap()
}

fn modules(folder: &TempDir) -> String {
    fs::read_to_string(folder.path().join("etc/modules")).unwrap()
}

#[test]
fn undo_shows_first_and_puts_back_only_with_yes() {
    let folder = changed();
    let shown = undo(folder.path(), &[]);
    let text = String::from_utf8(shown.stdout).unwrap();
    assert!(text.contains("  put back /etc/modules on /\n"), "{text}");
    assert_eq!(modules(&folder), "loop\nvfio\n");

    assert!(undo(folder.path(), &["--yes"]).status.success());
    assert_eq!(modules(&folder), "loop\n");
    assert!(!folder.path().join("var/lib/preflight").exists());
    let again = undo(folder.path(), &["--yes"]);
    assert!(
        String::from_utf8(again.stdout)
            .unwrap()
            .starts_with("There is nothing to undo on ")
    );
}

#[test]
fn undo_names_a_file_that_changed_since_and_leaves_it_until_told() {
    let folder = changed();
    fs::write(folder.path().join("etc/modules"), "by hand\n").unwrap();
    let refused = undo(folder.path(), &["--yes"]);
    assert_eq!(refused.status.code(), Some(2));
    let text = String::from_utf8(refused.stderr).unwrap();
    assert!(
        text.starts_with("preflight: a file changed in the meantime: /etc/modules on /: "),
        "{text}"
    );
    assert_eq!(modules(&folder), "by hand\n");
    assert!(
        undo(folder.path(), &["--yes", "--overwrite", "first"])
            .status
            .success()
    );
    assert_eq!(modules(&folder), "loop\n");
}
