//! `preflight plan` on a folder: what it prints, how it exits, and that it writes nothing.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

mod roots;

use roots::put;

const PROGRAM: &str = env!("CARGO_BIN_EXE_preflight");
const GRUB: &str = "# \u{e4}\nGRUB_CMDLINE_LINUX_DEFAULT='quiet'\n";

/// A Debian host with one kernel, started by GRUB.
fn host(folder: &Path) -> PathBuf {
    let root = folder.join("root");
    for (path, content) in [
        ("etc/os-release", "ID=debian\nPRETTY_NAME=\"Debian 12\"\n"),
        ("etc/default/grub", GRUB),
        ("etc/initramfs-tools/modules", ""),
        ("usr/sbin/mkinitramfs", ""),
        ("boot/vmlinuz-6.1.0-9-amd64", "kernel"),
        ("boot/config-6.1.0-9-amd64", "CONFIG_VFIO_PCI=m\n"),
        (
            "lib/modules/6.1.0-9-amd64/modules.alias",
            "alias pci:v000010DEd*sv*sd*bc03sc00i* nouveau\n",
        ),
    ] {
        put(&root, path, content);
    }
    root
}

/// A machine with a display for a guest, one for the host, and its DMAR left out.
fn machine(folder: &Path) -> PathBuf {
    let sys = folder.join("sys");
    for (group, (address, class, vendor)) in [
        ("0000:00:02.0", "0x030000", "0x1234"),
        ("0000:01:00.0", "0x030000", "0x10de"),
    ]
    .iter()
    .enumerate()
    {
        let function = format!("bus/pci/devices/{address}");
        for (name, text) in [
            ("vendor", *vendor),
            ("device", "0x1b80"),
            ("class", class),
            ("revision", "0xa1"),
            ("resource", "0x0 0x0 0x0"),
        ] {
            put(&sys, &format!("{function}/{name}"), format!("{text}\n"));
        }
        put(&sys, &format!("{function}/config"), [0_u8; 256]);
        put(
            &sys,
            &format!("kernel/iommu_groups/{group}/reserved_regions"),
            "",
        );
        fs::create_dir_all(sys.join(format!("kernel/iommu_groups/{group}/devices/{address}")))
            .unwrap();
        let link = format!("../../../../kernel/iommu_groups/{group}");
        symlink(link, sys.join(format!("{function}/iommu_group"))).unwrap();
    }
    sys
}

fn plan(folder: &Path, more: &[&str]) -> Output {
    let root = host(folder);
    let sys = if folder.join("sys").exists() {
        folder.join("sys")
    } else {
        machine(folder)
    };
    let mut command = Command::new(PROGRAM);
    command
        .args(["plan", "--root"])
        .arg(root)
        .arg("--from")
        .arg(sys)
        .args(more);
    command.output().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// Every file with its bytes and the time of its last change.
fn manifest(folder: &Path) -> BTreeMap<PathBuf, (Vec<u8>, i64, i64)> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let seen = fs::symlink_metadata(&path).unwrap();
            if seen.is_dir() {
                folders.push(path.clone());
            }
            let bytes = if seen.is_file() {
                fs::read(&path).unwrap()
            } else {
                Vec::new()
            };
            found.insert(path, (bytes, seen.mtime(), seen.mtime_nsec()));
        }
    }
    found
}

#[test]
fn the_diff_shows_each_change_with_its_reason_and_no_byte_is_written() {
    let folder = tempfile::tempdir().unwrap();
    host(folder.path());
    machine(folder.path());
    let before = manifest(folder.path());
    let sys = folder.path().join("sys");
    let output = Command::new(PROGRAM)
        .args(["plan", "--device", "01:00.0", "--root"])
        .arg(folder.path().join("root"))
        .arg("--from")
        .arg(sys)
        .output()
        .unwrap();
    let shown = text(&output);
    assert_eq!(output.status.code(), Some(0), "{shown}");
    for part in [
        "-GRUB_CMDLINE_LINUX_DEFAULT='quiet'\n+GRUB_CMDLINE_LINUX_DEFAULT='quiet iommu=pt",
        "+options vfio-pci ids=10de:1b80",
        "# nouveau is loaded for 0000:01:00.0 and would take it",
        "the initrd of 6.1.0-9-amd64",
    ] {
        assert!(shown.contains(part), "{part}\n{shown}");
    }
    assert_eq!(manifest(folder.path()), before);
}

#[test]
fn a_refusal_is_exit_status_one_until_it_is_accepted() {
    let folder = tempfile::tempdir().unwrap();
    let chosen = [
        "--device",
        "0000:00:02.0",
        "--device",
        "0000:01:00.0",
        "--format",
        "json",
    ];
    let output = plan(folder.path(), &chosen);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["schema"], "preflight.plan/1");
    assert_eq!(document["refusals"][0]["id"], "only-display");
    let accepted = [chosen.as_slice(), &["--accept", "only-display"]].concat();
    assert_eq!(plan(folder.path(), &accepted).status.code(), Some(0));
}

#[test]
fn what_is_no_option_no_value_and_no_refusal_is_bad_usage() {
    let folder = tempfile::tempdir().unwrap();
    for (arguments, said) in [
        (["--set", "colour=blue"], "there is no option 'colour'"),
        (["--set", "bind=always"], "takes ids|address|guest-start"),
        (["--set", "sriov=none of them"], "takes none|COUNT"),
        (
            ["--accept", "everything"],
            "there is no refusal 'everything'",
        ),
        (["--rom", "/nowhere.rom"], "/nowhere.rom cannot be read"),
    ] {
        let output = plan(
            folder.path(),
            &[&["--device", "01:00.0"], arguments.as_slice()].concat(),
        );
        assert_eq!(output.status.code(), Some(2), "{}", text(&output));
        assert!(text(&output).contains(said), "{}", text(&output));
    }
}
