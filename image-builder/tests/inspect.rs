//! What `inspect` says about files that the builder itself has made, as a person gets to read it.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

mod common;

use std::fs;
use std::path::Path;
use std::process::Command;

use common::{RELEASE, Sample};
use image_builder::inspect::{Content, Initramfs, Maker, inspect};

const BUILDER: &str = env!("CARGO_BIN_EXE_image-builder");
const LIST: &str = "[disks]\nahci\n[file systems]\next4\n";

fn build(folder: &Path) -> std::path::PathBuf {
    let output = folder.join("initramfs.img");
    let recipe = Sample::new();
    let recipe = recipe.recipe(LIST);
    image_builder::initramfs::build(&recipe, &output, &|_| {}).unwrap();
    output
}

fn said(file: &Path, format: &str) -> (bool, String, String) {
    let output = Command::new(BUILDER)
        .arg("inspect")
        .arg(file)
        .args(["--format", format])
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.success(),
        text(output.stdout),
        text(output.stderr),
    )
}

#[test]
fn our_image_says_why_each_module_is_there_and_agrees_with_its_manifest() {
    let folder = tempfile::tempdir().unwrap();
    let inspected = inspect(&build(folder.path())).unwrap();
    let Content::Initramfs(Initramfs {
        maker,
        modules,
        differences,
        releases,
        broken,
        ..
    }) = inspected.content
    else {
        unreachable!("it is an initramfs");
    };
    assert_eq!((maker, broken), (Some(Maker::Preflight), None));
    assert_eq!(differences, Vec::<String>::new());
    assert_eq!(
        (releases[0].release.as_str(), releases[0].modules),
        (RELEASE, 6)
    );
    let why = |name: &str| {
        let module = modules.iter().find(|module| module.name == name);
        module.unwrap().because.clone().unwrap()
    };
    assert_eq!(why("ahci"), "listed in disks: ahci");
    assert_eq!(why("libata"), "needed by ahci");
    assert_eq!(why("crc32c_generic"), "wanted by jbd2");
}

#[test]
fn the_text_fits_a_terminal_and_the_json_has_a_schema() {
    let folder = tempfile::tempdir().unwrap();
    let file = build(folder.path());
    let (success, text, _) = said(&file, "text");
    assert!(success);
    for line in text.lines().skip(1) {
        assert!(line.chars().count() <= 80, "{line}");
        assert_eq!(line.trim_end(), line);
    }
    for words in [
        "made by Preflight",
        "modules: disks",
        "needed by ahci",
        RELEASE,
    ] {
        assert!(text.contains(words), "{words} is missing in:\n{text}");
    }
    let (_, json, _) = said(&file, "json");
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["schema"], "preflight.inspect/1");
    assert_eq!(json["kind"], "initramfs");
    assert_eq!(json["segments"][0]["compression"], "zstd");
    assert_eq!(json["bytes"], fs::metadata(&file).unwrap().len());
}

#[test]
fn a_file_of_another_kind_is_refused_with_the_kinds_that_are_known() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("letter.txt");
    fs::write(&file, "Dear reader,\n").unwrap();
    let (success, _, error) = said(&file, "text");
    assert!(!success);
    assert!(
        error.contains("letter.txt is none of these: an initramfs"),
        "{error}"
    );
    let (success, _, error) = said(&folder.path().join("missing"), "text");
    assert!(!success && error.contains("cannot open"), "{error}");
}
