use std::cmp::Reverse;

use hardware::{RomReading, RomSource};
use option_rom::{RomCopy as Parsed, Verdict};
use pci::FunctionId;

use super::agreement::agreement;
use super::{problem, rom_copy};
use crate::{Agreement, CopyOutcome, CopySummary, RomChoice, RomCopy};

/// One copy that was read.
struct Candidate<'a> {
    /// Its place among the readings.
    index: usize,
    copy: RomCopy,
    bytes: &'a [u8],
    /// Other clean copies of whole images that say the same.
    supporters: usize,
}

impl Candidate<'_> {
    fn parsed(&self) -> Parsed<'_> {
        Parsed {
            rom: &self.copy.rom,
            bytes: self.bytes,
        }
    }

    fn is_bad(&self) -> bool {
        self.copy.rom.verdict == Verdict::Bad
    }

    fn is_clean(&self) -> bool {
        self.copy.taint.is_none()
    }

    /// What decides, the most important first: the least is the best.
    fn rank(&self) -> (bool, bool, Verdict, Reverse<usize>, RomSource) {
        (
            self.is_bad(),
            !self.is_clean(),
            self.copy.rom.verdict,
            Reverse(self.supporters),
            self.copy.source,
        )
    }
}

/// Compares copies of one function's ROM image by image and chooses one: no bad one before others, no
/// tainted one before clean ones, then the better verdict, then the one that more others agree with, then
/// the source that stands first in the order of trust. `copies` has an entry for each reading, in the same
/// order. None when no source gave a copy.
pub fn choose_rom(id: FunctionId, readings: &[&RomReading]) -> Option<RomChoice> {
    let mut candidates: Vec<Candidate<'_>> = readings
        .iter()
        .enumerate()
        .filter_map(|(index, reading)| {
            Some(Candidate {
                index,
                copy: rom_copy(id, reading)?,
                bytes: reading.bytes.as_deref().ok()?,
                supporters: 0,
            })
        })
        .collect();
    let supporters: Vec<usize> = candidates
        .iter()
        .map(|candidate| supporters(candidate, &candidates))
        .collect();
    for (candidate, supporters) in candidates.iter_mut().zip(supporters) {
        candidate.supporters = supporters;
    }
    let best = candidates.iter().min_by_key(|candidate| candidate.rank())?;
    let others = || candidates.iter().filter(|other| other.index != best.index);
    let mut reasons: Vec<String> = others().map(|other| against(best, other)).collect();
    reasons.extend(readings.iter().filter_map(|reading| {
        let failure = reading.bytes.as_ref().err()?;
        let source = capital(reading.source.words());
        Some(format!("{source} gave no copy: {}.", failure.why))
    }));
    let copies = readings
        .iter()
        .enumerate()
        .map(|(index, reading)| CopySummary {
            source: reading.source,
            place: reading.place.clone(),
            taint: reading.taint.clone(),
            outcome: match candidates.iter().find(|one| one.index == index) {
                Some(candidate) => read(best, candidate),
                None => failed(reading),
            },
        })
        .collect();
    Some(RomChoice {
        why: why(best, &reasons),
        copy: best.copy.clone(),
        copies,
    })
}

fn supporters(candidate: &Candidate<'_>, all: &[Candidate<'_>]) -> usize {
    let count = all
        .iter()
        .filter(|other| other.index != candidate.index && other.is_clean() && !other.is_bad())
        .filter(|other| {
            let (agreement, _) = agreement(candidate.parsed(), other.parsed());
            matches!(agreement, Agreement::Same | Agreement::Part)
        });
    count.count()
}

fn read(best: &Candidate<'_>, candidate: &Candidate<'_>) -> CopyOutcome {
    let copy = &candidate.copy;
    let is_chosen = best.index == candidate.index;
    let (agreement, detail) = agreement(best.parsed(), candidate.parsed());
    CopyOutcome::Read {
        chosen: is_chosen,
        length: copy.length,
        sha256: copy.sha256.clone(),
        verdict: copy.rom.verdict,
        problems: copy.rom.problems.iter().map(|problem| problem.id).collect(),
        agreement,
        detail: if is_chosen {
            "is the chosen copy".to_owned()
        } else {
            detail
        },
    }
}

fn failed(reading: &RomReading) -> CopyOutcome {
    let failure = reading.bytes.as_ref().err();
    CopyOutcome::Failed {
        problem: failure
            .map_or("rom.unread", |failure| problem(failure.kind))
            .to_owned(),
        why: failure.map_or_else(String::new, |failure| failure.why.clone()),
    }
}

fn why(best: &Candidate<'_>, reasons: &[String]) -> String {
    let source = capital(best.copy.source.words());
    let state = match (best.copy.rom.verdict, best.is_clean()) {
        (Verdict::Good, true) => "it is good and nothing speaks against where it comes from",
        (Verdict::Usable, true) => "it is usable and nothing speaks against where it comes from",
        (Verdict::Good | Verdict::Usable, false) => {
            "it may have been changed, and no clean copy is there"
        }
        (Verdict::Bad, _) => "it is bad, and no better copy is there",
    };
    let mut text = format!("{source} is chosen: {state}.");
    for reason in reasons {
        text.push(' ');
        text.push_str(reason);
    }
    text
}

/// How another copy relates to the chosen one, and what is worse about it.
fn against(best: &Candidate<'_>, other: &Candidate<'_>) -> String {
    let (_, words) = agreement(best.parsed(), other.parsed());
    let first_problem = || {
        let problem = other
            .copy
            .rom
            .problems
            .iter()
            .find(|problem| problem.id.allows() == other.copy.rom.verdict);
        problem.map_or_else(String::new, |problem| format!(" ({})", problem.id))
    };
    let worse = if other.is_bad() != best.is_bad() {
        format!("is bad{}", first_problem())
    } else if other.is_clean() != best.is_clean() {
        "may have been changed".to_owned()
    } else if other.copy.rom.verdict != best.copy.rom.verdict {
        format!(
            "is only {}{}",
            verdict(other.copy.rom.verdict),
            first_problem()
        )
    } else if other.supporters != best.supporters {
        "has fewer others that agree with it".to_owned()
    } else if other.copy.source != best.copy.source {
        "comes later in the order of trust".to_owned()
    } else {
        "stands behind it".to_owned()
    };
    format!(
        "{} {words}, and {worse}.",
        capital(other.copy.source.words())
    )
}

/// A verdict as people and file names have it.
fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Good => "good",
        Verdict::Usable => "usable",
        Verdict::Bad => "bad",
    }
}

/// With a capital at the start, as a sentence has it.
fn capital(words: &str) -> String {
    let mut letters = words.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use hardware::FailureKind;

    use super::*;
    use crate::testing::{legacy_rom, rom_failure, rom_reading, whole_rom};

    const ID: FunctionId = FunctionId::new(0x1002, 0x5046);

    fn from(source: RomSource, bytes: Vec<u8>) -> RomReading {
        let mut reading = rom_reading("01:00.0", bytes);
        reading.source = source;
        if source == RomSource::Shadow {
            reading.taint = Some("the legacy copy".into());
        }
        reading
    }

    fn choice(readings: &[RomReading]) -> RomChoice {
        choose_rom(ID, &readings.iter().collect::<Vec<_>>()).unwrap()
    }

    /// With one byte of the first image changed, and another one so that the sum is right.
    fn changed() -> Vec<u8> {
        let mut rom = whole_rom();
        rom[0x200] = rom[0x200].wrapping_add(1);
        rom[0x201] = rom[0x201].wrapping_sub(1);
        rom
    }

    #[test]
    fn a_clean_copy_is_chosen_over_a_tainted_one_and_the_reason_said() {
        let chosen = choice(&[
            from(RomSource::Shadow, legacy_rom()),
            from(RomSource::EfiStub, whole_rom()),
        ]);
        assert_eq!(chosen.copy.source, RomSource::EfiStub);
        assert!(
            chosen
                .why
                .starts_with("The EFI stub's copy is chosen: it is good")
        );
        assert!(
            chosen.why.contains("The legacy copy at 0xC0000 differs")
                && chosen.why.contains("may have been changed"),
            "{}",
            chosen.why
        );
    }

    #[test]
    fn of_equal_copies_the_first_in_the_order_of_trust_is_chosen() {
        let chosen = choice(&[
            from(RomSource::NvidiaProm, whole_rom()),
            from(RomSource::RomBar, whole_rom()),
            from(RomSource::EfiStub, whole_rom()),
        ]);
        assert_eq!(chosen.copy.source, RomSource::EfiStub);
        assert!(
            chosen.why.contains("is the same in every image"),
            "{}",
            chosen.why
        );
        assert!(chosen.why.contains("order of trust"), "{}", chosen.why);
    }

    #[test]
    fn a_good_copy_is_chosen_over_a_usable_one_that_is_trusted_more() {
        let mut wrong_sum = whole_rom();
        wrong_sum[0x200] ^= 0x10;
        let chosen = choice(&[
            from(RomSource::EfiStub, wrong_sum),
            from(RomSource::RomBar, whole_rom()),
        ]);
        assert_eq!(chosen.copy.source, RomSource::RomBar);
        assert!(
            chosen.why.contains("is only usable (rom.checksum)"),
            "{}",
            chosen.why
        );
    }

    #[test]
    fn two_that_agree_outweigh_one_that_is_trusted_more() {
        let chosen = choice(&[
            from(RomSource::EfiStub, changed()),
            from(RomSource::RomBar, whole_rom()),
            from(RomSource::NvidiaProm, whole_rom()),
        ]);
        assert_eq!(chosen.copy.source, RomSource::RomBar);
        assert!(
            chosen.why.contains("fewer others that agree"),
            "{}",
            chosen.why
        );
    }

    #[test]
    fn a_tainted_copy_is_better_than_a_bad_one_and_is_said_to_be_tainted() {
        let mut cut = whole_rom();
        cut.truncate(700);
        let chosen = choice(&[
            from(RomSource::RomBar, cut),
            from(RomSource::Shadow, legacy_rom()),
        ]);
        assert_eq!(chosen.copy.source, RomSource::Shadow);
        assert!(
            chosen.why.contains("no clean copy is there"),
            "{}",
            chosen.why
        );
        assert!(
            chosen.why.contains("is bad (rom.truncated)"),
            "{}",
            chosen.why
        );
    }

    #[test]
    fn every_reading_has_an_entry_in_its_place_and_one_is_chosen() {
        let mut failed = from(RomSource::RomBar, vec![]);
        failed.bytes = rom_failure(FailureKind::InputOutput, "input/output error");
        let chosen = choice(&[failed, from(RomSource::Vfct, whole_rom())]);
        assert_eq!(chosen.copies.len(), 2);
        assert_eq!(
            chosen.copies[0].outcome,
            CopyOutcome::Failed {
                problem: "rom.io-error".into(),
                why: "input/output error".into()
            }
        );
        let CopyOutcome::Read {
            chosen: is_chosen,
            agreement,
            ..
        } = &chosen.copies[1].outcome
        else {
            panic!("{:?}", chosen.copies);
        };
        assert!(is_chosen);
        assert_eq!(*agreement, Agreement::Same);
        assert!(
            chosen
                .why
                .ends_with("The ROM BAR gave no copy: input/output error.")
        );
    }

    #[test]
    fn without_a_copy_there_is_no_choice() {
        let mut failed = from(RomSource::RomBar, vec![]);
        failed.bytes = rom_failure(FailureKind::Other, "gone");
        assert_eq!(choose_rom(ID, &[&failed]), None);
        assert_eq!(choose_rom(ID, &[]), None);
    }
}
