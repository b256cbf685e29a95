#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::fs;
use std::ops::ControlFlow;

use super::machine::{Content, Kernel, Machine};
use crate::{
    ApplyError, Digest, Event, FileState, Memory, Places, SequenceError, Since, apply, needed,
    receipts, undo, unwatched,
};

fn machine() -> Machine {
    let kernel = |initrd, options| Kernel {
        image: 1,
        initrd,
        options,
    };
    let content = |initrd, options| Content {
        kernels: [(0, kernel(initrd, options))].into(),
        plain: [(0, (initrd, 0o644))].into(),
    };
    let system = |initrd, options| vec![content(initrd, options), content(initrd, options)];
    Machine::new(&system(1, 1), &system(2, 2))
}

#[test]
fn an_apply_refuses_when_a_file_is_not_as_it_was_when_the_change_was_worked_out() {
    let machine = machine();
    fs::write(machine.path(0, "/etc/0.conf"), "by hand").unwrap();
    let error = apply(
        &machine.places,
        machine.set.clone(),
        &machine.contents,
        &mut unwatched,
    )
    .unwrap_err();
    let ApplyError::Changed(files) = error else {
        panic!("{error}")
    };
    assert_eq!(files.len(), 1);
    assert!(
        files[0]
            .to_string()
            .starts_with("/etc/0.conf on /: it has other bytes: 7 "),
        "{}",
        files[0]
    );
    assert!(!machine.path(0, "/var/lib/preflight").exists());
}

#[test]
fn an_undo_refuses_when_a_file_changed_since_and_overwrites_it_only_when_told() {
    let machine = machine();
    apply(
        &machine.places,
        machine.set.clone(),
        &machine.contents,
        &mut unwatched,
    )
    .unwrap();
    let initrd = machine.path(1, "/EFI/0/initrd.img-0");
    fs::write(machine.path(0, "/etc/0.conf"), "by hand\n").unwrap();
    fs::write(
        machine.path(0, "/boot/grub/grub.cfg"),
        "linux /boot/by-hand\n",
    )
    .unwrap();
    fs::write(initrd, "by hand\n").unwrap();
    // It is the same before and after the change, names no payload, and so is none of it.
    let loader_conf = machine.path(1, "/loader/loader.conf");
    fs::write(&loader_conf, "default by-hand\n").unwrap();
    let changed = machine.now();
    let id = &machine.set.id;
    let error = undo(&machine.places, id, Since::Refuse, &mut unwatched).unwrap_err();
    let text = error.to_string();
    assert!(
        text.starts_with(
            "3 files changed in the meantime: /boot/grub/grub.cfg on /: it has other bytes"
        ),
        "{text}"
    );
    assert_eq!(machine.now(), changed);

    undo(&machine.places, id, Since::Overwrite, &mut unwatched).unwrap();
    assert_eq!(fs::read(&loader_conf).unwrap(), b"default by-hand\n");
    fs::write(&loader_conf, "default 0.conf\n").unwrap();
    assert_eq!(machine.now(), machine.trees);
}

#[test]
fn a_failure_before_anything_is_switched_leaves_the_tree_as_it_was() {
    let mut machine = machine();
    let good = std::mem::take(&mut machine.contents);
    let mut poor = Memory::default();
    // Everything but one initrd of the ESP.
    let missing = machine
        .set
        .files
        .iter()
        .find(|file| file.path.contains("/EFI/0/initrd"))
        .unwrap();
    let missing = missing.after.unwrap().digest;
    for file in machine.set.files.iter().filter_map(|file| file.after) {
        if file.digest != missing {
            let mut bytes = Vec::new();
            crate::Contents::open(&good, &file.digest)
                .unwrap()
                .read_to_end(&mut bytes)
                .unwrap();
            poor.add(bytes);
        }
    }
    let error = apply(&machine.places, machine.set.clone(), &poor, &mut unwatched).unwrap_err();
    assert!(
        matches!(&error, ApplyError::GivenUp(cause) if matches!(**cause, ApplyError::NoContent(digest) if digest == missing)),
        "{error}"
    );
    assert_eq!(machine.now(), machine.trees);
}

#[test]
fn a_stop_before_the_first_switch_takes_back_what_was_staged() {
    let machine = machine();
    let mut stop = |event: Event<'_>| match event {
        Event::Doing { number: 5, .. } => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    };
    let error = apply(
        &machine.places,
        machine.set.clone(),
        &machine.contents,
        &mut stop,
    )
    .unwrap_err();
    assert!(matches!(&error, ApplyError::GivenUp(_)), "{error}");
    assert_eq!(machine.now(), machine.trees);
}

#[test]
fn a_payload_that_no_selector_names_is_refused() {
    let mut machine = machine();
    machine
        .set
        .files
        .retain(|file| !file.path.ends_with("grub.cfg"));
    let error = apply(
        &machine.places,
        machine.set.clone(),
        &machine.contents,
        &mut unwatched,
    )
    .unwrap_err();
    assert!(
        matches!(&error, ApplyError::Sequence(SequenceError::Unselected { path, .. }) if path == "/boot/initrd.img-0"),
        "{error}"
    );
}

#[test]
fn a_place_without_room_is_refused_before_anything_is_written() {
    let mut machine = machine();
    let huge = FileState {
        digest: Digest::of(b"huge"),
        size: 1 << 60,
        attributes: None,
    };
    for file in &mut machine.set.files {
        if file.path.contains("/EFI/0/initrd") {
            file.after = Some(huge);
        }
    }
    let error = apply(
        &machine.places,
        machine.set.clone(),
        &machine.contents,
        &mut unwatched,
    )
    .unwrap_err();
    assert!(
        matches!(&error, ApplyError::NoRoom { needed, .. } if *needed > 1 << 60),
        "{error}"
    );
    assert_eq!(machine.now(), machine.trees);
}

#[test]
fn an_esp_needs_room_for_one_kernels_files_more_and_not_for_all() {
    let kernel = |initrd| Kernel {
        image: 1,
        initrd,
        options: 1,
    };
    let content = |initrd| Content {
        kernels: (0..3).map(|version| (version, kernel(initrd))).collect(),
        ..Content::default()
    };
    let mut machine = Machine::new(
        &vec![Content::default(), content(1)],
        &vec![Content::default(), content(2)],
    );
    const INITRD: u64 = 64 << 20;
    for file in machine
        .set
        .files
        .iter_mut()
        .filter(|file| file.path.contains("initrd"))
    {
        for state in [&mut file.before, &mut file.after].into_iter().flatten() {
            state.size = INITRD;
        }
    }
    let (sequence, mut seen) = machine.sequence();
    for (file, seen) in machine.set.files.iter().zip(&mut seen.files) {
        if let Some(before) = file.before {
            *seen = crate::Seen::File(before);
        }
    }
    let needed = |staging| {
        let acts = sequence.order(&seen, staging).unwrap();
        needed(&machine.set, &acts)[&super::machine::place_id(1)]
    };
    let all = needed(crate::Staging::AllFirst);
    assert!((3 * INITRD..3 * INITRD + (1 << 20)).contains(&all), "{all}");
    let needed = needed(crate::Staging::UnitByUnit);
    assert!((INITRD..INITRD + (1 << 20)).contains(&needed), "{needed}");
}

#[test]
fn a_place_that_nobody_mounted_is_named() {
    let machine = machine();
    let root = machine.places.root().unwrap().clone();
    let places = Places::default().with(crate::PlaceId::root(), root);
    let error = apply(
        &places,
        machine.set.clone(),
        &machine.contents,
        &mut unwatched,
    )
    .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the ESP esp-1 is not mounted here, and the change needs it"
    );
}

#[test]
fn a_receipt_is_read_again_as_it_was_written() {
    let machine = machine();
    let applied = apply(
        &machine.places,
        machine.set.clone(),
        &machine.contents,
        &mut unwatched,
    )
    .unwrap();
    let crate::Applied::Done(receipt) = applied else {
        panic!("{applied:?}")
    };
    assert_eq!(receipt.schema, "preflight.receipt/1");
    let kept: Vec<_> = receipts(&machine.places)
        .unwrap()
        .into_iter()
        .map(Result::unwrap)
        .collect();
    assert_eq!(kept, [receipt]);
}

#[test]
fn a_menu_that_is_new_while_its_payloads_are_old_is_led_to_staged_ones_before_they_change() {
    let machine = machine();
    let (sequence, mut seen) = machine.sequence();
    for (file, seen) in machine.set.files.iter().zip(&mut seen.files) {
        if file.role == crate::Role::Selector
            && let Some(after) = file.after
        {
            *seen = crate::Seen::File(after);
        }
    }
    let acts = sequence.order(&seen, crate::Staging::UnitByUnit).unwrap();
    let first = |wanted: &dyn Fn(&crate::Act) -> bool| acts.iter().position(wanted).unwrap();
    let led = first(
        &|act| matches!(act, crate::Act::Select { target, .. } if target == "/loader/entries/0.conf"),
    );
    let removed = first(
        &|act| matches!(act, crate::Act::Remove { path, .. } if path == "/EFI/0/initrd.img-0"),
    );
    assert!(led < removed, "{acts:#?}");
}

#[test]
fn a_journal_that_cannot_be_looked_at_is_an_error_and_not_a_leftover() {
    let machine = machine();
    let store = machine.path(0, "/var/lib/preflight");
    fs::create_dir_all(&store).unwrap();
    // Whatever the kernel says that is not "nothing is there": here, links without end.
    std::os::unix::fs::symlink("one", store.join("one")).unwrap();
    for error in [
        crate::unfinished(&machine.places).map(drop).unwrap_err(),
        crate::recover(&machine.places, &mut unwatched)
            .map(drop)
            .unwrap_err(),
        receipts(&machine.places).map(drop).unwrap_err(),
    ] {
        assert!(
            error.to_string().starts_with("/var/lib/preflight/one/"),
            "{error}"
        );
    }
    assert!(store.join("one").is_symlink());
}

#[test]
fn no_staged_name_is_run_or_read_by_what_reads_its_folder() {
    let machine = machine();
    let (sequence, _) = machine.sequence();
    let folder = tempfile::tempdir().unwrap();
    for letter in crate::observe::LETTERS {
        for number in [0, 27] {
            let path = sequence.staged(number, letter);
            let name = path.rsplit('/').next().unwrap();
            // What mkinitramfs reads in its conf.d, and what is no loader entry, menu or module configuration.
            assert!(name.contains(".dpkg-"), "{name}");
            assert!(
                ![".conf", ".cfg", ".efi"]
                    .iter()
                    .any(|end| name.ends_with(end))
            );
            let file = folder.path().join(name);
            fs::write(&file, "#!/bin/sh\n").unwrap();
            fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o755))
                .unwrap();
        }
    }
    for more in [&["--test"][..], &["--test", "--lsbsysinit"]] {
        let mut command = std::process::Command::new("run-parts");
        // A Debian has it always; elsewhere its pattern is known.
        if let Ok(output) = command.args(more).arg(folder.path()).output() {
            assert!(
                output.status.success() && output.stdout.is_empty(),
                "{output:?}"
            );
        }
    }
    let copy = crate::sequence::with_letter(&sequence.staged(27, 'p'), 'u');
    assert_eq!(copy, sequence.staged(27, 'u'));
}

#[test]
fn a_second_run_on_the_same_system_is_refused() {
    let machine = machine();
    let _first = crate::lock::Lock::take(&machine.places).unwrap();
    let set = machine.set.clone();
    let id = set.id.clone();
    for refused in [
        apply(&machine.places, set, &machine.contents, &mut unwatched).map(drop),
        undo(&machine.places, &id, Since::Refuse, &mut unwatched),
        crate::recover(&machine.places, &mut unwatched).map(drop),
    ] {
        assert!(matches!(refused, Err(ApplyError::Busy)), "{refused:?}");
    }
    assert_eq!(machine.now(), machine.trees);
}
