//! Firmware comes only for the modules that are carried, and only from where a person says.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::{Sample, built, refusal};
use image_builder::firmware::Missing;
use image_builder::initramfs::{self, Recipe};

/// A module that asks for three files, one of them by a pattern, and one that is not carried.
fn sample() -> Sample {
    let sample = Sample::new();
    let wants = ["card/a.bin", "b.bin", "card/v*.fw", "../../init"];
    let wants = wants.map(|name| format!("firmware={name}"));
    let wants: Vec<&str> = wants.iter().map(String::as_str).collect();
    sample.add("drivers/scsi/card.ko", &wants);
    sample.add("drivers/net/other.ko", &["firmware=other.bin"]);
    sample
}

/// The root of a package: plain, compressed, behind a link, and what nobody asks for.
fn package(folder: &Path) -> PathBuf {
    let root = folder.join("package");
    let firmware = root.join("usr/lib/firmware");
    fs::create_dir_all(firmware.join("card")).unwrap();
    let write = |name: &str, content: &[u8]| fs::write(firmware.join(name), content).unwrap();
    write(
        "card/real.bin.xz",
        &liblzma::encode_all(b"A".as_slice(), 1).unwrap(),
    );
    symlink("real.bin.xz", firmware.join("card/a.bin.xz")).unwrap();
    write("b.bin", b"B");
    write(
        "card/v1.fw.zst",
        &zstd::encode_all(b"V".as_slice(), 1).unwrap(),
    );
    write("other.bin", b"other");
    let document = root.join("usr/share/doc/firmware-card");
    fs::create_dir_all(&document).unwrap();
    let text = "Format: 1.0\n\nFiles: *\nLicense: Card\n";
    fs::write(document.join("copyright"), text).unwrap();
    root
}

fn deb(root: &Path) -> PathBuf {
    fs::create_dir_all(root.join("DEBIAN")).unwrap();
    let control = "Package: firmware-card\nVersion: 1\nArchitecture: all\nMaintainer: a <a@b>\n\
                   Description: firmware\n";
    fs::write(root.join("DEBIAN/control"), control).unwrap();
    let file = root.with_file_name("firmware-card_1_all.deb");
    let mut command = Command::new("dpkg-deb");
    command
        .arg("--root-owner-group")
        .arg("--build")
        .arg(root)
        .arg(&file);
    assert!(command.output().unwrap().status.success());
    file
}

fn recipe(sample: &Sample, firmware: &Path) -> Recipe {
    let mut recipe = sample.recipe("[disks]\ncard\n");
    recipe.firmware = vec![firmware.to_owned()];
    recipe
}

#[test]
fn what_carried_modules_ask_for_comes_unpacked_from_a_package_or_a_folder() {
    let (sample, folder) = (sample(), tempfile::tempdir().unwrap());
    let root = package(folder.path());
    for source in [root.clone(), root.join("usr/lib/firmware"), deb(&root)] {
        let entries = built(&recipe(&sample, &source));
        let carried: Vec<_> = entries
            .iter()
            .filter_map(|(path, entry)| {
                Some((path.strip_prefix("lib/firmware/")?, &*entry.content))
            })
            .filter(|(path, _)| path.contains('.'))
            .collect();
        let expected: [(&str, &[u8]); 3] =
            [("b.bin", b"B"), ("card/a.bin", b"A"), ("card/v1.fw", b"V")];
        assert_eq!(carried, expected, "{}", source.display());
        if source.is_dir() {
            continue;
        }
        let manifest = &entries
            .get("usr/share/preflight/manifest.json")
            .unwrap()
            .content;
        let manifest: serde_json::Value = serde_json::from_slice(manifest).unwrap();
        let mut files = manifest["files"].as_array().unwrap().iter();
        let line = files
            .find(|file| file["path"] == "/lib/firmware/card/a.bin")
            .unwrap();
        assert_eq!(
            (&line["reason"], &line["package"]),
            (&"firmware".into(), &"firmware-card".into())
        );
        assert_eq!(manifest["packages"]["firmware-card"]["licenses"][0], "Card");
        assert!(entries.contains_key("usr/share/preflight/licenses/firmware-card"));
    }
}

#[test]
fn what_is_not_carried_is_named() {
    let (sample, folder) = (sample(), tempfile::tempdir().unwrap());
    let missing = |recipe: &Recipe| {
        let output = folder.path().join("image");
        initramfs::build(recipe, &output, &|_| {})
            .unwrap()
            .firmware_missing
    };
    let of_card = |files: &[&str]| Missing {
        module: "card".to_owned(),
        files: files.iter().map(|&file| file.to_owned()).collect(),
    };
    let plain = sample.recipe("[disks]\ncard\n");
    assert_eq!(
        missing(&plain),
        [of_card(&["card/a.bin", "b.bin", "card/v*.fw"])]
    );
    let root = package(folder.path());
    fs::remove_file(root.join("usr/lib/firmware/b.bin")).unwrap();
    assert_eq!(missing(&recipe(&sample, &root)), [of_card(&["b.bin"])]);
}

#[test]
fn a_source_of_nothing_that_is_wanted_ends_the_build() {
    let (sample, folder) = (sample(), tempfile::tempdir().unwrap());
    let error = refusal(&recipe(&sample, folder.path()));
    assert!(error.contains("has no lib/firmware"), "{error}");
    fs::create_dir_all(folder.path().join("lib/firmware")).unwrap();
    let error = refusal(&recipe(&sample, folder.path()));
    assert!(error.contains("has none of the firmware"), "{error}");
}
