//! Files of other people's systems, each to the snapshot that was reviewed.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

use std::path::PathBuf;

use proxmox::command_line::CommandLine;
use proxmox::guests::{Guest, GuestKind};
use proxmox::settings::GrubDefaults;

#[path = "../../testing/fixtures.rs"]
mod beside;

/// Name and text of each file of a fixture folder.
fn fixtures(folder: &str) -> Vec<(String, String)> {
    let paths = beside::fixtures(folder).into_iter();
    let read = |path: PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        (name, std::fs::read_to_string(path).unwrap())
    };
    paths.map(read).collect()
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
