//! The same inputs give the same bytes.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::{Sample, static_program};
use image_builder::cache::Cache;
use image_builder::medium::Recipe;
use image_builder::{netboot, uki};

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
        .args(["--with", "none", "--add-binary", "/bin/sh:/bin/sh"])
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

/// A recipe of what looks like a kernel and an initramfs, in a folder that is made.
fn medium(folder: &Path) -> Recipe {
    fs::create_dir_all(folder).unwrap();
    let [kernel, initramfs] = ["kernel", "initramfs"].map(|name| folder.join(name));
    let mut looks_like_one = vec![0x5a; 1 << 20];
    looks_like_one.splice(0x202..0x206, *b"HdrS");
    fs::write(&kernel, looks_like_one).unwrap();
    fs::write(&initramfs, [b"070701".as_slice(), &[0xa5; 5000]].concat()).unwrap();
    Recipe {
        kernel,
        initramfs,
        kernel_options: vec!["quiet".to_owned()],
        uki: None,
        modified: 0,
    }
}

#[test]
fn two_folders_for_the_network_are_equal() {
    let folder = tempfile::tempdir().unwrap();
    let served = ["a", "b/c"].map(|name| {
        let home = folder.path().join(name);
        let to = home.join("served");
        let built = netboot::build(&medium(&home), &to).unwrap().files;
        let file = |path: String| (fs::read(to.join(&path)).unwrap(), path);
        built
            .into_iter()
            .map(|file| file.path)
            .map(file)
            .collect::<Vec<_>>()
    });
    let [first, second] = &served;
    assert_eq!(first.len(), 4);
    assert!(first == second);
}

#[test]
fn two_unified_kernel_images_are_equal() {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::open().unwrap();
    let mut images = Vec::new();
    for name in ["a", "b/c"] {
        let home = folder.path().join(name);
        let (recipe, image) = (medium(&home), home.join("preflight.efi"));
        if let Err(error) = uki::build(&recipe, "assess", None, &cache, &image, &|_| {}) {
            let must_run = std::env::var_os("CI").is_some();
            assert!(!must_run, "CI has all that is needed: {error}");
            return eprintln!("skipped: {error}");
        }
        images.push(fs::read(image).unwrap());
    }
    assert!(images.first() == images.last());
}
