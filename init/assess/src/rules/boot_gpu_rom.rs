use hardware::rom::has_prom;
use hardware::{Function, Reading, RomSource};

use super::Rule;
use crate::context::Context;
use crate::kernel::contains;
use crate::{Finding, FindingId, RomSummary, rom};

const SHADOWED: FindingId = FindingId::new("boot-gpu.shadowed-rom");

pub(super) const RULE: Rule = Rule {
    ids: &[SHADOWED],
    judge,
};

/// Where a legacy BIOS copies the boot display's ROM, and where the kernel then looks for it.
const SHADOW_START: u64 = 0xc0000;

/// The kernel shows the firmware's copy in memory as the boot display's ROM: without its EFI image, cut
/// to run-time size, and changed by the code in it. A clean copy from elsewhere settles it.
fn judge(ctx: &Context) -> Vec<Finding> {
    let functions = ctx.cards.iter().flat_map(|card| &card.functions);
    functions
        .filter(|function| !has_clean_copy(ctx, function))
        .filter_map(|function| {
            let evidence = evidence(ctx, function);
            let summary = "It is the firmware's boot display: what the kernel shows as its ROM is the \
                           legacy copy at 0xC0000, not what the card's flash holds.";
            (!evidence.is_empty()).then(|| {
                Finding::caution(SHADOWED, function.address, summary)
                    .seen_all(evidence)
                    .remedy(remedy(function))
            })
        })
        .collect()
}

const REMEDY: &str = "Do not give this copy to a guest. Start the stick by UEFI with CSM off, where firmware \
                      hands over what it read from the flash; or make another display the primary one in \
                      the firmware setup (integrated graphics, a second card), and read the ROM again.";

fn remedy(function: &Function) -> String {
    if has_prom(function) {
        format!(
            "{REMEDY} This card's flash can also be read through its own registers: start with \
             preflight.prom=yes, or run 'preflight rom dump --prom'."
        )
    } else {
        REMEDY.to_owned()
    }
}

fn has_clean_copy(ctx: &Context, function: &Function) -> bool {
    matches!(ctx.rom(function), RomSummary::Read(choice) if choice.copy.taint.is_none())
}

fn evidence(ctx: &Context, function: &Function) -> Vec<String> {
    let address = function.address.to_string();
    let region = function
        .rom_region
        .known()
        .filter(|region| region.start == SHADOW_START)
        .map(|region| {
            format!(
                "ROM region of {address} is {:#x}-{:#x} in 'resource', line 7",
                region.start, region.end
            )
        });
    let read = rom::attempts(function, ctx.roms)
        .into_iter()
        .filter(|reading| reading.source == RomSource::Shadow)
        .map(|reading| match (&reading.bytes, &reading.taint) {
            (Ok(_), Some(taint)) => format!("the ROM that was read: {taint}"),
            (Ok(_), None) => "the ROM was read from 0xC0000".to_owned(),
            (Err(failure), _) => format!("reading the copy at 0xC0000 failed: {failure}"),
        });
    let log = match &ctx.machine.kernel.log {
        Reading::Known(lines) => lines.as_slice(),
        _ => &[],
    };
    let said = log
        .iter()
        .filter(|line| contains(line, "shadowed rom") && line.contains(&address))
        .map(|line| format!("kernel log: {line}"));
    region.into_iter().chain(read).chain(said).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Builder, GPU, legacy_rom, rom_reading};
    use crate::{Severity, Verdict};

    #[test]
    fn a_boot_display_with_the_legacy_copy_is_a_caution() {
        let mut reading = rom_reading(GPU, legacy_rom());
        reading.source = RomSource::Shadow;
        reading.taint = Some("the legacy copy at 0xC0000".into());
        let machine = Builder::good()
            .boot_gpu()
            .rom_at(0xc0000)
            .roms(vec![reading]);
        let found = machine.clone().only(&RULE);
        assert_eq!(found.severity, Severity::Caution);
        assert_eq!(found.evidence.len(), 2);
        assert_eq!(machine.gpu_verdict(), Verdict::Caution);
    }

    #[test]
    fn the_kernels_word_or_the_region_is_enough_when_nothing_was_read() {
        let said =
            "pci 0000:01:00.0: Video device with shadowed ROM at [mem 0x000c0000-0x000dffff]";
        let machine = Builder::good().boot_gpu().roms_unread();
        assert_eq!(machine.clone().log(&[said]).findings_of(&RULE).len(), 1);
        assert_eq!(machine.clone().rom_at(0xc0000).findings_of(&RULE).len(), 1);
        assert!(machine.findings_of(&RULE).is_empty());
    }

    #[test]
    fn an_nvidia_card_is_told_of_the_window_to_its_flash() {
        let machine = Builder::good().boot_gpu().roms_unread().rom_at(0xc0000);
        let remedy = |machine: &Builder| machine.only(&RULE).remedy.unwrap();
        assert!(!remedy(&machine).contains("preflight.prom=yes"));
        let nvidia = machine.change(GPU, |gpu| gpu.id = pci::FunctionId::new(0x10de, 0x0fc6));
        assert!(remedy(&nvidia).contains("preflight.prom=yes"));
    }

    #[test]
    fn a_clean_copy_from_elsewhere_settles_it() {
        let machine = Builder::good().boot_gpu().rom_at(0xc0000);
        assert!(machine.findings_of(&RULE).is_empty());
    }
}
