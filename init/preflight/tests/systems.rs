//! `preflight systems` on roots that nobody should trust.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use nix::sys::stat::{Mode, SFlag, makedev, mknod};
use nix::unistd::{geteuid, mkfifo};
use serde_json::Value;

mod roots;

use roots::put;

const PROGRAM: &str = env!("CARGO_BIN_EXE_preflight");
const SECRET: &str = "a line from outside of the root";

fn link(root: &Path, path: &str, target: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    symlink(target, path).unwrap();
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)))
}

/// The evidence of every finding with that id.
fn evidence<'a>(document: &'a Value, id: &str) -> Vec<&'a str> {
    let findings = document["systems"][0]["findings"].as_array().unwrap();
    findings
        .iter()
        .filter(|finding| finding["id"] == id)
        .flat_map(|finding| finding["evidence"].as_array().unwrap())
        .filter_map(Value::as_str)
        .collect()
}

/// A root with something wrong in every place that is read, beside a file that must never be read.
fn hostile(folder: &Path) -> std::path::PathBuf {
    let root = folder.join("root");
    put(folder, "outside/secret.conf", SECRET);
    let outside = folder.join("outside/secret.conf");
    put(
        &root,
        "etc/os-release",
        "ID=debian\nPRETTY_NAME=\"Debian \u{1b}[2J\"\n",
    );
    link(&root, "etc/hostname", outside.to_str().unwrap());
    link(
        &root,
        "etc/modprobe.d/escape.conf",
        "../../../outside/secret.conf",
    );
    link(
        &root,
        "etc/modprobe.d/deep.conf",
        "../../../../../../../../../../../../outside/secret.conf",
    );
    link(
        &root,
        "etc/modprobe.d/folder",
        outside.parent().unwrap().to_str().unwrap(),
    );
    link(&root, "etc/kernel/cmdline", "cmdline");
    link(&root, "etc/modules", "/etc/modules-load.d/loop.conf");
    link(&root, "etc/modules-load.d/loop.conf", "../modules");
    link(&root, "etc/default/grub.d", "/proc/self/root/etc");
    mkfifo(&root.join("etc/default/grub"), Mode::S_IRWXU).unwrap();
    let large = fs::File::create(root.join("etc/modprobe.d/large.conf")).unwrap();
    large.set_len(1 << 30).unwrap();
    put(
        &root,
        "etc/modprobe.d/latin1.conf",
        b"options vfio-pci ids=10de:1b80 # f\xfcr\n",
    );
    put(
        &root,
        "etc/modprobe.d/half.conf",
        [b"options vfio".as_slice(), &[0; 100]].concat(),
    );
    fs::create_dir_all(root.join("etc/sysfs.d")).unwrap();
    let bad: &std::ffi::OsStr = std::os::unix::ffi::OsStrExt::from_bytes(b"\xff\xfe.conf");
    fs::write(root.join("etc/sysfs.d").join(bad), "a = b\n").unwrap();
    put(
        &root,
        "etc/initramfs-tools/modules/vfio",
        "a folder where a file should be",
    );
    put(
        &root,
        "var/lib/pve-cluster/config.db",
        [b"SQLite format 3\0".as_slice(), &[0xff; 8192]].concat(),
    );
    put(&root, "var/lib/pve-cluster/config.db-wal", [0x37; 4096]);
    put(&root, "boot/vmlinuz-6.1.0-1-amd64", "");
    put(
        &root,
        "boot/initrd.img-6.1.0-1-amd64",
        b"\x28\xb5\x2f\xfdnonsense",
    );
    put(&root, "boot/grub/grub.cfg", "menuentry {".repeat(50_000));
    put(&root, "boot/grub/grubenv", "nonsense");
    put(&root, "etc/libvirt/qemu/a.xml", "<domain>".repeat(5_000));
    fs::create_dir_all(root.join("etc/udev/rules.d")).unwrap();
    // Bound before the root is looked at, so that it is there; nobody answers.
    drop(UnixListener::bind(root.join("etc/udev/rules.d/a.rules")));
    root
}

#[test]
fn everything_odd_in_a_root_is_a_finding_and_nothing_hangs() {
    let folder = tempfile::tempdir().unwrap();
    let root = hostile(folder.path());
    let start = Instant::now();
    let output = Command::new(PROGRAM)
        .args(["systems", "--format", "json", "--root"])
        .arg(&root)
        .output()
        .unwrap();
    assert!(start.elapsed() < Duration::from_secs(60));
    let document = json(&output);
    assert_eq!(document["schema"], "preflight.systems/1");
    let has = |id: &str, what: &str| {
        let found = evidence(&document, id);
        assert!(
            found.iter().any(|line| line.contains(what)),
            "{id} {what}: {found:#?}"
        );
    };
    has("system.dangling-link", "/etc/hostname is a link to");
    has("system.dangling-link", "/etc/modprobe.d/escape.conf");
    has("system.dangling-link", "/etc/modprobe.d/deep.conf");
    has(
        "system.unread",
        "/etc/kernel/cmdline leads through links that never end",
    );
    has(
        "system.unread",
        "/etc/modules leads through links that never end",
    );
    has(
        "system.unread",
        "/etc/default/grub is a named pipe, not a file",
    );
    has("system.unread", "/etc/modprobe.d/large.conf is larger than");
    has(
        "system.unread",
        "/etc/initramfs-tools/modules is a folder, not a file",
    );
    has(
        "system.unread",
        "/etc/udev/rules.d/a.rules is a socket, not a file",
    );
    has("system.unread", "/var/lib/pve-cluster/config.db");
    has("system.unread", "/etc/libvirt/qemu/a.xml");
    has("system.not-text", "/etc/modprobe.d/latin1.conf:1");
    has(
        "system.not-text",
        "/etc/sysfs.d has a file whose name is not UTF-8",
    );
    has("system.half-written", "/etc/modprobe.d/half.conf");
    has("system.half-written", "/boot/grub/grubenv");
    has("system.initrd-broken", "/boot/initrd.img-6.1.0-1-amd64");
    assert!(!String::from_utf8_lossy(&output.stdout).contains(SECRET));

    let text = Command::new(PROGRAM)
        .args(["systems", "--root"])
        .arg(&root)
        .output()
        .unwrap();
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(!text.contains(SECRET) && !text.contains('\u{1b}'));
    assert!(text.lines().all(|line| line.len() <= 80));
}

#[test]
fn a_device_in_the_place_of_a_file_is_not_opened() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "etc/os-release", "ID=debian\n");
    let device = folder.path().join("etc/hostname");
    // A terminal: to open it would make it the controlling one.
    if let Err(error) = mknod(&device, SFlag::S_IFCHR, Mode::S_IRWXU, makedev(5, 0)) {
        return skip(&format!("no device can be made here: {error}"));
    }
    let output = Command::new(PROGRAM)
        .args(["systems", "--format", "json", "--root"])
        .arg(folder.path())
        .output()
        .unwrap();
    let document = json(&output);
    assert_eq!(
        evidence(&document, "system.unread"),
        ["/etc/hostname is a device, not a file"]
    );
}

#[test]
fn folders_and_files_that_may_not_be_read_are_findings() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "etc/os-release", "ID=debian\n");
    put(folder.path(), "etc/modprobe.d/a.conf", "");
    put(folder.path(), "etc/modules", "vfio\n");
    let forbid = |path: &str| {
        fs::set_permissions(folder.path().join(path), fs::Permissions::from_mode(0o0)).unwrap();
    };
    forbid("etc/modules");
    forbid("etc/modprobe.d");
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    // The built program may lie where only root can go.
    let program = folder.path().join("preflight");
    fs::copy(PROGRAM, &program).unwrap();
    let mut command = Command::new(&program);
    command
        .args(["systems", "--format", "json", "--root"])
        .arg(folder.path());
    if geteuid().is_root() {
        command.uid(65_534);
    }
    let document = json(&command.output().unwrap());
    let found = evidence(&document, "system.unread");
    for path in ["/etc/modprobe.d", "/etc/modules"] {
        let said = format!("{path} may not be read; run Preflight as root");
        assert!(found.contains(&said.as_str()), "{found:#?}");
    }
}

fn skip(why: &str) {
    let is = |name: &str, value: &str| std::env::var(name).is_ok_and(|set| set == value);
    let complete = is("CI", "true") || is("PREFLIGHT_LAB", "complete");
    assert!(!complete, "nothing may be skipped here: {why}");
    println!("skipped: {why}");
}

/// What the C library asks for before our own code runs, and SQLite for its random numbers.
const START: [&str; 3] = [
    "openat(AT_FDCWD, \"/proc/self/maps\"",
    "readlink(\"/proc/self/exe\"",
    "openat(AT_FDCWD, \"/dev/urandom\"",
];

#[test]
fn the_kernel_was_asked_for_nothing_outside_the_root() {
    let folder = tempfile::tempdir().unwrap();
    let root = hostile(folder.path());
    let trace = folder.path().join("trace");
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-e", "signal=none", "-e", "trace=%file", "-o"]);
    strace
        .arg(&trace)
        .args([PROGRAM, "systems", "--root"])
        .arg(&root);
    match strace.output() {
        Ok(output) => assert_ne!(output.status.code(), Some(2), "{output:?}"),
        Err(error) => return skip(&format!("strace: {error}")),
    }
    let trace = fs::read_to_string(trace).unwrap();
    let opened = format!("\"{}\"", root.display());
    let mut inside = 0;
    for line in trace.lines() {
        let call = line
            .split_once(' ')
            .map_or(line, |(_, call)| call.trim_start());
        if call.starts_with("openat2(") {
            assert!(
                call.contains("RESOLVE_IN_ROOT") && !call.contains("AT_FDCWD"),
                "{line}"
            );
            assert!(
                !["O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC"]
                    .iter()
                    .any(|flag| call.contains(flag)),
                "{line}"
            );
            inside += 1;
        } else if call.starts_with("openat(AT_FDCWD, ") && call.contains(&opened) {
            assert!(call.contains("O_PATH"), "{line}");
        } else {
            // What is open already is asked about by an empty path.
            let allowed = call.starts_with("execve(")
                || START.iter().any(|start| call.starts_with(start))
                || call.contains(", \"\", ");
            assert!(allowed, "{line}");
        }
    }
    assert!(
        inside > 50,
        "the trace shows that the root was read: {inside}"
    );
}
