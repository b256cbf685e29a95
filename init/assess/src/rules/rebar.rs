use hardware::{Function, Reading};
use pci::ConfigSpace;

use super::Rule;
use crate::context::Context;
use crate::{Finding, FindingId};

const OFF: FindingId = FindingId::new("rebar.off");

pub(super) const RULE: Rule = Rule { ids: &[OFF], judge };

const RESIZABLE_BAR: u16 = 0x0015;
/// A function has six BARs.
const MAX_ENTRIES: usize = 6;
const FOUR_GIB: u64 = 1 << 32;
/// `IORESOURCE_MEM_64`.
const WIDE: u64 = 0x10_0000;

/// A BAR that can be resized (PCI Express Base specification, 7.8.6); sizes in MiB.
#[derive(Debug, PartialEq, Eq)]
struct Resizable {
    bar: u8,
    now: u64,
    most: u64,
}

fn judge(ctx: &Context) -> Vec<Finding> {
    let functions = ctx.cards.iter().flat_map(|card| &card.functions);
    functions
        .filter(|function| function.class.is_display())
        .filter_map(|function| off(function))
        .collect()
}

fn off(function: &Function) -> Option<Finding> {
    let all = resizable(function.config.known()?)?;
    let smaller = all.iter().filter(|entry| entry.now < entry.most);
    let entry = smaller.max_by_key(|entry| entry.most)?;
    let (now, most) = (size(entry.now), size(entry.most));
    let summary =
        format!("Resizable BAR is off: {now} of its memory show at a time, {most} are possible.");
    let finding = Finding::note(OFF, function.address, summary).seen(format!(
        "Resizable BAR capability of {}: BAR {} is {now}, {most} at most",
        function.address, entry.bar
    ));
    let low = low_bar(function, entry.bar)
        .map(|start| format!("BAR {} lies below 4 GiB, at {start:#x}", entry.bar));
    Some(finding.seen_all(low).remedy(
        "Guests run without it. For more speed switch 'Above 4G decoding' and 'Resizable BAR' on in the \
         firmware setup, with CSM off; if the guest then fails to start its driver, switch it off again.",
    ))
}

/// Where a 64-bit BAR lies, if that is below 4 GiB all the same: firmware does not decode above.
fn low_bar(function: &Function, index: u8) -> Option<u64> {
    let bars = function.bars.known()?;
    let bar = bars.iter().find(|bar| bar.index == index)?;
    (bar.flags & WIDE != 0 && bar.start != 0 && bar.end < FOUR_GIB).then_some(bar.start)
}

/// None where the extended registers were not read or have no such capability.
fn resizable(config: &ConfigSpace) -> Option<Vec<Resizable>> {
    let list = config.extended_capabilities()?;
    let base = list.iter().find(|entry| entry.id == RESIZABLE_BAR)?.offset;
    let count = usize::try_from((config.u32(base + 8)? >> 5) & 0x7).ok()?;
    let entries = (0..count.min(MAX_ENTRIES)).map(|number| {
        let at = base + 4 + 8 * number;
        let (sizes, control) = (config.u32(at)?, config.u32(at + 4)?);
        // Bits 31:4 of the first register are 1 MiB to 128 TiB; bits 31:16 of the second go on.
        let sizes = u64::from(sizes >> 4) | (u64::from(control >> 16) << 28);
        let largest = sizes.checked_ilog2()?;
        Some(Resizable {
            bar: u8::try_from(control & 0x7).ok()?,
            now: 1 << ((control >> 8) & 0x3f).min(63),
            most: 1 << largest,
        })
    });
    Some(entries.flatten().collect())
}

fn size(mebibytes: u64) -> String {
    match mebibytes {
        0..1024 => format!("{mebibytes} MiB"),
        _ => format!("{} GiB", mebibytes / 1024),
    }
}

/// Why it cannot be told whether a display's BARs can be resized, where that is so.
pub(super) fn unread(function: &Function) -> Option<String> {
    match (&function.config, function.port_type()) {
        (Reading::Known(config), Reading::Known(_)) if config.extended_capabilities().is_none() => {
            Some(format!(
                "only {} bytes of the configuration space were read",
                config.bytes().len()
            ))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Builder, GPU, express_with};
    use crate::{Severity, Verdict};

    /// 256 MiB now, up to 16 GiB.
    const CAPABILITY: &[(usize, u32)] = &[
        (0x100, 0x0001_0015),
        (0x104, 0x0007_f000),
        (0x108, 0x0000_0820),
    ];

    fn with(writes: &[(usize, u32)], flags: u64) -> Builder {
        Builder::good().change(GPU, |gpu| {
            gpu.config = Reading::Known(express_with(0, writes));
            gpu.bars = gpu.bars.clone().map(|mut bars| {
                bars[0].flags = flags;
                bars
            });
        })
    }

    #[test]
    fn a_display_with_a_small_window_is_a_note_that_says_how_large_it_could_be() {
        let machine = with(CAPABILITY, 0x14_0204);
        let found = machine.only(&RULE);
        assert_eq!(found.severity, Severity::Note);
        assert!(found.summary.contains("256 MiB") && found.summary.contains("16 GiB"));
        assert!(found.evidence[1].contains("below 4 GiB"));
        assert_eq!(machine.gpu_verdict(), Verdict::Ready);
    }

    #[test]
    fn a_window_of_full_size_is_no_finding() {
        let full = [CAPABILITY[0], CAPABILITY[1], (0x108, 0x0000_0e20)];
        assert!(with(&full, 0x200).findings_of(&RULE).is_empty());
        assert!(with(&[], 0x200).findings_of(&RULE).is_empty());
    }

    #[test]
    fn a_capability_that_makes_no_sense_is_no_finding() {
        let cut = [(0x100, 0x0001_0015), (0x104, 0), (0x108, 0xffff_ffff)];
        let _ = with(&cut, 0x200).findings_of(&RULE);
        assert!(resizable(&ConfigSpace::new(vec![0; 256])).is_none());
    }

    #[test]
    fn registers_that_were_not_read_are_named() {
        let short = express_with(0, &[]).bytes()[..256].to_vec();
        let machine = Builder::good().change(GPU, |gpu| {
            gpu.config = Reading::Known(ConfigSpace::new(short));
        });
        assert!(machine.findings_of(&RULE).is_empty());
        let gpu = machine.machine.functions.last().unwrap();
        assert!(unread(gpu).unwrap().contains("only 256 bytes"));
    }

    proptest::proptest! {
        #[test]
        fn any_registers_are_read_without_panic(bytes in proptest::collection::vec(0_u8.., 256..600)) {
            let mut bytes = bytes;
            bytes.splice(0x100..0x100, [0x15, 0, 1, 0]);
            let _ = resizable(&ConfigSpace::new(bytes));
        }
    }
}
