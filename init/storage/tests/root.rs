//! Paths in a hostile root: none leads outside, nothing but regular files is opened, nothing hangs.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use nix::sys::stat::Mode;
use proptest::prelude::*;
use storage::{Kind, Root, RootError};
use tempfile::TempDir;

/// A root with a file, and beside the root a file that must never be read.
struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("outside"), "secret").unwrap();
        fs::create_dir_all(folder.path().join("root/etc")).unwrap();
        fs::write(folder.path().join("root/etc/hostname"), "pve1\n").unwrap();
        Self { folder }
    }

    fn at(&self, path: &str) -> PathBuf {
        self.folder.path().join("root").join(path)
    }

    fn root(&self) -> Root {
        Root::open(&self.at("")).unwrap()
    }
}

#[test]
fn absolute_links_and_any_number_of_dots_end_inside_the_root() {
    let place = Place::new();
    symlink("/etc/hostname", place.at("absolute")).unwrap();
    symlink("../../../../../../etc/hostname", place.at("upward")).unwrap();
    symlink("/", place.at("top")).unwrap();
    let root = place.root();
    for path in [
        "absolute",
        "/absolute",
        "upward",
        "top/top/etc/hostname",
        "/../../etc/hostname",
    ] {
        assert_eq!(root.read(path, 100).unwrap(), b"pve1\n", "{path}");
    }
    assert_eq!(root.link("absolute").unwrap(), Path::new("/etc/hostname"));
}

#[test]
fn a_link_to_a_file_outside_finds_nothing() {
    let place = Place::new();
    let outside = place.folder.path().join("outside");
    symlink(&outside, place.at("absolute")).unwrap();
    symlink("../outside", place.at("relative")).unwrap();
    symlink("/proc/self/root/etc/hostname", place.at("magic")).unwrap();
    for path in ["absolute", "relative", "magic", "../outside"] {
        let error = place.root().read(path, 100).unwrap_err();
        assert!(error.is_missing(), "{path}: {error}");
    }
}

#[test]
fn a_magic_link_of_a_mounted_proc_is_not_followed() {
    let root = Root::open(Path::new("/proc")).unwrap();
    assert!(root.read("self/root/etc/hostname", 100).is_err());
    assert!(root.read("self/cwd/Cargo.toml", 100_000).is_err());
    assert!(!root.read("self/status", 100_000).unwrap().is_empty());
}

#[test]
fn a_loop_of_links_is_named() {
    let place = Place::new();
    symlink("b", place.at("a")).unwrap();
    symlink("a", place.at("b")).unwrap();
    let error = place.root().read("a", 100).unwrap_err();
    assert!(matches!(error, RootError::Loop(_)), "{error}");
    assert_eq!(place.root().kind_of_entry("a").unwrap(), Kind::Link);
}

#[test]
fn a_pipe_or_a_folder_in_the_place_of_a_file_is_refused_without_opening_it() {
    let place = Place::new();
    nix::unistd::mkfifo(&place.at("pipe"), Mode::S_IRUSR | Mode::S_IWUSR).unwrap();
    let root = place.root();
    for (path, words) in [("pipe", "a named pipe"), ("etc", "a folder")] {
        let error = root.read(path, 100).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
    // A device too, where there is one to be had: opening a watchdog arms it.
    let devices = Root::open(Path::new("/dev")).unwrap();
    assert!(matches!(
        devices.read("null", 1),
        Err(RootError::Wrong {
            kind: Kind::Device,
            ..
        })
    ));
}

#[test]
fn a_huge_file_is_refused_and_costs_nothing() {
    let place = Place::new();
    let file = fs::File::create(place.at("huge")).unwrap();
    file.set_len(1 << 40).unwrap();
    let error = place.root().read("huge", 1 << 20).unwrap_err();
    assert!(
        matches!(
            error,
            RootError::TooLarge {
                limit: 1_048_576,
                ..
            }
        ),
        "{error}"
    );
    fs::write(place.at("just"), [7; 100]).unwrap();
    assert_eq!(place.root().read("just", 100).unwrap().len(), 100);
    assert!(place.root().read("just", 99).is_err());
}

#[test]
fn names_that_are_no_text_are_listed_and_read() {
    let place = Place::new();
    let name = OsStr::from_bytes(b"etc/caf\xe9.conf");
    fs::write(place.at("").join(name), "x").unwrap();
    let names = place.root().list("etc").unwrap();
    assert_eq!(
        names,
        [OsStr::from_bytes(b"caf\xe9.conf"), OsStr::new("hostname")]
    );
    assert_eq!(place.root().read(name, 10).unwrap(), b"x");
}

#[test]
fn a_folder_inside_is_a_root_of_its_own() {
    let place = Place::new();
    symlink("/etc/hostname", place.at("etc/link")).unwrap();
    let inner = place.root().folder("/etc").unwrap();
    assert_eq!(inner.path(), place.at("etc"));
    assert!(inner.read("link", 100).unwrap_err().is_missing());
    assert!(inner.read("../etc/hostname", 100).unwrap_err().is_missing());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn no_link_of_any_text_reads_what_is_outside(
        target in "(/|\\.\\./|\\./|etc/|root/|proc/self/root/|outside|hostname){1,12}",
        path in "(/|\\.\\./|link/|link){1,6}",
    ) {
        let place = Place::new();
        symlink(&target, place.at("link")).unwrap();
        if let Ok(bytes) = place.root().read(&path, 1000) {
            prop_assert_eq!(bytes, b"pve1\n");
        }
    }
}
