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
    for format in ["text", "spdx"] {
        let (success, _, error) = said(folder.path(), format);
        assert!(!success && error.contains("cannot read"), "{error}");
        assert!(error.contains("directory"), "{error}");
    }
}

#[test]
fn a_file_that_is_too_large_for_a_kernel_is_refused_unless_it_is_an_image_of_a_disk() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large");
    let mut kernel = vec![0; 4096];
    kernel[0x202..0x206].copy_from_slice(b"HdrS");
    fs::write(&path, kernel).unwrap();
    assert!(said(&path, "text").0);
    let file = fs::File::options().write(true).open(&path).unwrap();
    file.set_len((1 << 30) + 1).unwrap();
    let (success, _, error) = said(&path, "text");
    assert!(
        !success && error.contains("large has 1073741825 bytes"),
        "{error}"
    );
}

#[test]
fn the_bill_of_materials_names_every_file_with_its_digests_and_what_it_is_from() {
    let folder = tempfile::tempdir().unwrap();
    let sample = Sample::new();
    let write = |path: &str, bytes: &[u8]| {
        let path = sample.root().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    };
    let doc = format!("usr/share/doc/linux-image-{RELEASE}");
    write(
        &format!("{doc}/copyright"),
        b"Format: 1.0\n\nFiles: *\nLicense: GPL-2\n",
    );
    let changelog = b"linux (6.1.0-1) unstable; urgency=low\n";
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut packed, changelog).unwrap();
    write(&format!("{doc}/changelog.gz"), &packed.finish().unwrap());
    sample.add(
        "drivers/ata/ahci.ko",
        &["depends=libata", "license=Dual BSD/GPL"],
    );
    let file = folder.path().join("initramfs.img");
    image_builder::initramfs::build(&sample.recipe(LIST), &file, &|_| {}).unwrap();

    let (success, bill, error) = said(&file, "spdx");
    assert!(success, "{error}");
    let bill: serde_json::Value = serde_json::from_str(&bill).unwrap();
    assert_eq!(bill["spdxVersion"], "SPDX-2.3");
    assert_eq!(bill["creationInfo"]["created"], "1970-01-01T00:00:00Z");
    let package = &bill["packages"][0];
    assert_eq!(package["name"], format!("linux-image-{RELEASE}"));
    assert_eq!(
        (&package["versionInfo"], &package["licenseDeclared"]),
        (&"6.1.0-1".into(), &"GPL-2.0-only".into())
    );
    let files = bill["files"].as_array().unwrap();
    let entries = common::unpack(&file);
    let regular = entries
        .iter()
        .filter(|entry| entry.header.mode() & 0o170_000 == 0o100_000);
    assert_eq!(files.len(), regular.count());
    let named = |name: &str| {
        files
            .iter()
            .find(|file| file["fileName"].as_str().unwrap().ends_with(name))
            .unwrap()
    };
    let ahci = named("/ahci.ko");
    assert_eq!(ahci["licenseInfoInFiles"][0], "LicenseRef-Dual-BSD-GPL");
    assert_eq!(
        named("./init")["licenseInfoInFiles"][0],
        "MIT OR Apache-2.0"
    );
    let mut lines = bill["relationships"].as_array().unwrap().iter();
    assert!(
        lines.any(|line| line["relationshipType"] == "GENERATED_FROM"
            && line["spdxElementId"] == ahci["SPDXID"]
            && line["relatedSpdxElement"] == package["SPDXID"])
    );
    // Every identifier that is used is one that is defined, each once.
    let ids: Vec<_> = files
        .iter()
        .chain([package])
        .map(|part| &part["SPDXID"])
        .collect();
    let unique: std::collections::BTreeSet<_> = ids.iter().map(|id| id.as_str().unwrap()).collect();
    assert_eq!(unique.len(), ids.len());
    for line in bill["relationships"].as_array().unwrap() {
        assert!(
            unique.contains(line["relatedSpdxElement"].as_str().unwrap()),
            "{line}"
        );
    }
}

#[test]
fn an_image_of_another_maker_has_no_bill_of_materials() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("initrd.img");
    let mut archive = Vec::new();
    cpio::newc::trailer(&mut archive).unwrap();
    fs::write(&file, archive).unwrap();
    let (success, _, error) = said(&file, "spdx");
    assert!(!success && error.contains("has no manifest"), "{error}");
}
