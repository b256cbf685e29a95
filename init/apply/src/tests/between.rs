//! A database whose log is taken in by a change, cut before every act.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::fs;

use super::crash::{Cut, cut};
use super::machine::{Content, Machine, attributes};
use crate::{
    ApplyError, FileChange, FileState, PlaceId, Role, SequenceError, Since, apply, recover, undo,
    unwatched, verify,
};

const DATABASE: &str = "/var/lib/config.db";
const LOG: &str = "/var/lib/config.db-wal";

/// A database and its log; the change takes the log in and edits what comes out.
fn machine() -> Machine {
    let content = |byte| Content {
        plain: [(0, (byte, 0o644))].into(),
        ..Content::default()
    };
    let mut machine = Machine::new(&vec![content(1)], &vec![content(2)]);
    let mut state = |text: &str| {
        Some(FileState {
            digest: machine.contents.add(text.as_bytes().to_vec()),
            size: text.len() as u64,
            attributes: Some(attributes(0o600)),
        })
    };
    let change = |path: &str, before, between, after| FileChange {
        place: PlaceId::root(),
        path: path.to_owned(),
        role: Role::Plain,
        before,
        after,
        between,
    };
    let files = [
        change(DATABASE, state("old"), state("merged"), state("edited")),
        change(LOG, state("log"), None, None),
    ];
    machine.set.files.extend(files);
    for (path, text) in [(DATABASE, "old"), (LOG, "log")] {
        let path = machine.path(0, path);
        fs::write(&path, text).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        fs::set_permissions(path, mode).unwrap();
    }
    machine.trees = machine.now();
    machine
}

/// What the log says is in the database, or the log is not there.
fn fits(machine: &Machine) {
    let read = |path: &str| fs::read_to_string(machine.path(0, path)).ok();
    let (database, log) = (read(DATABASE), read(LOG));
    let fits = match database.as_deref() {
        Some("old") => log.is_some(),
        Some("merged") => true,
        Some("edited") => log.is_none(),
        _ => false,
    };
    assert!(fits, "{database:?} beside {log:?}");
}

#[test]
fn a_database_never_stands_beside_a_log_of_another_time() {
    for undoing in [false, true] {
        let with_cut = |at: &usize| {
            let machine = machine();
            let (places, id) = (&machine.places, &machine.set.id);
            let whole = |watch: &mut crate::Progress<'_>| {
                apply(places, machine.set.clone(), &machine.contents, watch).unwrap();
            };
            if undoing {
                whole(&mut unwatched);
                assert_eq!(verify(places, &machine.set).unwrap(), []);
            }
            let check = || fits(&machine);
            let was_cut = cut(&machine, *at, &check, &mut |watch| {
                if undoing {
                    undo(places, id, Since::Refuse, watch).unwrap();
                } else {
                    whole(watch);
                }
            });
            cut(&machine, usize::MAX, &check, &mut |watch| {
                recover(places, watch).unwrap();
            });
            if machine.now() != machine.trees {
                assert_eq!(verify(places, &machine.set).unwrap(), []);
                undo(places, id, Since::Refuse, &mut unwatched).unwrap();
            }
            assert_eq!(machine.now(), machine.trees);
            was_cut != Cut::Never
        };
        assert!((0..).take_while(with_cut).count() > 12);
    }
}

#[test]
fn what_a_loader_reads_or_what_comes_or_goes_holds_nothing_in_between() {
    for (role, goes) in [(Role::Selector, false), (Role::Plain, true)] {
        let mut machine = machine();
        let files = &mut machine.set.files;
        let file = files.iter_mut().find(|file| file.path == DATABASE).unwrap();
        file.role = role;
        if goes {
            file.after = None;
        }
        let set = machine.set.clone();
        let refused = apply(&machine.places, set, &machine.contents, &mut unwatched);
        assert!(
            matches!(
                refused,
                Err(ApplyError::Sequence(SequenceError::Between { .. }))
            ),
            "{refused:?}"
        );
    }
}
