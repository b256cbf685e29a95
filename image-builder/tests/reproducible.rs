//! The same inputs give the same bytes.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::{Sample, static_program};

const BUILDER: &str = env!("CARGO_BIN_EXE_image-builder");
const LIST: &str = "[disks]\nahci\ndrivers/ata/*\n[file systems]\next4\n";

/// Builds as another person with other habits would.
fn build(home: &Path, umask: &str, zone: &str, epoch: Option<&str>) -> PathBuf {
    let sample = Sample::new();
    fs::create_dir_all(home).unwrap();
    fs::write(home.join("list"), LIST).unwrap();
    fs::write(home.join("pci.ids"), "8086  Intel Corporation\n").unwrap();
    fs::write(home.join("preflight"), static_program()).unwrap();
    let mut command = Command::new("sh");
    command
        .arg("-c")
        .arg("umask $0; exec \"$@\"")
        .arg(umask)
        .args([BUILDER, "initramfs", "--init", "preflight"])
        .args([
            "--modules-list",
            "list",
            "--pci-ids",
            "pci.ids",
            "-o",
            "out/image",
        ])
        .arg("--kernel")
        .arg(sample.root())
        .args(["--add-binary", "/bin/sh:/bin/sh"])
        .current_dir(home)
        .env("TZ", zone)
        .env("HOME", home)
        .env_remove("SOURCE_DATE_EPOCH");
    if let Some(epoch) = epoch {
        command.env("SOURCE_DATE_EPOCH", epoch);
    }
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    home.join("out/image")
}

#[test]
fn two_builds_in_two_folders_are_equal() {
    let folder = tempfile::tempdir().unwrap();
    let first = build(&folder.path().join("a"), "022", "UTC", None);
    let second = build(&folder.path().join("b/c"), "077", "Asia/Tokyo", None);
    assert!(fs::read(first).unwrap() == fs::read(second).unwrap());
}

#[test]
fn the_date_of_the_source_is_the_time_of_every_file() {
    let folder = tempfile::tempdir().unwrap();
    let image = build(folder.path(), "022", "UTC", Some("1700000000"));
    for entry in common::unpack(&image) {
        assert_eq!(
            entry.header.mtime(),
            1_700_000_000,
            "{}",
            entry.header.name()
        );
    }
}

#[test]
fn entries_are_sorted_and_numbered() {
    let folder = tempfile::tempdir().unwrap();
    let entries = common::unpack(&build(folder.path(), "022", "UTC", None));
    let names: Vec<_> = entries.iter().map(|entry| entry.header.name()).collect();
    assert!(names.is_sorted());
    let inodes: Vec<_> = entries
        .iter()
        .map(|entry| entry.header.ino() as usize)
        .collect();
    assert_eq!(inodes, (1..=entries.len()).collect::<Vec<_>>());
}
