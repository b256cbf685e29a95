//! An apply that is ended before its time leaves nothing behind: not in memory, and not on a disk.

use qemu_tests::StickShell;
use qemu_tests::golden::Golden;

use crate::lab::Lab;
use crate::round_trip::{A_CHANGE, asked, writes};

/// Overlays, and what an apply keeps until it is written.
const LEFT: &str = "ls -d /sys/block/dm-* /run/preflight/apply-*; true";

fn left(shell: &mut StickShell) -> String {
    asked(shell, LEFT, A_CHANGE).text
}

/// Runs an apply until it prints these words, and a little longer, and sends it a signal.
fn ended(shell: &mut StickShell, apply: &str, words: &str, signal: &str) -> String {
    let command = format!(
        "mkfifo /run/typed; sleep 100000 >/run/typed 2>&1 & {apply} </run/typed >/run/said 2>&1 & \
         until grep -q '{words}' /run/said; do sleep 1; done; sleep 3; kill -{signal} $!; \
         while kill -0 $! 2>/run/gone; do sleep 1; done; rm /run/typed; cat /run/said"
    );
    asked(shell, &command, A_CHANGE).text
}

#[test]
#[ignore = "takes long: make soak"]
fn an_apply_that_is_interrupted_or_killed_leaves_nothing_that_the_next_look_does_not_take_away() {
    let Some(lab) = Lab::with(Golden::LvmExt4Bios) else {
        return;
    };
    let disks = lab.disks("interrupted");
    let mut shell = lab.stick("interrupted", &disks);
    let before = writes(&mut shell);
    let apply = format!("preflight apply {}", lab.choice());

    let said = ended(&mut shell, &apply, "On overlays: update-initramfs", "TERM");
    let interrupted = "it was interrupted; nothing was written";
    assert!(said.contains(interrupted), "{said}");
    let nothing = left(&mut shell);
    assert!(!nothing.contains("dm-0"), "{nothing}");

    let native = format!("{apply} --native");
    for (apply, words, stays) in [
        (&apply, "On overlays: update-initramfs", "/sys/block/dm-"),
        (&native, "Write this to the disks?", "/run/preflight/apply-"),
    ] {
        let said = ended(&mut shell, apply, words, "KILL");
        assert!(!said.contains(interrupted), "{said}");
        let something = left(&mut shell);
        assert!(
            something.lines().any(|line| line.starts_with(stays)),
            "{something}"
        );
        assert_eq!(
            asked(&mut shell, "preflight systems --disks", A_CHANGE).status,
            0
        );
        let nothing = left(&mut shell);
        assert!(
            !nothing.lines().any(|line| line.starts_with('/')),
            "{nothing}"
        );
    }
    assert_eq!(writes(&mut shell), before);
    shell.power_off().unwrap();
}
