use assess::RomSummary;
use hardware::Function;
use option_rom::{ImageType, Rom, Verdict};

use super::Step;
use crate::draft::Draft;

/// Where QEMU on Proxmox VE looks for ROM files.
pub(super) const FOLDER: &str = "/usr/share/kvm";

/// The ROM file for the guest.
pub(super) const STEP: Step = Step {
    refusals: &["rom-bad", "rom-name-taken"],
    write,
};

fn write(draft: &mut Draft) {
    let ctx = draft.ctx;
    if ctx.stays_with_host() {
        return;
    }
    let Some(display) = ctx.display().or_else(|| ctx.given.first().copied()) else {
        return;
    };
    let Some(file) = &ctx.choice.rom else {
        if ctx.boot_display().is_some() {
            draft.warnings.push(format!(
                "{} is the display that the firmware uses: what the guest reads from its ROM may be a changed copy. Give a clean one with --rom.",
                display.address
            ));
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
    let path = format!("{FOLDER}/{}", name(&file.path));
    let why = format!(
        "The guest is given this ROM for {} instead of the one that it would read from the card.",
        display.address
    );
    draft.copy(&path, file, &why);
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

/// The ROM that the guest will see: the file, else what was read of the card.
pub(super) fn seen<'a>(draft: &Draft<'a>, display: &Function) -> Option<&'a Rom> {
    let ctx = draft.ctx;
    if let Some(file) = &ctx.choice.rom {
        return Some(&file.rom);
    }
    let function = ctx
        .subject
        .assessment
        .functions
        .iter()
        .find(|function| function.address == display.address)?;
    match &function.rom {
        RomSummary::Read(choice) => Some(&choice.copy.rom),
        _ => None,
    }
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
