//! What needs file systems of its own: in a mount namespace, where a test may mount.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::fs;
use std::path::Path;
use std::process::Command;

use storage::Root;
use tempfile::TempDir;

use crate::{
    ApplyError, ChangeSet, Durability, FileChange, Memory, Place, PlaceId, Places, Role, apply,
    state_of, unwatched,
};

/// Set inside, to the folder that the test works in.
const INSIDE: &str = "PREFLIGHT_TEST_MOUNTED";

fn skip(why: &str) {
    let is = |name: &str, value: &str| std::env::var(name).is_ok_and(|set| set == value);
    let complete = is("CI", "true") || is("PREFLIGHT_LAB", "complete");
    assert!(!complete, "nothing may be skipped here: {why}");
    println!("skipped: {why}");
}

/// Runs the test of this name once more where `mounts` have been done in its folder, `$1`. `run` is put before it.
fn outside(name: &str, mounts: &str, run: &str) -> Option<TempDir> {
    let folder = tempfile::tempdir().unwrap();
    for inside in ["var", "etc", "esp"] {
        fs::create_dir_all(folder.path().join("root").join(inside)).unwrap();
    }
    fs::write(folder.path().join("root/etc/modules"), "loop\n").unwrap();
    let mut command = Command::new("unshare");
    command.arg("--mount");
    if !nix::unistd::geteuid().is_root() {
        command.arg("--map-root-user");
    }
    let script =
        format!("{{ {mounts}; }} >&2 || exit 77; exec {run} \"$2\" --exact \"$3\" --nocapture");
    command
        .args(["sh", "-ec", &script, "sh"])
        .arg(folder.path());
    command.arg(std::env::current_exe().unwrap());
    command.arg(format!("tests::mounted::{name}"));
    let output = match command.env(INSIDE, folder.path()).output() {
        Ok(output) => output,
        Err(error) => {
            skip(&format!("unshare: {error}"));
            return None;
        }
    };
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.code() == Some(77) || said.starts_with("unshare: ") {
        skip(&format!("file systems cannot be mounted: {said}"));
        return None;
    }
    assert!(output.status.success(), "{output:?}");
    Some(folder)
}

fn inside() -> Option<std::path::PathBuf> {
    std::env::var_os(INSIDE).map(Into::into)
}

fn root_of(folder: &Path) -> Places {
    let id = PlaceId::root();
    let place = Place::at(&id, Root::open(&folder.join("root")).unwrap()).unwrap();
    Places::default().with(id, place)
}

/// A line more in a file.
fn change(places: &Places, path: &str) -> (ChangeSet, Memory) {
    let root = &places.root().unwrap().root;
    let before = state_of(root, &PlaceId::root(), path).unwrap();
    let mut contents = Memory::default();
    let bytes = b"loop\nvfio\n".to_vec();
    let after = before.map(|before| crate::FileState {
        size: bytes.len() as u64,
        digest: contents.add(bytes),
        ..before
    });
    let file = FileChange {
        place: PlaceId::root(),
        path: path.to_owned(),
        role: Role::Plain,
        before,
        after,
        between: None,
    };
    let set = ChangeSet {
        entries: Vec::new(),
        id: "one".parse().unwrap(),
        folders: Vec::new(),
        files: vec![file],
    };
    (set, contents)
}

const VAR: &str = "mount -t tmpfs -o size=32m none \"$1/root/var\"";

#[test]
fn the_file_system_of_the_receipts_is_synced_too() {
    let Some(folder) = inside() else {
        let strace = "strace -f -qq -y -e trace=syncfs -o \"$1/trace\"";
        let name = "the_file_system_of_the_receipts_is_synced_too";
        if Command::new("strace").arg("-V").output().is_err() {
            return skip("there is no strace");
        }
        let Some(folder) = outside(name, VAR, strace) else {
            return;
        };
        let trace = fs::read_to_string(folder.path().join("trace")).unwrap();
        let synced = |path: &str| {
            let path = folder.path().join(path);
            trace.matches(&format!("<{}>)", path.display())).count()
        };
        // The journal, the receipt, and the journal's end.
        assert!(synced("root/var/lib/preflight/one") >= 3, "{trace}");
        assert!(synced("root") >= 3, "{trace}");
        return;
    };
    let places = root_of(&folder);
    let (set, contents) = change(&places, "/etc/modules");
    apply(&places, set, &contents, &mut unwatched).unwrap();
}

#[test]
fn receipts_without_room_are_refused_before_anything_is_written() {
    let Some(folder) = inside() else {
        let name = "receipts_without_room_are_refused_before_anything_is_written";
        let small = VAR.replace("32m", "512k");
        outside(name, &small, "");
        return;
    };
    let places = root_of(&folder);
    let (set, contents) = change(&places, "/etc/modules");
    let error = apply(&places, set, &contents, &mut unwatched).unwrap_err();
    let ApplyError::NoRoom { place, .. } = &error else {
        panic!("{error}")
    };
    assert_eq!(place.to_string(), "/var/lib/preflight");
    assert_eq!(fs::read_dir(folder.join("root/var")).unwrap().count(), 0);
}

#[test]
fn a_file_on_what_is_mounted_in_a_place_is_none_of_that_place() {
    let Some(folder) = inside() else {
        let name = "a_file_on_what_is_mounted_in_a_place_is_none_of_that_place";
        outside(
            name,
            &format!("{VAR}; echo loop > \"$1/root/var/file\""),
            "",
        );
        return;
    };
    let places = root_of(&folder);
    let (set, contents) = change(&places, "/var/file");
    let error = apply(&places, set, &contents, &mut unwatched).unwrap_err();
    assert_eq!(
        error.to_string(),
        "/var/file cannot be read: it is on another file system, which is mounted there"
    );
}

#[test]
fn a_place_is_frozen_when_it_is_a_mount_point_also_of_what_is_mounted_elsewhere() {
    let Some(folder) = inside() else {
        let name = "a_place_is_frozen_when_it_is_a_mount_point_also_of_what_is_mounted_elsewhere";
        outside(name, "mount --bind \"$1/root/esp\" \"$1/root/esp\"", "");
        return;
    };
    let esp = PlaceId::Esp("x".to_owned());
    let at = |path: &str| Place::at(&esp, Root::open(&folder.join(path)).unwrap()).unwrap();
    assert_eq!(at("root").durability, Durability::Synced);
    assert_eq!(at("root/etc").durability, Durability::Synced);
    assert_eq!(at("root/esp").durability, Durability::Checkpointed);
    assert_eq!(at("/").durability, Durability::Checkpointed);
    let places = root_of(&folder).with(esp.clone(), at("root/esp"));
    assert_eq!(
        places.are_apart().unwrap_err().to_string(),
        "/ and the ESP x are on one file system; say for each where it is itself mounted"
    );
}
