//! The command line as a person meets it.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Output};

const PROGRAM: &str = env!("CARGO_BIN_EXE_preflight");

fn run(arguments: &[&str]) -> Output {
    Command::new(PROGRAM).args(arguments).output().unwrap()
}

fn json(output: &Output) -> serde_json::Value {
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A machine of one card behind a VT-d unit, as a folder laid out like /sys.
fn machine(sys: &Path) {
    let function = sys.join("devices/pci0000:00/0000:00:02.0");
    fs::create_dir_all(&function).unwrap();
    for (name, text) in [
        ("vendor", "0x8086"),
        ("device", "0x3e92"),
        ("class", "0x030000"),
        ("revision", "0x00"),
        ("boot_vga", "1"),
        ("reset_method", "flr"),
        ("resource", "0x0 0x0 0x0\n"),
    ] {
        fs::write(function.join(name), format!("{text}\n")).unwrap();
    }
    fs::write(function.join("config"), [0_u8; 256]).unwrap();
    let group = sys.join("kernel/iommu_groups/1");
    fs::create_dir_all(group.join("devices")).unwrap();
    fs::write(group.join("reserved_regions"), "").unwrap();
    symlink(
        "../../../../devices/pci0000:00/0000:00:02.0",
        group.join("devices/0000:00:02.0"),
    )
    .unwrap();
    symlink(
        "../../../kernel/iommu_groups/1",
        function.join("iommu_group"),
    )
    .unwrap();
    let devices = sys.join("bus/pci/devices");
    fs::create_dir_all(&devices).unwrap();
    symlink(
        "../../../devices/pci0000:00/0000:00:02.0",
        devices.join("0000:00:02.0"),
    )
    .unwrap();
    fs::create_dir_all(sys.join("class/iommu/dmar0")).unwrap();
    fs::write(
        sys.join("kernel.log"),
        "DMAR-IR: Enabled IRQ remapping in x2apic mode\n",
    )
    .unwrap();
}

#[test]
fn a_copied_folder_is_judged_by_what_is_in_it() {
    let sys = tempfile::tempdir().unwrap();
    machine(sys.path());
    let folder = sys.path().to_str().unwrap();
    let report = json(&run(&["assess", "--from", folder, "--format", "json"]));
    assert_eq!(report["schema"], "preflight.assessment/1");
    assert_eq!(report["iommu"]["active"], "yes");
    assert_eq!(report["iommu"]["interrupt_remapping"], "yes");
    assert_eq!(report["functions"][0]["address"], "0000:00:02.0");
    assert_eq!(report["functions"][0]["vendor"], "8086");
    // It is the boot display.
    assert_eq!(report["cards"][0]["verdict"], "caution");
}

#[test]
fn a_folder_that_is_not_laid_out_like_sys_is_unreadable_input() {
    let empty = tempfile::tempdir().unwrap();
    let output = run(&["assess", "--from", empty.path().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(message.contains("bus/pci"), "{message}");
}

#[test]
fn bad_usage_has_a_status_of_its_own() {
    assert_eq!(run(&["assess", "--format", "yaml"]).status.code(), Some(2));
}

#[test]
fn what_a_user_may_not_read_is_unknown_and_never_fine() {
    if !Path::new("/sys/bus/pci/devices").exists() || !nix::unistd::geteuid().is_root() {
        eprintln!("skipped: needs root on a machine with PCI, to become a user");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let program = folder.path().join("preflight");
    fs::copy(PROGRAM, &program).unwrap();
    let user = Command::new(&program)
        .args(["assess", "--format", "json"])
        .uid(65534)
        .gid(65534)
        .output()
        .unwrap();
    let report = json(&user);
    let functions = report["functions"].as_array().unwrap();
    // A user sees 64 bytes of configuration space.
    assert!(
        functions
            .iter()
            .all(|function| function["acs"] == "unknown"),
        "{functions:?}"
    );
    let root = json(&run(&["assess", "--format", "json"]));
    let seen_by_root = root["functions"].as_array().unwrap();
    assert!(
        seen_by_root
            .iter()
            .any(|function| function["acs"] != "unknown"),
        "{seen_by_root:?}"
    );
    assert_eq!(seen_by_root.len(), functions.len());
}

/// Runs a copy of the program that everybody may run, as somebody who may read little or as who runs the
/// test.
fn run_as(user: Option<u32>, program: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(program);
    if let Some(user) = user {
        command.uid(user).gid(user);
    }
    command.args(arguments).output().unwrap()
}

#[test]
fn a_capture_gives_the_same_report_elsewhere() {
    if !Path::new("/sys/bus/pci/devices").exists() {
        eprintln!("skipped: this machine has no PCI");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let program = folder.path().join("preflight");
    fs::copy(PROGRAM, &program).unwrap();
    let root = nix::unistd::geteuid().is_root();
    let users = if root {
        vec![None, Some(65534)]
    } else {
        vec![None]
    };
    for user in users {
        let out = folder.path().join(format!("{user:?}.tar.zst"));
        let out = out.to_str().unwrap();
        let capture = run_as(user, &program, &["capture", out, "--with-identifiers"]);
        let said = String::from_utf8_lossy(&capture.stdout).into_owned();
        assert_eq!(capture.status.code(), Some(0), "{capture:?}");
        assert!(said.contains("give it only to whom you trust"), "{said}");
        assert_eq!(
            said.contains("not made by root"),
            !root || user.is_some(),
            "{said}"
        );
        let here = run_as(user, &program, &["assess", "--format", "json"]);
        let there = run(&["assess", "--from", out, "--format", "json"]);
        assert_eq!(json(&there), json(&here));
        assert_eq!(there.status.code(), here.status.code());
    }
}

#[test]
fn what_lspci_prints_is_a_source() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("posted.txt");
    fs::write(
        &path,
        "01:00.0 VGA compatible controller [0300]: NVIDIA [10de:1c02] (rev a1)\n\tIOMMU group: 16\n\
         01:00.1 Audio device [0403]: NVIDIA [10de:10f1] (rev a1)\n\tIOMMU group: 16\n",
    )
    .unwrap();
    let report = json(&run(&[
        "assess",
        "--from",
        path.to_str().unwrap(),
        "--format",
        "json",
    ]));
    assert_eq!(report["groups"][0]["id"], 16);
    assert_eq!(report["groups"][0]["functions"][1], "0000:01:00.1");
    assert_eq!(report["functions"][0]["device"], "1c02");
}

#[test]
fn a_capture_is_not_written_over_what_is_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(&["capture", folder.path().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(message.contains("is no file"), "{message}");
    let nowhere = folder.path().join("nowhere/out.tar.zst");
    let output = run(&["capture", nowhere.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}
