//! The folder for booting by network.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

const BUILDER: &str = env!("CARGO_BIN_EXE_image-builder");

/// What stands for a kernel: it has the magic number of one, and a version.
fn kernel() -> Vec<u8> {
    let mut kernel = vec![0; 4096];
    kernel[0x202..0x206].copy_from_slice(b"HdrS");
    kernel[0x20e..0x210].copy_from_slice(&0x100_u16.to_le_bytes());
    kernel[0x300..0x30b].copy_from_slice(b"6.1.0-test ");
    kernel
}

fn build(folder: &Path, kernel: &[u8], more: &[&str]) -> Output {
    fs::write(folder.join("kernel"), kernel).unwrap();
    fs::write(folder.join("initramfs"), "070701").unwrap();
    let mut command = Command::new(BUILDER);
    command.arg("netboot").current_dir(folder);
    command.args([
        "--kernel",
        "kernel",
        "--initramfs",
        "initramfs",
        "-o",
        "served",
    ]);
    command.args(more).output().unwrap()
}

#[test]
fn kernel_initramfs_and_script_lie_in_one_folder() {
    let folder = tempfile::tempdir().unwrap();
    let output = build(
        folder.path(),
        &kernel(),
        &["--kernel-option", "quiet", "--format", "json"],
    );
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&json["schema"], &json["kernel"]),
        (&"preflight.netboot/1".into(), &"6.1.0-test".into())
    );
    let served = folder.path().join("served");
    assert!(fs::read(served.join("vmlinuz")).unwrap() == kernel());
    assert_eq!(fs::read(served.join("initramfs.img")).unwrap(), b"070701");
    let script = fs::read_to_string(served.join("preflight.ipxe")).unwrap();
    assert_eq!(
        script.matches(" quiet || goto failed").count(),
        4,
        "{script}"
    );
    let files = json["files"].as_array().unwrap();
    let names: Vec<_> = files
        .iter()
        .map(|file| file["path"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "licenses/manifest.json",
            "vmlinuz",
            "initramfs.img",
            "preflight.ipxe"
        ]
    );
    let manifest = fs::read(served.join("licenses/manifest.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
    let builder = concat!("image-builder ", env!("CARGO_PKG_VERSION"));
    assert_eq!(manifest["builder"], builder);
    let lines = manifest["files"].as_array().unwrap();
    assert_eq!(lines.len(), files.len() - 1);
    for (line, built) in lines.iter().zip(&files[1..]) {
        assert_eq!(
            (&line["path"], &line["sha256"]),
            (&built["path"], &built["sha256"])
        );
        assert_ne!(line["reason"], "", "{line}");
    }
}

#[test]
fn nothing_is_written_for_what_is_no_kernel_or_an_option_that_ipxe_cannot_be_told() {
    let folder = tempfile::tempdir().unwrap();
    let refusals = [
        (
            build(folder.path(), b"no kernel", &[]),
            "kernel is no Linux kernel",
        ),
        (
            build(
                folder.path(),
                &kernel(),
                &["--kernel-option", "a=${net0/ip}"],
            ),
            "a=${net0/ip}",
        ),
    ];
    for (output, words) in refusals {
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && error.contains(words), "{error}");
        assert!(!folder.path().join("served").exists());
    }
}
