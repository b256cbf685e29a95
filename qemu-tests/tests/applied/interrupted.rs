//! An apply that is ended before its time leaves nothing behind: not in memory, and not on a disk.

use qemu_tests::StickShell;
use qemu_tests::golden::Golden;

use crate::by_shell::WRITABLE;
use crate::lab::Lab;
use crate::round_trip::{A_CHANGE, asked, writes};

/// Overlays, and what an apply keeps until it is written.
fn left(shell: &mut StickShell) -> Vec<String> {
    let said = asked(
        shell,
        "ls -d /sys/block/dm-* /run/preflight/apply-*; true",
        A_CHANGE,
    );
    let there = said.text.lines().filter(|line| line.starts_with('/'));
    there.map(str::to_owned).collect()
}

/// Runs an apply until it prints these words, and a little longer, and sends it a signal.
fn ended(shell: &mut StickShell, apply: &str, words: &str, signal: &str) -> String {
    let command = format!(
        "rm -f /run/said; mkfifo /run/typed; sleep 100000 >/run/typed 2>&1 & {apply} </run/typed >/run/said 2>&1 & \
         until grep -q '{words}' /run/said; do sleep 1; done; sleep 3; kill -{signal} $!; \
         while kill -0 $! 2>/run/gone; do sleep 1; done; rm /run/typed; cat /run/said"
    );
    asked(shell, &command, A_CHANGE).text
}

/// Sends a signal to an undo when it has put its own overlays up: those of the look before are another process's.
/// The time between the two can be too short to be seen, but not that the second ones are others. And the shell's own
/// `wait` can go on for ever where the end comes when it begins.
const AN_UNDO: &str = "preflight undo --root auto >/run/said 2>&1 & \
    number() { stat -c %i /sys/block/dm-0/dm 2>/run/none; }; until first=$(number); do :; done; \
    until second=$(number) && [ $second != $first ]; do :; done; kill -TERM $!; \
    while kill -0 $! 2>/run/none; do sleep 1; done; wait $!; code=$?; cat /run/said; (exit $code)";

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
    assert_eq!(left(&mut shell), Vec::<String>::new());

    let native = format!("{apply} --native");
    for (apply, words, stays) in [
        (&apply, "On overlays: update-initramfs", "/sys/block/dm-"),
        (&native, "Write this to the disks?", "/run/preflight/apply-"),
    ] {
        let said = ended(&mut shell, apply, words, "KILL");
        assert!(!said.contains(interrupted), "{said}");
        let something = left(&mut shell);
        assert!(
            something.iter().any(|path| path.starts_with(stays)),
            "{something:?}"
        );
        assert_eq!(
            asked(&mut shell, "preflight systems --disks", A_CHANGE).status,
            0
        );
        assert_eq!(left(&mut shell), Vec::<String>::new());
    }
    assert_eq!(writes(&mut shell), before);
    shell.power_off().unwrap();
}

#[test]
#[ignore = "takes long: make soak"]
fn an_undo_that_is_interrupted_while_it_looks_takes_its_overlays_away() {
    let Some(lab) = Lab::with(Golden::LvmExt4Bios) else {
        return;
    };
    let disks = lab.disks("interrupted-undo");
    let mut shell = lab.stick("interrupted-undo", &disks);
    let said = asked(&mut shell, AN_UNDO, A_CHANGE);
    assert_eq!(said.status, 2);
    assert!(said.text.contains("it was interrupted"), "{}", said.text);
    assert_eq!(left(&mut shell), Vec::<String>::new());
    shell.power_off().unwrap();
}

const QUESTION: &str = "Write this to the disks?";

/// Runs an apply whose answers are typed later, until it has asked.
fn begin(shell: &mut StickShell, apply: &str) {
    let command = format!(
        "mkfifo /run/typed; sleep 100000 >/run/typed 2>&1 & {apply} </run/typed >/run/said 2>&1 & \
         until grep -q '{QUESTION}' /run/said; do sleep 1; done"
    );
    asked(shell, &command, A_CHANGE);
}

/// Does this with the root on the disk itself, which the stick holds read-only.
fn on_the_disk(shell: &mut StickShell, work: &str) -> String {
    let command = format!(
        "{WRITABLE}; lvm vgchange -ay pve && mkdir -p /run/base && mount /dev/pve/root /run/base && \
         {work} && umount /run/base && lvm vgchange -an pve"
    );
    let said = asked(shell, &command, A_CHANGE);
    assert_eq!(said.status, 0);
    said.text
}

#[test]
#[ignore = "takes long: make soak"]
fn what_changes_on_the_disk_while_the_question_is_open_is_found_asked_about_again_and_kept() {
    let Some(lab) = Lab::with(Golden::LvmExt4Bios) else {
        return;
    };
    let disks = lab.disks("meanwhile");
    let mut shell = lab.stick("meanwhile", &disks);
    begin(
        &mut shell,
        &format!("preflight apply {} --native", lab.choice()),
    );
    on_the_disk(&mut shell, "echo '# mine' >>/run/base/etc/default/grub");
    let answer = format!(
        "echo yes >/run/typed; until [ $(grep -c '{QUESTION}' /run/said) = 2 ]; do sleep 1; done; cat /run/said"
    );
    let said = asked(&mut shell, &answer, A_CHANGE).text;
    let (first, _) = said.split_once("It is worked out again.").unwrap();
    let found = "a file changed in the meantime: /etc/default/grub on /";
    assert!(first.contains(found), "{first}");
    let answer =
        "echo yes >/run/typed; until grep -q 'Done, and read again' /run/said; do sleep 1; done";
    asked(&mut shell, answer, A_CHANGE);
    let kept = on_the_disk(&mut shell, "cat /run/base/etc/default/grub");
    assert!(
        kept.contains("# mine") && kept.contains("iommu=pt"),
        "{kept}"
    );
    shell.power_off().unwrap();
}
