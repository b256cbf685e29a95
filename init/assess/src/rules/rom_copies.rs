use hardware::Function;

use super::Rule;
use crate::context::Context;
use crate::{Agreement, CopyOutcome, CopySummary, Finding, FindingId, RomChoice, RomSummary};

const DIFFER: FindingId = FindingId::new("rom.copies-differ");

pub(super) const RULE: Rule = Rule {
    ids: &[DIFFER],
    judge,
};

/// A tainted copy is expected to differ. Two clean ones that do are a question that a person should know of.
fn judge(ctx: &Context) -> Vec<Finding> {
    let functions = ctx
        .cards
        .iter()
        .flat_map(|card| card.functions.iter().copied());
    functions
        .filter_map(|function| match ctx.rom(function) {
            RomSummary::Read(choice) => differ(function, choice),
            RomSummary::Absent | RomSummary::Unread | RomSummary::Failed { .. } => None,
        })
        .collect()
}

fn differ(function: &Function, choice: &RomChoice) -> Option<Finding> {
    let clean = choice.copies.iter().filter(|copy| copy.taint.is_none());
    let different: Vec<String> = clean.filter_map(difference).collect();
    if different.is_empty() || choice.copy.taint.is_some() {
        return None;
    }
    let summary =
        "Copies of its ROM from several sources differ, though nothing else speaks against them.";
    Some(
        Finding::note(DIFFER, function.address, summary)
            .seen_all(different)
            .seen(choice.why.clone())
            .remedy(
                "Use the chosen copy. When a guest does not start with it, try the others, which are \
                 saved beside it.",
            ),
    )
}

fn difference(copy: &CopySummary) -> Option<String> {
    match &copy.outcome {
        CopyOutcome::Read {
            agreement: Agreement::Different,
            detail,
            ..
        } => Some(format!("{} ({}) {detail}", copy.source.words(), copy.place)),
        CopyOutcome::Read { .. } | CopyOutcome::Failed { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use hardware::RomSource;

    use super::*;
    use crate::Verdict;
    use crate::testing::{Builder, GPU, rom_reading, whole_rom};

    fn with(source: RomSource, taint: Option<&str>, change: impl FnOnce(&mut Vec<u8>)) -> Builder {
        let mut bytes = whole_rom();
        change(&mut bytes);
        let mut other = rom_reading(GPU, bytes);
        other.source = source;
        other.taint = taint.map(str::to_owned);
        Builder::good().roms(vec![rom_reading(GPU, whole_rom()), other])
    }

    #[test]
    fn copies_that_agree_are_no_finding() {
        assert!(
            with(RomSource::Vfct, None, |_| {})
                .findings_of(&RULE)
                .is_empty()
        );
        let first_alone = with(RomSource::Vfct, None, |bytes| bytes.truncate(1024));
        assert!(first_alone.findings_of(&RULE).is_empty());
    }

    #[test]
    fn clean_copies_that_differ_are_a_note_with_the_place() {
        let machine = with(RomSource::Vfct, None, |bytes| bytes[0x500] ^= 1);
        let found = machine.only(&RULE);
        assert!(
            found.evidence[0].contains("differs in the efi image"),
            "{:?}",
            found.evidence
        );
        assert_eq!(machine.gpu_verdict(), Verdict::Ready);
    }

    #[test]
    fn a_shadow_that_differs_is_as_expected() {
        let machine = with(RomSource::Shadow, Some("in memory"), |bytes| {
            bytes[0x500] ^= 1
        });
        assert!(machine.findings_of(&RULE).is_empty());
    }
}
