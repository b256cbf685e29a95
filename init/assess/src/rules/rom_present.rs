use hardware::Function;
use option_rom::ProblemId;

use super::Rule;
use crate::context::Context;
use crate::{Finding, FindingId, RomSummary, Severity, rom};

const NONE: FindingId = FindingId::new("rom.none");
const UNSTABLE: FindingId = FindingId::new("rom.unstable");
const ASLEEP: FindingId = FindingId::new("rom.asleep");
const IO_ERROR: FindingId = FindingId::new("rom.io-error");
const LOCKED_DOWN: FindingId = FindingId::new("rom.locked-down");
const UNREAD: FindingId = FindingId::new("rom.unread");
const NOT_RESTORED: FindingId = FindingId::new("rom.not-restored");

pub(super) const RULE: Rule = Rule {
    ids: &[
        NONE,
        UNREAD,
        UNSTABLE,
        ASLEEP,
        IO_ERROR,
        LOCKED_DOWN,
        NOT_RESTORED,
    ],
    judge,
};

fn judge(ctx: &Context) -> Vec<Finding> {
    let functions = || {
        ctx.cards
            .iter()
            .flat_map(|card| card.functions.iter().copied())
    };
    let displays = functions().filter(|function| function.class.is_display());
    let there = displays.filter_map(|function| there(ctx, function));
    there
        .chain(functions().filter_map(|function| not_restored(ctx, function)))
        .collect()
}

/// Only a display needs its ROM in a guest: the guest's firmware shows a picture with it.
fn there(ctx: &Context, function: &Function) -> Option<Finding> {
    let address = function.address;
    match ctx.rom(function) {
        RomSummary::Read(_) => None,
        RomSummary::Absent => Some(none(function)),
        RomSummary::Unread => Some(
            Finding::note(UNREAD, address, "Nobody has read its ROM.")
                .seen(if ctx.roms.is_none() {
                    "this run reads no ROMs"
                } else {
                    "no attempt to read it is recorded"
                })
                .remedy("Start this machine from the Preflight stick: it reads and saves the ROM."),
        ),
        RomSummary::Failed { problem, why } => Some(failed(function, problem, why)),
    }
}

/// What a failed read says beside that there is no copy. What a ROM image can be told to be wrong with is
/// an id of its own, and so are these.
struct Failure {
    id: FindingId,
    summary: &'static str,
    remedy: &'static str,
}

const FAILURES: [Failure; 4] = [
    Failure {
        id: UNSTABLE,
        summary: "Its ROM reads differently each time, so there is no copy of it.",
        remedy: "Switch the machine off and on and read again; seat the card and its power plugs anew. A \
                 card that goes on like this is not sound.",
    },
    Failure {
        id: ASLEEP,
        summary: "It is powered down, so its ROM could not be read.",
        remedy: "Switch the machine off and on and read again, before any driver has put the card to sleep.",
    },
    Failure {
        id: IO_ERROR,
        summary: "The kernel could not read its ROM.",
        remedy: "If it is the firmware's boot display, start the stick by UEFI with CSM off, or make \
                 another display the primary one in the firmware setup, and read again.",
    },
    Failure {
        id: LOCKED_DOWN,
        summary: "The kernel is locked down, so its ROM could not be read.",
        remedy: "Switch Secure Boot off in the firmware setup for this one start, and read again.",
    },
];

const READ_AGAIN: &str = "If it is the firmware's boot display, make another display the primary one in the \
                          firmware setup and read again.";

/// What a read met: one of [`FAILURES`], a problem that a ROM image can have, or anything else.
fn failed(function: &Function, problem: &str, why: &str) -> Finding {
    let failure = FAILURES
        .iter()
        .find(|failure| failure.id.as_str() == problem);
    let image = ProblemId::ALL.iter().find(|entry| entry.name == problem);
    let (id, summary, remedy) = match (failure, image) {
        (Some(failure), _) => (failure.id, failure.summary, failure.remedy),
        (None, Some(entry)) => (FindingId::new(entry.name), entry.meaning, READ_AGAIN),
        (None, None) => (UNREAD, "Its ROM could not be read.", READ_AGAIN),
    };
    Finding::note(id, function.address, summary)
        .seen(format!("rom of {}: {why}", function.address))
        .remedy(remedy)
}

/// A VGA device without a ROM cannot show the guest's start; compute cards never do.
fn none(function: &Function) -> Finding {
    let severity = if function.class.is_vga() {
        Severity::Caution
    } else {
        Severity::Note
    };
    let summary = "It has no ROM region: a guest shows nothing on it before its own driver runs.";
    Finding::new(NONE, severity, function.address, summary)
        .seen(format!(
            "no ROM region in 'resource' and no 'rom' file for {}",
            function.address
        ))
        .remedy(
            "Integrated graphics keep their ROM in the firmware: give the guest that image as a file \
             (romfile=), or live without a picture until its driver runs.",
        )
}

fn not_restored(ctx: &Context, function: &Function) -> Option<Finding> {
    let attempts = rom::attempts(function, ctx.roms);
    let changed: Vec<_> = attempts
        .iter()
        .flat_map(|reading| reading.not_restored.iter().cloned())
        .collect();
    if changed.is_empty() {
        return None;
    }
    let summary = "Reading its ROM left something different from how it was found.";
    Some(
        Finding::note(NOT_RESTORED, function.address, summary)
            .seen_all(changed)
            .remedy("The next start of the machine sets it right."),
    )
}

#[cfg(test)]
mod tests {
    use hardware::{FailureKind, Reading};

    use super::*;
    use crate::Verdict;
    use crate::testing::{Builder, GPU, legacy_rom, rom_failure, rom_reading};

    fn without_rom() -> Builder {
        Builder::good().roms(vec![]).change(GPU, |gpu| {
            gpu.rom_region = Reading::Absent;
            gpu.has_rom_file = false;
        })
    }

    #[test]
    fn a_rom_that_was_read_is_no_finding() {
        assert!(Builder::good().findings_of(&RULE).is_empty());
    }

    #[test]
    fn a_vga_device_without_a_rom_is_a_caution_and_a_compute_card_a_note() {
        assert_eq!(without_rom().only(&RULE).severity, Severity::Caution);
        let compute = without_rom().change(GPU, |gpu| gpu.class = pci::ClassCode(0x03_02_00));
        assert_eq!(compute.only(&RULE).severity, Severity::Note);
    }

    #[test]
    fn a_rom_that_nobody_read_decides_nothing() {
        let machine = Builder::good().roms_unread();
        let found = machine.clone().only(&RULE);
        assert_eq!((&*found.id, found.severity), ("rom.unread", Severity::Note));
        assert_eq!(machine.gpu_verdict(), Verdict::Ready);
    }

    #[test]
    fn a_failed_read_says_why() {
        let mut failed = rom_reading(GPU, vec![]);
        failed.bytes = rom_failure(FailureKind::Other, "the function is gone");
        let found = Builder::good().roms(vec![failed]).only(&RULE);
        assert_eq!(found.id, "rom.unread");
        assert!(found.evidence[0].contains("the function is gone"));
    }

    #[test]
    fn a_way_of_failing_that_says_what_to_do_has_an_id_of_its_own() {
        for (kind, id) in [
            (FailureKind::Unstable, "rom.unstable"),
            (FailureKind::Asleep, "rom.asleep"),
            (FailureKind::InputOutput, "rom.io-error"),
            (FailureKind::LockedDown, "rom.locked-down"),
            (FailureKind::AllOnes, "rom.all-ones"),
            (FailureKind::Driver, "rom.unread"),
        ] {
            let mut failed = rom_reading(GPU, vec![]);
            failed.bytes = rom_failure(kind, "seen");
            assert_eq!(Builder::good().roms(vec![failed]).only(&RULE).id, id);
        }
    }

    #[test]
    fn what_was_not_put_back_is_told() {
        let mut reading = rom_reading(GPU, legacy_rom());
        reading.not_restored = vec!["memory decode is still on".into()];
        let found = Builder::good().roms(vec![reading]).only(&RULE);
        assert_eq!(found.id, "rom.not-restored");
        assert_eq!(found.evidence, ["memory decode is still on"]);
    }

    #[test]
    fn a_network_card_needs_no_rom() {
        let machine = Builder::good().add("02:00.0", 0x02_00_00);
        assert!(machine.findings_of(&RULE).is_empty());
    }
}
