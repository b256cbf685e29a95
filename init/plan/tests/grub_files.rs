//! Files of other people's GRUB, edited, and run by a real shell before and after.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

use std::path::PathBuf;
use std::process::Command;

use plan::edit::{Patch, WordEdit, grub};

#[path = "../../testing/fixtures.rs"]
mod fixtures;

/// Name and bytes of each.
fn grub_files() -> Vec<(String, Vec<u8>)> {
    let paths = fixtures::fixtures("boot/grub").into_iter();
    let read = |path: PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        (name, std::fs::read(path).unwrap())
    };
    paths.map(read).collect()
}

/// What a shell makes of the file: the words of an entry's command line.
fn by_shell(file: &[u8]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("grub");
    std::fs::write(&path, file).unwrap();
    let script = format!(
        ". {}; printf '%s\\n' $GRUB_CMDLINE_LINUX $GRUB_CMDLINE_LINUX_DEFAULT",
        path.display()
    );
    let output = Command::new("/bin/sh")
        .args(["-c", &script])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .filter(|line| !line.is_empty())
        .map(str::to_owned)
        .collect()
}

fn edits() -> Vec<WordEdit> {
    vec![
        WordEdit::item_instead("intel_iommu", "on", &["off"]),
        WordEdit::item("iommu", "pt"),
        WordEdit::item("initcall_blacklist", "sysfb_init"),
    ]
}

fn edited(file: &[u8]) -> Vec<u8> {
    let files = vec![(grub::MAIN.to_owned(), file.to_vec())];
    let changed = grub::edit(&files, &edits()).unwrap();
    assert_eq!(changed.keys().collect::<Vec<_>>(), [grub::MAIN]);
    changed.get(grub::MAIN).unwrap().clone()
}

fn check(name: &str, before: &[u8]) {
    let after = edited(before);
    let mut wanted = by_shell(before);
    wanted.extend(
        [
            "intel_iommu=on",
            "iommu=pt",
            "initcall_blacklist=sysfb_init",
        ]
        .map(str::to_owned),
    );
    assert_eq!(by_shell(&after), wanted, "{name}");
    let again = vec![(grub::MAIN.to_owned(), after.clone())];
    assert_eq!(grub::edit(&again, &edits()).unwrap().len(), 0, "{name}");
    let back = Patch::between(before, &after).inverse();
    assert_eq!(back.apply(&after).unwrap(), before, "{name}");
}

#[test]
fn every_file_of_the_fixtures_passes_the_words_on() {
    for (name, file) in grub_files() {
        check(&name, &file);
    }
}

#[test]
fn a_shell_reads_the_words_whatever_the_quotes() {
    let name = "GRUB_CMDLINE_LINUX_DEFAULT";
    for value in [
        "quiet",
        "",
        "\"\"",
        "''",
        "'quiet splash'",
        "\"quiet \\\n  splash\"",
        "quiet\\ splash",
        "\"a\"' b 'c",
        "\"quiet $GRUB_CMDLINE_LINUX\"",
        "\"${GRUB_TIMEOUT} x\" # comment \"",
        "\"a=\\\"b\\\"\"",
        "\"\u{e4} quiet\t\"",
    ] {
        let file = format!(
            "#{name}=\"no\"\nGRUB_CMDLINE_LINUX='first'\nexport {name}={value}\nGRUB_TIMEOUT=5"
        );
        check(value, file.as_bytes());
    }
}
