#![allow(missing_docs, clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use apply::{
    Act, ChangeSet, Digest, Durability, Event, FileChange, FileState, Memory, Place, PlaceId,
    Places, Role, apply, state_of, unwatched,
};
use storage::Root;
use tempfile::TempDir;

mod host;

/// A system, and a change of it that is not made yet.
fn system() -> (TempDir, Places, ChangeSet, Memory) {
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
        entries: Vec::new(),
        id: "first".parse().unwrap(),
        folders: Vec::new(),
        files: vec![FileChange {
            place: PlaceId::root(),
            path: "/etc/modules".to_owned(),
            role: Role::Plain,
            before,
            after: Some(after),
            between: None,
        }],
    };
    let durability = Durability::Synced;
    let places = Places::default().with(PlaceId::root(), Place { root, durability });
    (folder, places, set, contents)
}

/// A changed system.
fn changed() -> TempDir {
    let (folder, places, set, contents) = system();
    apply(&places, set, &contents, &mut unwatched).unwrap();
    folder
}

/// Ends what is being done like a power cut, before the first act that this is true for.
fn cut(what: impl FnOnce(&mut apply::Progress<'_>), at: impl Fn(&Act) -> bool) {
    let mut watch = |event: Event<'_>| {
        if let Event::Doing { act, .. } = event
            && at(act)
        {
            std::panic::resume_unwind(Box::new(()));
        }
        std::ops::ControlFlow::Continue(())
    };
    let all = std::panic::AssertUnwindSafe(|| what(&mut watch));
    assert!(std::panic::catch_unwind(all).is_err());
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
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
    let shown = undo(folder.path(), &[]);
    assert_eq!(shown.status.code(), Some(1));
    let shown = text(&shown.stdout);
    assert!(
        shown.contains("Somebody changed these since:\n  /etc/modules on /: it has other bytes"),
        "{shown}"
    );
    let refused = undo(folder.path(), &["--yes"]);
    assert_eq!(refused.status.code(), Some(1));
    let refused = text(&refused.stderr);
    assert!(
        refused.starts_with("preflight: a file changed in the meantime: /etc/modules on /: "),
        "{refused}"
    );
    assert_eq!(modules(&folder), "by hand\n");
    let overwrite = ["--yes", "--overwrite", "--receipt", "first"];
    assert!(undo(folder.path(), &overwrite).status.success());
    assert_eq!(modules(&folder), "loop\n");
}

#[test]
fn a_file_that_is_gone_is_put_back_when_told() {
    let folder = changed();
    fs::remove_file(folder.path().join("etc/modules")).unwrap();
    let refused = undo(folder.path(), &["--yes"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        undo(folder.path(), &["--yes", "--overwrite"])
            .status
            .success()
    );
    assert_eq!(modules(&folder), "loop\n");
}

#[test]
fn a_change_that_was_begun_is_listed_with_what_becomes_of_it_before_anything_is_done() {
    let (folder, places, set, contents) = system();
    let cleared = |act: &Act| matches!(act, Act::Remove { .. });
    cut(
        |watch| {
            let _ = apply(&places, set, &contents, watch);
        },
        cleared,
    );
    assert_eq!(modules(&folder), "loop\nvfio\n");
    let listed = "The change first was begun, and will first be applied to the end:\n  change /etc/modules on /\n\
                  To be put back from the receipt first:\n  put back /etc/modules on /\n";
    let shown = undo(folder.path(), &[]);
    assert!(shown.status.success());
    let shown = text(&shown.stdout);
    assert_eq!(shown, format!("{listed}With --yes it is done.\n"));
    let done = text(&undo(folder.path(), &["--yes"]).stdout);
    assert!(done.starts_with(listed), "{done}");
    assert!(done.ends_with("first is undone: every file was read again and is as before.\n"));
    assert_eq!(modules(&folder), "loop\n");
    assert!(!folder.path().join("var/lib/preflight").exists());
}

#[test]
fn who_calls_again_after_a_power_cut_in_an_undo_undoes_no_other_change() {
    let folder = changed();
    let root = Root::open(folder.path()).unwrap();
    let durability = Durability::Synced;
    let places = Places::default().with(
        PlaceId::root(),
        Place {
            root: root.clone(),
            durability,
        },
    );
    let mut contents = Memory::default();
    let bytes = b"another\n".to_vec();
    let after = FileState {
        digest: Digest::of(&bytes),
        size: bytes.len() as u64,
        attributes: None,
    };
    contents.add(bytes);
    let second = ChangeSet {
        entries: Vec::new(),
        id: "second".parse().unwrap(),
        folders: Vec::new(),
        files: vec![FileChange {
            place: PlaceId::root(),
            path: "/etc/other".to_owned(),
            role: Role::Plain,
            before: None,
            after: Some(after),
            between: None,
        }],
    };
    apply(&places, second, &contents, &mut unwatched).unwrap();
    let several = undo(folder.path(), &["--yes"]);
    assert_eq!(several.status.code(), Some(2));
    assert!(text(&several.stderr).contains("name one with --receipt: first, second"));
    let id = "second".parse().unwrap();
    cut(
        |watch| {
            let _ = apply::undo(&places, &id, apply::Since::Refuse, watch);
        },
        |act| matches!(act, Act::Remove { .. }),
    );
    let done = undo(folder.path(), &["--yes"]);
    assert!(done.status.success(), "{done:?}");
    assert!(text(&done.stdout).starts_with("The change second is half undone"));
    assert!(!folder.path().join("etc/other").exists());
    assert_eq!(modules(&folder), "loop\nvfio\n");
}

#[test]
fn an_esp_that_lies_where_another_place_does_is_refused() {
    let folder = changed();
    let esp = tempfile::tempdir_in(folder.path()).unwrap();
    let given = format!("1234={}", esp.path().display());
    let refused = undo(folder.path(), &["--yes", "--esp", &given]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(
        text(&refused.stderr).contains("/ and the ESP 1234 are on one file system"),
        "{refused:?}"
    );
    assert_eq!(modules(&folder), "loop\nvfio\n");
}

#[test]
fn an_esp_of_the_change_that_nobody_has_named_is_asked_for() {
    let (folder, places, mut set, mut contents) = system();
    let esp = tempfile::tempdir().unwrap();
    let place = PlaceId::Esp("1234-02".to_owned());
    let text = b"default old\n".to_vec();
    set.files.push(FileChange {
        place: place.clone(),
        path: "/note.txt".to_owned(),
        role: Role::Plain,
        before: None,
        after: Some(FileState {
            digest: Digest::of(&text),
            size: text.len() as u64,
            attributes: None,
        }),
        between: None,
    });
    contents.add(text);
    let root = Root::open(esp.path()).unwrap();
    let durability = Durability::Synced;
    let places = places.with(place, Place { root, durability });
    apply(&places, set, &contents, &mut unwatched).unwrap();
    assert!(esp.path().join("note.txt").exists());

    let refused = undo(folder.path(), &["--yes"]);
    assert_eq!(refused.status.code(), Some(2));
    let why = String::from_utf8(refused.stderr).unwrap();
    for words in ["/dev/disk/by-partuuid/1234-02", "--esp 1234-02=DIR"] {
        assert!(why.contains(words), "{why}");
    }
    assert_eq!(modules(&folder), "loop\nvfio\n");
}
