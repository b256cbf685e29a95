use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use qemu_tests::Machine;
use qemu_tests::power_cut::ext4::{Found, recover};
use qemu_tests::power_cut::{Bounds, Canvas, CrashState, Recording, Replay};

use crate::lab::Lab;

const LENGTH: u64 = 16 << 20;

/// A file system with a file and, beside it, what is wanted in its place.
struct Volume {
    image: PathBuf,
    old: Vec<u8>,
    wanted: Vec<u8>,
}

fn volume(lab: &Lab) -> Volume {
    let contents = lab.folder().join("contents");
    fs::create_dir(&contents).unwrap();
    let (old, wanted) = (vec![b'o'; 3000], vec![b'n'; 70_000]);
    fs::write(contents.join("file"), &old).unwrap();
    fs::write(contents.join("wanted"), &wanted).unwrap();
    let image = lab.blank("ext4.img", LENGTH);
    let made = Command::new("/usr/sbin/mke2fs")
        .args(["-q", "-t", "ext4", "-b", "1024"])
        // The kernel would go on making the file system while we watch.
        .args(["-E", "lazy_itable_init=0,lazy_journal_init=0", "-d"])
        .arg(&contents)
        .arg(&image)
        .status()
        .unwrap();
    assert!(made.success());
    Volume { image, old, wanted }
}

/// What is wrong in a crash state.
fn complaint(volume: &Volume, state: &CrashState<'_>, image: &Path) -> Option<String> {
    let promised = state.marks().iter().any(|mark| mark == "replaced");
    let found = match recover(image, "/file").unwrap() {
        Found::File(bytes) if bytes == volume.wanted => return None,
        Found::File(bytes) if bytes == volume.old && !promised => return None,
        Found::File(bytes) if bytes == volume.old => "still the old file".to_owned(),
        Found::File(bytes) => format!("a file of {} bytes", bytes.len()),
        other => format!("{other:?}"),
    };
    Some(format!("{state}: {found}"))
}

/// What a guest's power cuts leave: the number of states tried, and what was wrong in which.
fn cut(way: &str) -> Option<(usize, Vec<String>)> {
    let lab = Lab::open()?;
    let volume = volume(&lab);
    let recording = Recording::new(lab.folder(), "ext4", &[&volume.image]).unwrap();
    let recording = recording.with_marks().unwrap();
    lab.write(&format!("cut-{way}"), way, recording.on(Machine::q35()));

    let replay = Replay::of(&recording).unwrap();
    let mut canvas = Canvas::new(&replay, 0, &lab.folder().join("canvas.img")).unwrap();
    let trial = lab.folder().join("trial.img");
    let (mut tried, mut complaints) = (0, Vec::new());
    let mut last = None;
    for state in replay.states(Bounds::default()) {
        canvas.show(&state).unwrap();
        fs::copy(canvas.path(), &trial).unwrap();
        complaints.extend(complaint(&volume, &state, &trial));
        tried += 1;
        last = Some(state);
    }
    let told = last.map(|state| state.marks().to_vec());
    assert_eq!(told, Some(vec!["replaced".to_owned()]));
    println!("{way}: {tried} states, {} bad", complaints.len());
    Some((tried, complaints))
}

#[test]
fn a_file_that_is_synced_before_it_gets_its_name_is_old_or_new_in_every_crash_state() {
    let Some((tried, complaints)) = cut("replace-synced") else {
        return;
    };
    assert!(tried > 20, "{tried}");
    assert!(complaints.is_empty(), "{complaints:#?}");
}

#[test]
fn a_missing_fsync_is_found_by_the_crash_states() {
    let Some((_, complaints)) = cut("replace-unsynced") else {
        return;
    };
    assert!(
        complaints
            .iter()
            .any(|complaint| complaint.contains("a file of 0 bytes")),
        "{complaints:#?}"
    );
}
