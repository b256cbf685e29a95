use hardware::{Function, RomSource};
use option_rom::{ImageType, ProblemId, Verdict};

use super::Rule;
use crate::context::Context;
use crate::{Finding, FindingId, RomCopy, RomSummary, Severity};

const BAD: FindingId = FindingId::new("rom.bad");
const TAINTED: FindingId = FindingId::new("rom.tainted");
const NO_EFI_IMAGE: FindingId = FindingId::new("rom.no-efi-image");

pub(super) const RULE: Rule = Rule {
    ids: &[BAD, TAINTED, NO_EFI_IMAGE],
    judge,
};

/// The ids of what the parser finds, which are findings of this rule, too.
pub(super) fn problem_ids() -> impl Iterator<Item = &'static str> {
    ProblemId::ALL.iter().map(|entry| entry.name)
}

fn judge(ctx: &Context) -> Vec<Finding> {
    let functions = ctx
        .cards
        .iter()
        .flat_map(|card| card.functions.iter().copied());
    functions
        .filter_map(|function| match ctx.rom(function) {
            RomSummary::Read(choice) => Some(judge_copy(function, &choice.copy)),
            RomSummary::Absent | RomSummary::Unread | RomSummary::Failed { .. } => None,
        })
        .flatten()
        .collect()
}

/// A display's ROM is what a guest starts it with. Of other functions only a bad ROM is worth a word: a
/// guest's firmware may run it, and the remedy is to leave it out.
fn judge_copy(function: &Function, copy: &RomCopy) -> Vec<Finding> {
    let is_display = function.class.is_display();
    let mut findings = Vec::new();
    if copy.rom.verdict == Verdict::Bad {
        findings.push(bad(function, copy, is_display));
    }
    if is_display {
        findings.extend(tainted(function, copy));
        findings.extend(no_efi_image(function, copy));
        findings.extend(problems(function, copy));
    }
    findings
}

fn bad(function: &Function, copy: &RomCopy, is_display: bool) -> Finding {
    let (severity, remedy) = if is_display {
        (
            Severity::Caution,
            "Do not give this copy to a guest. Read the ROM again with another display as the \
             firmware's primary one; where the card's own ROM is damaged, use a file for exactly \
             this card.",
        )
    } else {
        (Severity::Note, "Leave it out of the guest ('rombar=0').")
    };
    let details = copy
        .rom
        .problems
        .iter()
        .map(|problem| problem.detail.clone());
    Finding::new(
        BAD,
        severity,
        function.address,
        "The ROM that was read is not whole.",
    )
    .seen(format!(
        "{} bytes from {}, sha256 {}",
        copy.length,
        copy.source.words(),
        copy.sha256
    ))
    .seen_all(details)
    .remedy(remedy)
}

/// The legacy shadow is told by the rule on boot displays.
fn tainted(function: &Function, copy: &RomCopy) -> Option<Finding> {
    let taint = copy.taint.as_ref().filter(|_| !is_shadow(copy))?;
    let summary = "The ROM that was read may not be what the card's flash holds.";
    Some(
        Finding::caution(TAINTED, function.address, summary)
            .seen(format!("read from {}: {taint}", copy.source.words()))
            .remedy("Start this machine from the Preflight stick and read it before any driver."),
    )
}

/// The legacy shadow never has an EFI image, which says nothing about the card.
fn no_efi_image(function: &Function, copy: &RomCopy) -> Option<Finding> {
    let of_no_use = copy.rom.images.is_empty() || copy.rom.has(ImageType::Efi) || is_shadow(copy);
    if of_no_use {
        return None;
    }
    let images: Vec<String> = copy
        .rom
        .images
        .iter()
        .map(|image| image.kind.into())
        .collect();
    let summary = "Its ROM has no EFI image: a guest with UEFI firmware (OVMF) shows nothing on it \
                   before its own driver runs.";
    Some(
        Finding::note(NO_EFI_IMAGE, function.address, summary)
            .seen(format!("images in the ROM: {}", images.join(", ")))
            .remedy(
                "Give it to a guest with SeaBIOS, or live without a picture until the driver runs.",
            ),
    )
}

fn problems(function: &Function, copy: &RomCopy) -> Vec<Finding> {
    let found = copy.rom.problems.iter();
    found
        .filter_map(|problem| {
            let entry = ProblemId::ALL.iter().find(|entry| entry.id == problem.id)?;
            Some(
                Finding::note(FindingId::new(entry.name), function.address, entry.meaning)
                    .seen(problem.detail.clone()),
            )
        })
        .collect()
}

fn is_shadow(copy: &RomCopy) -> bool {
    copy.source == RomSource::Shadow
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Verdict;
    use crate::testing::{Builder, GPU, legacy_rom, rom_reading};

    fn ids(findings: &[Finding]) -> Vec<&str> {
        findings.iter().map(|finding| &*finding.id).collect()
    }

    #[test]
    fn a_whole_rom_with_an_efi_image_is_no_finding() {
        assert_eq!(ids(&Builder::good().findings_of(&RULE)), [""; 0]);
    }

    #[test]
    fn a_rom_with_a_legacy_image_alone_is_a_note() {
        let machine = Builder::good().roms(vec![rom_reading(GPU, legacy_rom())]);
        let found = machine.clone().only(&RULE);
        assert_eq!(
            (&*found.id, found.severity),
            ("rom.no-efi-image", Severity::Note)
        );
        assert_eq!(machine.gpu_verdict(), Verdict::Ready);
    }

    #[test]
    fn a_rom_that_is_cut_off_is_a_caution_with_the_parsers_words() {
        let mut cut = legacy_rom();
        cut.truncate(700);
        let machine = Builder::good().roms(vec![rom_reading(GPU, cut)]);
        let found = machine.findings_of(&RULE);
        assert!(ids(&found).contains(&"rom.bad") && ids(&found).contains(&"rom.truncated"));
        assert_eq!(machine.gpu_verdict(), Verdict::Caution);
    }

    #[test]
    fn a_network_cards_rom_is_named_only_when_bad() {
        let nic = "02:00.0";
        let with = |bytes| {
            Builder::good().add(nic, 0x02_00_00).roms(vec![
                rom_reading(GPU, crate::testing::whole_rom()),
                rom_reading(nic, bytes),
            ])
        };
        assert!(with(legacy_rom()).findings_of(&RULE).is_empty());
        assert_eq!(with(vec![0xff; 512]).only(&RULE).severity, Severity::Note);
    }

    #[test]
    fn a_taint_is_a_caution_and_the_shadow_is_left_to_its_own_rule() {
        let mut reading = rom_reading(GPU, crate::testing::whole_rom());
        reading.taint = Some("a driver had the card".into());
        let found = Builder::good().roms(vec![reading.clone()]).only(&RULE);
        assert_eq!(found.id, "rom.tainted");
        reading.source = RomSource::Shadow;
        reading.bytes = Ok(legacy_rom());
        assert!(
            Builder::good()
                .roms(vec![reading])
                .findings_of(&RULE)
                .is_empty()
        );
    }
}
