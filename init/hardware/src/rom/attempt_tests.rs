//! Every way in which the steps of a read can fail: what matters is that the function is left as it was
//! found, at once or by the next run.

use std::cell::{Cell, RefCell};

use super::super::journal::put_back;
use super::super::testing::{Card, UNSET, function};
use super::*;

fn failed(outcome: Outcome) -> RomFailure {
    outcome.bytes.unwrap_err()
}

#[test]
fn a_rom_is_read_twice_and_the_function_is_as_before() {
    for command in [0x0000, 0x0002, 0x0007] {
        let card = Card::new(command);
        let before = card.config_now();
        let outcome = card.read();
        assert_eq!(outcome.bytes, Ok(card.rom.clone()));
        assert_eq!(outcome.not_restored, [""; 0]);
        assert_eq!((card.reads.get(), card.enabled.get()), (2, false));
        assert_eq!(card.config_now(), before, "command {command:#x}");
        assert!(card.journal().records().is_empty());
    }
}

#[test]
fn a_read_that_fails_leaves_the_function_as_before() {
    for at in [1, 2] {
        let card = Card {
            fails_at_read: Some(at),
            ..Card::new(0)
        };
        let before = card.config_now();
        let outcome = card.read();
        assert_eq!(outcome.not_restored, [""; 0]);
        let failure = failed(outcome);
        assert_eq!(failure.kind, FailureKind::InputOutput);
        assert!(failure.why.starts_with("input/output error"));
        assert!(!card.enabled.get());
        assert_eq!(card.config_now(), before);
    }
}

#[test]
fn the_kernels_own_word_says_what_stands_in_place_of_a_rom() {
    for (found, kind, words) in [
        (Signature::Image(0xffff), FailureKind::AllOnes, "ff ff"),
        (Signature::Image(0x5a00), FailureKind::NoSignature, "00 5a"),
        (Signature::Pcir, FailureKind::NoPcir, "no PCIR"),
    ] {
        let card = Card {
            fails_at_read: Some(1),
            rejected: Some(found),
            ..Card::new(2)
        };
        let failure = failed(card.read());
        assert_eq!(failure.kind, kind);
        assert!(failure.why.contains(words), "{}", failure.why);
    }
}

/// What a process that is killed leaves: nothing of it runs any more.
fn killed_half_way(card: &Card, function: &Function) {
    let journal = card.journal();
    let mut restore = Restore::new(card, &journal, function);
    let config = awake(&mut restore).unwrap();
    restore.note(&config).unwrap();
    decode(&restore, &config, function).unwrap();
    restore.read_rom().unwrap();
    card.enabled.set(true);
    std::mem::forget(restore);
}

#[test]
fn what_a_killed_process_left_is_put_back_by_the_next() {
    let card = Card {
        power: Cell::new("D3hot"),
        power_control: RefCell::new("auto".to_owned()),
        ..Card::new(0)
    };
    let before = card.config_now();
    killed_half_way(&card, &function(0xfe00_0000, 0));
    assert_ne!(card.config_now(), before);
    assert_eq!(*card.power_control.borrow(), "on");

    let records = card.journal().records();
    let [record] = records.as_slice() else {
        panic!("{records:?}")
    };
    let told = put_back(&card, record);
    assert!(told.contains("put back as it was found"), "{told}");
    assert_eq!(card.config_now(), before);
    assert_eq!(*card.power_control.borrow(), "auto");
    assert!(!card.enabled.get());
}

#[test]
fn another_card_or_one_with_a_driver_is_left_alone_by_the_next_run() {
    let card = Card::new(0);
    killed_half_way(&card, &function(0xfe00_0000, 0));
    let record = card.journal().records().remove(0);
    let taken = Card {
        driver: Some("nouveau"),
        ..Card::new(7)
    };
    let other = Card::new(7);
    other.config.borrow_mut()[2] = 0x99;
    for (card, words) in [(taken, "nouveau has it now"), (other, "is not 10de:0fc6")] {
        let before = card.config_now();
        let told = put_back(&card, &record);
        assert!(told.contains(words), "{told}");
        assert_eq!(card.config_now(), before);
    }
}

#[test]
fn a_function_is_not_touched_when_that_cannot_be_noted() {
    let card = Card::new(0);
    std::fs::write(card.records.path().join("records"), "a file").unwrap();
    let before = card.config_now();
    let failure = failed(card.read());
    assert!(
        failure.why.contains("could not be noted in"),
        "{}",
        failure.why
    );
    assert_eq!((card.config_now(), card.reads.get()), (before, 0));
}

#[test]
fn a_panic_half_way_leaves_the_function_as_before() {
    let card = Card::new(0);
    let before = card.config_now();
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let journal = card.journal();
        let mut restore = Restore::new(&card, &journal, &function(0xfe00_0000, 0));
        restore.note(&ConfigSpace::new(before.clone())).unwrap();
        restore.decode_memory().unwrap();
        panic!("half-way");
    }));
    assert!(panicked.is_err());
    assert_eq!(card.config_now(), before);
}

#[test]
fn under_lockdown_decode_stays_as_found_and_what_the_kernel_changed_is_said() {
    let off = Card {
        locked_down: true,
        ..Card::new(0)
    };
    let failure = failed(off.read());
    assert_eq!(failure.kind, FailureKind::LockedDown);
    assert!(
        failure.why.contains("cannot be switched on") && failure.why.contains("locked down"),
        "{}",
        failure.why
    );

    let on = Card {
        locked_down: true,
        ..Card::new(2)
    }
    .read();
    assert!(on.bytes.is_ok());
    let [left] = on.not_restored.as_slice() else {
        panic!("{:?}", on.not_restored)
    };
    assert!(left.starts_with("the expansion ROM base address was 0x00000000 and is 0xfe000000"));
}

#[test]
fn a_function_with_a_driver_is_not_touched() {
    let card = Card {
        driver: Some("nvidia"),
        ..Card::new(0)
    };
    let failure = failed(card.read());
    assert_eq!(failure.kind, FailureKind::Driver);
    assert!(failure.why.contains("the driver nvidia is bound"));
    assert_eq!(card.reads.get(), 0);
}

fn asleep(state: &'static str, control: &str) -> Card {
    Card {
        power: Cell::new(state),
        power_control: RefCell::new(control.to_owned()),
        ..Card::new(0)
    }
}

#[test]
fn a_function_that_the_kernel_lets_sleep_is_woken_and_may_sleep_again() {
    for state in ["D3hot", "D3cold"] {
        let card = asleep(state, "auto");
        let outcome = card.read();
        assert!(outcome.bytes.is_ok(), "{:?}", outcome.bytes);
        assert_eq!(outcome.not_restored, [""; 0]);
        assert_eq!(*card.power_control.borrow(), "auto");
    }
    let unknown = asleep("unknown", "on");
    assert!(
        unknown.read().bytes.is_ok(),
        "no power management: always in D0"
    );
}

#[test]
fn a_function_that_does_not_wake_is_not_read() {
    let stuck = Card {
        wakes_to: "D3hot",
        ..asleep("D3hot", "auto")
    };
    let failure = failed(stuck.read());
    assert_eq!(failure.kind, FailureKind::Asleep);
    assert!(failure.why.contains("still in D3hot"), "{}", failure.why);
    assert_eq!(
        (stuck.reads.get(), &**stuck.power_control.borrow()),
        (0, "auto")
    );

    let held = asleep("D3hot", "on");
    let failure = failed(held.read());
    assert!(failure.why.contains("is in D3hot"), "{}", failure.why);
    assert_eq!(held.reads.get(), 0);
}

#[test]
fn decode_stays_off_while_a_bar_has_no_address() {
    let card = Card::new(0);
    let outcome = card.attempt(&function(0xfe00_0000, UNSET), RomSource::RomBar);
    assert!(failed(outcome).why.contains("BAR 0 has no address"));
    assert_eq!(card.reads.get(), 0);
    let outcome = Card::new(2).attempt(&function(0, 0), RomSource::RomBar);
    assert!(failed(outcome).why.contains("no address for the ROM BAR"));
}

#[test]
fn reads_that_differ_are_unstable() {
    let failure = failed(
        Card {
            changes: true,
            ..Card::new(2)
        }
        .read(),
    );
    assert_eq!(failure.kind, FailureKind::Unstable);
    assert_eq!(
        failure.why,
        "two reads differ, first at offset 0x9: this is no copy"
    );
}

#[test]
fn the_shadow_is_read_without_asking_the_function() {
    let card = asleep("D3hot", "auto");
    card.config.borrow_mut()[4] = 2;
    let outcome = card.attempt(&function(0xc_0000, 0), RomSource::Shadow);
    assert!(outcome.bytes.is_ok());
    assert_eq!(card.power.get(), "D3hot");
    let failing = Card {
        fails_at_read: Some(1),
        ..Card::new(2)
    };
    let outcome = failing.attempt(&function(0xc_0000, 0), RomSource::Shadow);
    assert!(failed(outcome).why.contains("0xC0000"));
}

#[test]
fn a_bridge_above_that_forwards_nothing_is_found_however_far_up() {
    let with = |address: &str, parent: Option<&str>, command: u8| {
        let mut config = vec![0; 64];
        config[4] = command;
        Function {
            address: address.parse().unwrap(),
            parent: parent.map_or(Reading::Absent, |above| {
                Reading::Known(above.parse().unwrap())
            }),
            config: Reading::Known(ConfigSpace::new(config)),
            ..function(0xfe00_0000, 0)
        }
    };
    let path = |root, upstream| {
        let functions = [
            with("0000:00:01.0", None, root),
            with("0000:01:00.0", Some("0000:00:01.0"), upstream),
            with("0000:02:00.0", Some("0000:01:00.0"), 0),
        ];
        super::super::closed_bridge(&functions, &functions[2]).map(|bridge| bridge.to_string())
    };
    assert_eq!(path(7, 7), None);
    assert_eq!(path(0, 7).as_deref(), Some("0000:00:01.0"));
    assert_eq!(path(7, 4).as_deref(), Some("0000:01:00.0"));
}
