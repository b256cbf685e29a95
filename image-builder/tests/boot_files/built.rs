//! What the builders print for programs agrees with the files that they have written.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use image_builder::apt::{Request, cached_tree};
use image_builder::inspect::{Content, StoredFile, inspect};
use image_builder::iso::Xorriso;
use serde_json::Value;

use crate::parts::{Parts, skip};
use crate::{disk, esp};

/// Runs a subcommand with the kernel and initramfs of these parts; what it prints for programs.
fn built(parts: &Parts, subcommand: &str, output: &Path) -> Value {
    let mut command = Command::new(env!("CARGO_BIN_EXE_image-builder"));
    command
        .arg(subcommand)
        .arg("--kernel")
        .arg(&parts.recipe.kernel);
    command.arg("--initramfs").arg(&parts.recipe.initramfs);
    command.args(["--format", "json", "--output"]).arg(output);
    let said = command.output().unwrap();
    assert!(said.status.success(), "{said:?}");
    serde_json::from_slice(&said.stdout).unwrap()
}

/// Length and digest of each file by path; no digest where a tool has changed the file after it was listed.
type Files = BTreeMap<String, (u64, Option<String>)>;

fn told(document: &Value) -> Files {
    let files = document["files"].as_array().unwrap().iter();
    let line = |file: &Value| {
        let path = file["path"].as_str().unwrap().to_owned();
        let digest = file.get("sha256").map(|it| it.as_str().unwrap().to_owned());
        (path, (file["bytes"].as_u64().unwrap(), digest))
    };
    files.map(line).collect()
}

fn there(files: &[StoredFile]) -> Files {
    let line = |file: &StoredFile| (file.path.clone(), (file.bytes, file.sha256.clone()));
    files.iter().map(line).collect()
}

#[test]
fn what_is_told_of_a_stick_is_on_it() {
    let Some(parts) = Parts::new() else {
        return;
    };
    let image = parts.path("stick.img");
    let document = built(&parts, "usb", &image);
    assert_eq!(document["schema"], "preflight.usb/1");
    let length = fs::metadata(&image).unwrap().len();
    assert_eq!(
        (&document["bytes"], &document["written"]),
        (&length.into(), &length.into())
    );
    let seen = disk(inspect(&image).unwrap().content);
    assert_eq!(told(&document), there(esp(&seen)));
    let partitions = document["partitions"].as_array().unwrap().iter();
    let partitions = partitions.map(|part| (part["name"].clone(), part["start"].clone()));
    let seen = seen.partitions.iter();
    let seen = seen.map(|part| (part.name.clone().into(), part.start.into()));
    assert!(partitions.eq(seen));
}

#[test]
fn what_is_told_of_a_cd_is_on_it() {
    let Some(parts) = Parts::new() else {
        return;
    };
    if let Err(error) = Xorriso::fetch(&parts.cache) {
        return skip(&error.to_string());
    }
    let image = parts.path("cd.iso");
    let document = built(&parts, "iso", &image);
    assert_eq!(document["schema"], "preflight.iso/1");
    assert_eq!(document["bytes"], fs::metadata(&image).unwrap().len());
    let Content::Iso(iso) = inspect(&image).unwrap().content else {
        panic!("it is a CD");
    };
    let seen = there(&iso.files);
    for (path, (bytes, digest)) in told(&document) {
        let (there, sum) = seen.get(&path).unwrap_or_else(|| panic!("no {path}"));
        assert_eq!(bytes, *there, "{path}");
        assert!(digest.is_none() || digest == *sum, "{path}");
    }
}

#[test]
fn what_is_told_of_a_unified_kernel_image_is_in_it() {
    let Some(parts) = Parts::new() else {
        return;
    };
    if let Err(error) = cached_tree(&parts.cache, &Request::new(["systemd-boot-efi"])) {
        return skip(&error.to_string());
    }
    let image = parts.path("preflight.efi");
    let document = built(&parts, "uki", &image);
    assert_eq!(document["schema"], "preflight.uki/1");
    assert_eq!(document["signed"], false);
    let bytes = fs::read(&image).unwrap();
    assert_eq!(document["bytes"], bytes.len());
    let Content::EfiProgram(program) = inspect(&image).unwrap().content else {
        panic!("it is a program for UEFI");
    };
    let unified = program.unified.unwrap();
    assert_eq!(
        (&document["command_line"], &document["kernel"]),
        (
            &unified.command_line.unwrap().into(),
            &unified.release.unwrap().into()
        )
    );
}
