use assess::{Assessment, RomCopy, RomSummary};
use hardware::{Function, Machine, Reading};
use option_rom::{ImageType, Rom, Verdict};

use super::Step;
use super::guest::selectors;
use crate::choice::Choice;
use crate::context::{Context, chosen};
use crate::draft::Draft;

/// Where QEMU on Proxmox VE looks for ROM files.
pub(super) const FOLDER: &str = "/usr/share/kvm";

/// The ROM file for the guest.
pub(super) const STEP: Step = Step {
    refusals: &["rom-bad", "rom-name-taken", "rom-not-for-one"],
    write,
};

fn write(draft: &mut Draft) {
    let ctx = draft.ctx;
    if ctx.stays_with_host() {
        return;
    }
    let Some(file) = &ctx.choice.rom else {
        if let Some(display) = ctx.boot_display() {
            let remedy = match clean_copy(ctx.subject.assessment, display) {
                Some(copy) => format!(
                    "A clean one was read from {}: give it with --rom read; elsewhere save it with 'preflight rom \
                     dump', and give the file.",
                    copy.source.words()
                ),
                None => "Give a clean one with --rom.".to_owned(),
            };
            draft
                .warnings
                .push(format!("{} {remedy}", may_be_changed(display)));
        }
        return;
    };
    if file.rom.verdict == Verdict::Bad {
        let evidence = file
            .rom
            .problems
            .iter()
            .map(|problem| problem.detail.clone())
            .collect();
        draft.refuse(
            "rom-bad",
            true,
            "The ROM file is not one that the card would have.",
            evidence,
        );
    }
    let Some(target) = placed(draft) else {
        return;
    };
    let path = format!("{FOLDER}/{}", name(&file.path));
    let why = format!(
        "The guest is given this ROM for {} instead of the one that it would read from the card.",
        target.address
    );
    draft.copy(&path, file, &why);
}

fn may_be_changed(display: &Function) -> String {
    format!(
        "{} is the display that the firmware uses: what the guest reads from its ROM may be a changed copy.",
        display.address
    )
}

/// Why the guest should be given the copy that was read of the ROM of what is chosen, in sentences. None where it can
/// read the card's own as well, and where no clean copy was read.
pub fn rom_advised(machine: &Machine, assessment: &Assessment, choice: &Choice) -> Option<String> {
    let target = rom_target(machine, choice)?;
    let copy = clean_copy(assessment, target)?;
    let is_firmwares = target.boot_vga == Reading::Known(true);
    is_firmwares.then(|| {
        let source = copy.source.words();
        format!(
            "{} A clean one was read from {source}.",
            may_be_changed(target)
        )
    })
}

/// What a ROM is for, of each card: its first display, or its first function where no display is among them.
fn candidates<'a>(given: &[&'a Function]) -> Vec<&'a Function> {
    let mut found: Vec<&Function> = Vec::new();
    let displays = given.iter().filter(|function| function.class.is_display());
    let displays: Vec<&&Function> = displays.collect();
    let all = if displays.is_empty() {
        given.iter().collect()
    } else {
        displays
    };
    for function in all {
        let slot = function.address.slot();
        if !found.iter().any(|known| known.address.slot() == slot) {
            found.push(function);
        }
    }
    found
}

/// The function that a ROM file is judged for and goes to. Several that it could be for are a refusal of the plan.
pub fn rom_target<'a>(machine: &'a Machine, choice: &Choice) -> Option<&'a Function> {
    let (given, _) = chosen(machine, choice);
    let functions = machine.functions.iter();
    let given: Vec<&Function> = functions
        .filter(|function| given.contains(&function.address))
        .collect();
    candidates(&given).first().copied()
}

/// The one function that is given the ROM file.
pub(super) fn target<'a>(ctx: &Context<'a>) -> Option<&'a Function> {
    if ctx.choice.rom.is_none() || ctx.stays_with_host() {
        return None;
    }
    match candidates(&ctx.given).as_slice() {
        [one] => Some(*one),
        _ => None,
    }
}

/// The same, with a refusal where a ROM file cannot go to it alone.
fn placed<'a>(draft: &mut Draft<'a>) -> Option<&'a Function> {
    let ctx = draft.ctx;
    let target = target(ctx);
    let evidence = match target {
        None => {
            let several = candidates(&ctx.given);
            let first = several.first()?;
            let what = match first.class.is_display() {
                true => "is a display",
                false => "is a card",
            };
            let each = several.iter();
            let mut evidence: Vec<String> = each
                .map(|function| format!("{} {what}", function.address))
                .collect();
            evidence.push("Plan for each by itself, with the ROM file that is its own.".to_owned());
            evidence
        }
        Some(target) => {
            // Proxmox VE gives the file to the first function of a line (PVE::QemuServer::PCI,
            // print_hostpci_devices).
            let lines = selectors(ctx).into_iter();
            let mut others = lines.filter_map(|(_, functions)| {
                let first = functions.first()?.address;
                let is_in = functions.iter().any(|one| one.address == target.address);
                (is_in && first != target.address).then_some(first)
            });
            match others.next().filter(|_| ctx.choice.guest.is_some()) {
                None => return Some(target),
                Some(first) => vec![
                    format!(
                        "the file is for {}, and of a card that is given whole {first} gets it",
                        target.address
                    ),
                    "Name the functions, and set functions=chosen.".to_owned(),
                ],
            }
        }
    };
    draft.refuse(
        "rom-not-for-one",
        false,
        "The ROM file cannot be given to exactly the function that it is for.",
        evidence,
    );
    None
}

/// The file's name in the folder: the option takes no comma and no blank, and with its ending it is none of the
/// firmware that QEMU has there for the guest itself.
pub(super) fn name(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or(path);
    let plain = name.chars().map(|character| {
        let is_plain = character.is_ascii_alphanumeric() || "._-".contains(character);
        if is_plain { character } else { '_' }
    });
    let name: String = plain.collect();
    if name.ends_with(".rom") {
        name
    } else {
        format!("{name}.rom")
    }
}

/// The ROM that the guest will see, as far as that is known: the file, else what was read of the card.
pub(super) fn seen<'a>(draft: &Draft<'a>, display: &Function) -> Option<&'a Rom> {
    let ctx = draft.ctx;
    if let Some(file) = &ctx.choice.rom
        && target(ctx).is_some_and(|target| target.address == display.address)
    {
        return Some(&file.rom);
    }
    clean_copy(ctx.subject.assessment, display).map(|copy| &copy.rom)
}

/// The best copy that was read of a function's ROM, where a guest can be given it. The legacy shadow is none: without
/// an EFI image as ever, it says nothing of what the card has.
fn clean_copy<'a>(assessment: &'a Assessment, function: &Function) -> Option<&'a RomCopy> {
    let mut judged = assessment.functions.iter();
    let judged = judged.find(|judged| judged.address == function.address)?;
    match &judged.rom {
        RomSummary::Read(choice) => Some(&choice.copy),
        _ => None,
    }
    .filter(|copy| copy.can_be_given())
}

/// What of the guest's firmware a ROM does not serve, in a sentence.
pub(super) fn unfit(rom: &Rom, ovmf: bool) -> Option<&'static str> {
    if ovmf && !rom.has(ImageType::Efi) && rom.has(ImageType::X86) {
        Some(
            "The card's ROM has no EFI image, so OVMF shows nothing on it: the guest would need SeaBIOS (--set bios=seabios), or a ROM with an EFI image.",
        )
    } else if !ovmf && rom.has(ImageType::Efi) && !rom.has(ImageType::X86) {
        Some(
            "The card's ROM has an EFI image alone, so SeaBIOS shows nothing on it: the guest would need OVMF (--set bios=ovmf).",
        )
    } else {
        None
    }
}
