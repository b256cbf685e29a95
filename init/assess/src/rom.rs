//! What is known of a function's ROM: every copy parsed and checked against the function's ids, compared
//! with the others, and one of them chosen.

mod agreement;
mod choice;

use hardware::{Function, Reading, RomReading};
use option_rom::{Rom, Verdict};
use pci::FunctionId;
use sha2::{Digest, Sha256};

pub use self::choice::choose_rom;
use crate::{RomCopy, RomSummary};

/// What is known of a function's ROM.
pub(crate) fn summary(function: &Function, roms: Option<&[RomReading]>) -> RomSummary {
    let attempts = attempts(function, roms);
    if let Some(choice) = choose_rom(function.id, &attempts) {
        return RomSummary::Read(Box::new(choice));
    }
    let failures = || {
        attempts
            .iter()
            .filter_map(|reading| Some((reading, reading.bytes.as_ref().err()?)))
    };
    if let Some((_, failure)) = failures().next() {
        let whys: Vec<String> = match attempts.len() {
            1 => vec![failure.why.clone()],
            _ => failures()
                .map(|(reading, failure)| format!("{}: {}", reading.source.words(), failure.why))
                .collect(),
        };
        return RomSummary::Failed {
            problem: problem(failure.kind).to_owned(),
            why: whys.join("; "),
        };
    }
    if function.rom_region == Reading::Absent && !function.has_rom_file {
        RomSummary::Absent
    } else {
        RomSummary::Unread
    }
}

/// Every attempt to read this function's ROM. A source that names other ids at the same address speaks of
/// another function.
pub(crate) fn attempts<'a>(
    function: &Function,
    roms: Option<&'a [RomReading]>,
) -> Vec<&'a RomReading> {
    let all = roms.into_iter().flatten();
    all.filter(|reading| reading.address == function.address)
        .filter(|reading| reading.id.is_none_or(|id| id == function.id))
        .collect()
}

/// Parses what was read and checks it against the function's ids; none when nothing was read.
pub fn rom_copy(id: FunctionId, reading: &RomReading) -> Option<RomCopy> {
    let bytes = reading.bytes.as_ref().ok()?;
    let mut rom = Rom::parse(bytes);
    rom.problems.extend(rom.check_ids(id));
    rom.verdict = Verdict::of(&rom.problems);
    Some(RomCopy {
        source: reading.source,
        place: reading.place.clone(),
        taint: reading.taint.clone(),
        length: bytes.len(),
        sha256: Sha256::digest(bytes)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect(),
        rom,
    })
}

/// The id in docs/findings.md for a way of failing.
pub(crate) fn problem(kind: hardware::FailureKind) -> &'static str {
    use hardware::FailureKind;
    match kind {
        FailureKind::Unstable => "rom.unstable",
        FailureKind::AllOnes => "rom.all-ones",
        FailureKind::NoSignature => "rom.no-signature",
        FailureKind::NoPcir => "rom.no-pcir",
        FailureKind::Empty => "rom.empty",
        FailureKind::InputOutput => "rom.io-error",
        FailureKind::Asleep => "rom.asleep",
        FailureKind::LockedDown => "rom.locked-down",
        FailureKind::Driver | FailureKind::Other => "rom.unread",
    }
}

#[cfg(test)]
mod tests {
    use hardware::{FailureKind, RomFailure};

    use super::*;
    use crate::testing::{function, rom_failure, rom_reading, whole_rom};

    fn gpu() -> Function {
        function("01:00.0", 0x03_00_00)
    }

    #[test]
    fn the_hash_is_that_of_the_bytes() {
        let reading = rom_reading("01:00.0", b"abc".to_vec());
        let copy = rom_copy(gpu().id, &reading).unwrap();
        assert_eq!(
            copy.sha256,
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(copy.rom.verdict, Verdict::Bad);
    }

    #[test]
    fn absent_unread_and_failed_are_told_apart() {
        let mut function = gpu();
        assert_eq!(summary(&function, None), RomSummary::Unread);
        let mut failed = rom_reading("01:00.0", vec![]);
        failed.bytes = rom_failure(FailureKind::Unstable, "two reads differ");
        assert_eq!(
            summary(&function, Some(&[failed])),
            RomSummary::Failed {
                problem: "rom.unstable".into(),
                why: "two reads differ".into()
            }
        );
        function.rom_region = Reading::Absent;
        function.has_rom_file = false;
        assert_eq!(summary(&function, Some(&[])), RomSummary::Absent);
    }

    #[test]
    fn every_failure_is_named_when_several_sources_failed() {
        let failed = |why: &str| RomReading {
            bytes: Err(RomFailure {
                kind: FailureKind::Other,
                why: why.into(),
            }),
            ..rom_reading("01:00.0", vec![])
        };
        let RomSummary::Failed { why, .. } = summary(&gpu(), Some(&[failed("a"), failed("b")]))
        else {
            panic!("not failed");
        };
        assert_eq!(why, "the ROM BAR: a; the ROM BAR: b");
    }

    #[test]
    fn a_copy_that_names_other_ids_is_not_this_functions() {
        let mut other = rom_reading("01:00.0", whole_rom());
        other.id = Some(FunctionId::new(0x10de, 0x1234));
        assert_eq!(summary(&gpu(), Some(&[other])), RomSummary::Unread);
    }

    #[test]
    fn every_way_of_failing_has_an_entry_in_the_manual() {
        let manual = include_str!("../../../docs/findings.md");
        for kind in [
            FailureKind::Unstable,
            FailureKind::AllOnes,
            FailureKind::NoSignature,
            FailureKind::NoPcir,
            FailureKind::Empty,
            FailureKind::InputOutput,
            FailureKind::Asleep,
            FailureKind::LockedDown,
            FailureKind::Driver,
            FailureKind::Other,
        ] {
            let id = problem(kind);
            assert!(manual.contains(&format!("### `{id}`")), "{id}");
        }
    }
}
