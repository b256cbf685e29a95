//! Files of other people's systems, each to the snapshot that was reviewed.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

use std::path::{Path, PathBuf};

use proxmox::command_line::CommandLine;
use proxmox::guests::{Guest, GuestKind};
use proxmox::settings::GrubDefaults;

/// Files of a fixture folder beside the working tree; none, with a printed reason, where it is not there. In CI,
/// and where the lab is said to be complete, that is a failure.
fn fixtures(folder: &str) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/fixtures")
        .join(folder);
    let entries = match std::fs::read_dir(&root) {
        Ok(entries) => entries,
        Err(error) => {
            let is = |name: &str, value: &str| std::env::var(name).is_ok_and(|set| set == value);
            let complete = is("CI", "true") || is("PREFLIGHT_LAB", "complete");
            assert!(!complete, "{}: {error}", root.display());
            println!("skipped: {}: {error}", root.display());
            return Vec::new();
        }
    };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let read = |path: PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        (name, std::fs::read_to_string(path).unwrap())
    };
    paths.into_iter().map(read).collect()
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string_pretty(value).unwrap()
}

#[test]
fn files_of_grub_settings() {
    for (name, text) in fixtures("boot/grub") {
        let (defaults, broken) =
            GrubDefaults::from_files(&[("/etc/default/grub".to_owned(), text)]);
        assert_eq!(broken, [], "{name}");
        let line = defaults.command_line().map(|line| line.to_string());
        insta::assert_snapshot!(format!("grub-{name}"), json(&(line, defaults)));
    }
}

#[test]
fn files_of_kernel_command_lines() {
    for (name, text) in fixtures("boot/kernel-cmdline") {
        let line = CommandLine::from(text.as_str());
        let words: Vec<String> = line.parameters().iter().map(ToString::to_string).collect();
        insta::assert_snapshot!(format!("cmdline-{name}"), words.join("\n"));
    }
}

#[test]
fn files_of_virtual_machines() {
    let files = fixtures("proxmox/vmconf");
    for (name, text) in files.iter().filter(|(name, _)| name.ends_with(".conf")) {
        let guest = Guest::parse("pve", 100, GuestKind::Qemu, text);
        insta::assert_snapshot!(format!("guest-{name}"), json(&guest));
    }
}
