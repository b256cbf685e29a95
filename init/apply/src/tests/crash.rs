#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use proptest::prelude::*;

use super::machine::{Content, Kernel, Machine, System};
use crate::{
    Act, Applied, Event, Recovered, Since, Staging, apply, recover, undo, unfinished, unwatched,
    verify,
};

type Views = Vec<BTreeMap<String, String>>;

/// Each selector on each place starts what it started before, or what it is to start.
fn old_or_new(machine: &Machine, old: &Views, new: &Views) {
    for (place, now) in machine.loaders().iter().enumerate() {
        let selectors = old[place].keys().chain(new[place].keys()).chain(now.keys());
        for selector in selectors {
            let view = |views: &BTreeMap<String, String>| views.get(selector).cloned();
            let (before, after, now) = (view(&old[place]), view(&new[place]), view(now));
            assert!(
                now == before || now == after,
                "place {place} {selector}: {now:?}, not {before:?} or {after:?}"
            );
        }
        let chosen = now
            .get("/loader/loader.conf")
            .and_then(|text| text.split(' ').nth(1));
        if let Some(chosen) = chosen {
            assert!(
                now.contains_key(&format!("/loader/entries/{chosen}")),
                "{chosen} is chosen and not there"
            );
        }
    }
}

/// What every loader of such a system starts.
fn goal(new: &System) -> Views {
    Machine::new(new, new).loaders()
}

/// Where the power went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    Never,
    BeforeAnySwitch,
    Later,
}

/// Runs `what` until the act with this number, and there ends like in a power cut; what was being written is
/// half there.
pub fn cut(
    machine: &Machine,
    at: usize,
    check: &dyn Fn(),
    what: &mut dyn FnMut(&mut crate::Progress<'_>),
) -> Cut {
    let begun = Cell::new(false);
    let mut last_switches = false;
    let mut watch = |event: Event<'_>| {
        if let Event::Doing { act, number, .. } = event {
            check();
            begun.set(begun.get() || last_switches);
            last_switches = matches!(
                act,
                Act::Select { .. } | Act::Retire { .. } | Act::Remove { .. }
            );
            if number == at {
                half(machine, act);
                resume_unwind(Box::new(()));
            }
        }
        ControlFlow::Continue(())
    };
    let ended = catch_unwind(AssertUnwindSafe(|| what(&mut watch))).is_ok();
    match (ended, begun.get()) {
        (true, _) => Cut::Never,
        (false, false) => Cut::BeforeAnySwitch,
        (false, true) => Cut::Later,
    }
}

/// A part of what an act does.
fn half(machine: &Machine, act: &Act) {
    let place =
        (0..machine.folders.len()).find(|number| super::machine::place_id(*number) == *act.place());
    let (Act::Write { path, .. }, Some(place)) = (act, place) else {
        return;
    };
    fs::write(machine.path(place, path), b"half").unwrap();
}

fn kernel() -> impl Strategy<Value = Kernel> {
    (1..4_u8, 1..4_u8, 1..3_u8).prop_map(|(image, initrd, options)| Kernel {
        image,
        initrd,
        options,
    })
}

fn content() -> impl Strategy<Value = Content> {
    let kernels = prop::collection::btree_map(0..4_u8, kernel(), 0..4);
    let modes = prop::sample::select(vec![0o644_u32, 0o600, 0o755]);
    let plain = prop::collection::btree_map(0..3_u8, (1..4_u8, modes), 0..3);
    (kernels, plain).prop_map(|(kernels, plain)| Content { kernels, plain })
}

fn systems() -> impl Strategy<Value = (System, System)> {
    prop::collection::vec((content(), content()), 1..4).prop_map(|pairs| pairs.into_iter().unzip())
}

fn applied(machine: &Machine) {
    apply(
        &machine.places,
        machine.set.clone(),
        &machine.contents,
        &mut unwatched,
    )
    .unwrap();
}

fn in_one_go((old, new): &(System, System)) {
    let machine = Machine::new(old, new);
    let (before, after) = (machine.loaders(), goal(new));
    let never = usize::MAX;
    let check = || old_or_new(&machine, &before, &after);
    let apply_all = cut(&machine, never, &check, &mut |watch| {
        let set = machine.set.clone();
        assert!(matches!(
            apply(&machine.places, set, &machine.contents, watch).unwrap(),
            Applied::Done(_)
        ));
    });
    assert_eq!(apply_all, Cut::Never);
    assert_eq!(machine.loaders(), after);
    assert_eq!(verify(&machine.places, &machine.set).unwrap(), []);
    let changed = machine.now();
    assert!(
        changed
            .iter()
            .flat_map(BTreeMap::keys)
            .all(|name| !name.contains("/preflight-"))
    );

    let again = apply(
        &machine.places,
        machine.set.clone(),
        &machine.contents,
        &mut unwatched,
    );
    assert_eq!(again.unwrap(), Applied::Nothing);
    assert_eq!(machine.now(), changed);

    let undo_all = cut(&machine, never, &check, &mut |watch| {
        undo(&machine.places, &machine.set.id, Since::Refuse, watch).unwrap();
    });
    assert_eq!(undo_all, Cut::Never);
    assert_eq!(machine.now(), machine.trees);
}

/// Cuts an apply, or its undo, at one act, and the recovery at another; then recovers, and takes all back. Says
/// whether anything was cut.
fn with_cuts((old, new): &(System, System), undoing: bool, first: usize, second: usize) -> bool {
    let machine = Machine::new(old, new);
    let (before, after) = (machine.loaders(), goal(new));
    let check = || old_or_new(&machine, &before, &after);
    if undoing {
        applied(&machine);
    }
    let was_cut = cut(&machine, first, &check, &mut |watch| {
        if undoing {
            undo(&machine.places, &machine.set.id, Since::Refuse, watch).unwrap();
        } else {
            let set = machine.set.clone();
            apply(&machine.places, set, &machine.contents, watch).unwrap();
        }
    });
    check();
    if was_cut != Cut::Never {
        cut(&machine, second, &check, &mut |watch| {
            recover(&machine.places, watch).unwrap();
        });
        check();
    }
    let recovered = recover(&machine.places, &mut unwatched).unwrap();
    assert!(unfinished(&machine.places).unwrap().is_empty());
    let now = machine.now();
    let there = verify(&machine.places, &machine.set).unwrap().is_empty();
    match recovered.first().map(|(_, recovered)| recovered) {
        Some(Recovered::Applied(_) | Recovered::NotUndone) => assert!(there),
        Some(Recovered::NotApplied | Recovered::Undone) => assert_eq!(now, machine.trees),
        None => {}
    }
    if (was_cut, undoing) == (Cut::BeforeAnySwitch, false) {
        assert_eq!(now, machine.trees);
    }
    if now != machine.trees {
        assert!(there);
        assert_eq!(machine.loaders(), after);
        undo(
            &machine.places,
            &machine.set.id,
            Since::Refuse,
            &mut unwatched,
        )
        .unwrap();
    }
    assert_eq!(machine.now(), machine.trees);
    was_cut != Cut::Never
}

/// A host with GRUB and an ESP on which everything happens: initrds change, a kernel comes, one goes.
fn example() -> (System, System) {
    let kernel = |image, initrd, options| Kernel {
        image,
        initrd,
        options,
    };
    let old = Content {
        kernels: [
            (0, kernel(1, 1, 1)),
            (1, kernel(1, 2, 1)),
            (2, kernel(3, 3, 1)),
        ]
        .into(),
        plain: [(0, (1, 0o644)), (1, (2, 0o600))].into(),
    };
    let new = Content {
        kernels: [
            (1, kernel(1, 3, 2)),
            (2, kernel(3, 1, 1)),
            (3, kernel(2, 2, 2)),
        ]
        .into(),
        plain: [(0, (2, 0o755)), (2, (2, 0o600))].into(),
    };
    (vec![old.clone(), old], vec![new.clone(), new])
}

#[test]
fn after_every_act_each_loader_reads_wholly_old_or_wholly_new_and_undo_brings_the_same_tree() {
    in_one_go(&example());
}

/// As on an ESP that has no room for all at once.
fn unit_by_unit((old, new): &(System, System)) {
    let machine = Machine::new(old, new);
    let (before, after) = (machine.loaders(), goal(new));
    let (sequence, seen) = machine.sequence();
    let acts = sequence.order(&seen, Staging::UnitByUnit).unwrap();
    let check = || old_or_new(&machine, &before, &after);
    let all = cut(&machine, usize::MAX, &check, &mut |watch| {
        crate::run::run(&machine.places, &acts, &machine.contents, watch).unwrap();
    });
    assert_eq!(all, Cut::Never);
    assert_eq!(machine.loaders(), after);
    assert_eq!(verify(&machine.places, &machine.set).unwrap(), []);
}

#[test]
fn from_a_cut_before_any_act_of_an_apply_a_recovery_ends_wholly_old_or_wholly_new() {
    let cuts = (0..).take_while(|at| with_cuts(&example(), false, *at, usize::MAX));
    assert!(cuts.count() > 40);
}

#[test]
fn from_a_cut_before_any_act_of_an_undo_a_recovery_ends_wholly_old_or_wholly_new() {
    let cuts = (0..).take_while(|at| with_cuts(&example(), true, *at, usize::MAX));
    assert!(cuts.count() > 40);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_change_is_applied_and_taken_back(systems in systems()) {
        in_one_go(&systems);
    }

    #[test]
    fn any_change_is_applied_unit_by_unit(systems in systems()) {
        unit_by_unit(&systems);
    }

    #[test]
    fn any_change_outlives_a_cut_and_a_cut_of_its_recovery(
        systems in systems(),
        undoing in any::<bool>(),
        first in 0..60_usize,
        second in 0..30_usize,
    ) {
        with_cuts(&systems, undoing, first, second);
    }
}

/// A system on which somebody changed, removed and made files after the apply.
fn changed_by_hand() -> Machine {
    let (old, new) = example();
    let machine = Machine::new(&old, &new);
    applied(&machine);
    fs::write(machine.path(0, "/etc/0.conf"), "by hand").unwrap();
    // The apply removed it.
    fs::write(machine.path(0, "/etc/1.conf"), "by hand").unwrap();
    fs::remove_file(machine.path(0, "/etc/new.d/file")).unwrap();
    fs::remove_file(machine.path(1, "/EFI/1/initrd.img-1")).unwrap();
    fs::remove_file(machine.path(1, "/loader/entries/2.conf")).unwrap();
    machine
}

#[test]
fn an_undo_that_overwrites_ends_from_a_cut_before_any_of_its_acts() {
    let with_cut = |at: &usize| {
        let machine = changed_by_hand();
        let (id, by_hand) = (&machine.set.id, machine.now());
        let differences = crate::changed_since(&machine.places, id).unwrap();
        assert_eq!(differences.len(), 5, "{differences:?}");
        let was_cut = cut(&machine, *at, &|| (), &mut |watch| {
            undo(&machine.places, id, Since::Overwrite, watch).unwrap();
        });
        let recovered = recover(&machine.places, &mut unwatched).unwrap();
        match recovered.first().map(|(_, how)| how) {
            Some(Recovered::NotUndone) => {
                assert_eq!(machine.now(), by_hand);
                undo(&machine.places, id, Since::Overwrite, &mut unwatched).unwrap();
            }
            Some(Recovered::Undone) => {}
            how => assert_eq!((how, was_cut), (None, Cut::Never)),
        }
        assert_eq!(machine.now(), machine.trees);
        was_cut != Cut::Never
    };
    assert!((0..).take_while(with_cut).count() > 40);
}

#[test]
fn a_file_changed_by_hand_after_a_cut_stops_the_recovery_until_it_may_be_overwritten() {
    for undoing in [false, true] {
        let (old, new) = example();
        let machine = Machine::new(&old, &new);
        if undoing {
            applied(&machine);
        }
        let was_cut = cut(&machine, 40, &|| (), &mut |watch| {
            let (places, set) = (&machine.places, machine.set.clone());
            if undoing {
                undo(places, &set.id, Since::Refuse, watch).unwrap();
            } else {
                apply(places, set, &machine.contents, watch).unwrap();
            }
        });
        assert_eq!(was_cut, Cut::Later);
        fs::write(machine.path(0, "/etc/0.conf"), "by hand").unwrap();
        let now = machine.now();
        let unended = crate::unended(&machine.places).unwrap();
        assert_eq!(unended[0].changed.len(), 1, "{unended:?}");
        let stopped = recover(&machine.places, &mut unwatched).unwrap_err();
        assert!(
            matches!(&stopped, crate::ApplyError::Changed(files) if *files == unended[0].changed),
            "{stopped}"
        );
        assert_eq!(machine.now(), now);

        let how = crate::recover_over(&machine.places, Since::Overwrite, &mut unwatched).unwrap();
        assert_eq!(how, [(machine.set.id.clone(), unended[0].ends.clone())]);
        if undoing {
            assert_eq!(machine.now(), machine.trees);
        } else {
            assert_eq!(verify(&machine.places, &machine.set).unwrap(), []);
        }
    }
}
