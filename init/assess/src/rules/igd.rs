use hardware::Function;
use pci::{Address, VendorId};

use super::Rule;
use crate::context::Context;
use crate::{Finding, FindingId};

mod generation;

use generation::{Family, family};

const NEEDS: FindingId = FindingId::new("igd.needs");
const NO_OPREGION: FindingId = FindingId::new("igd.no-opregion");

pub(super) const RULE: Rule = Rule {
    ids: &[NEEDS, NO_OPREGION],
    judge,
};

const INTEL: VendorId = VendorId(0x8086);
/// Where Intel's integrated display is in every machine.
const PLACE: Address = Address {
    domain: 0,
    bus: 0,
    device: 2,
    function: 0,
};
/// Graphics control register: size of the stolen memory.
const GGC: usize = 0x50;
/// Base of the stolen memory, before and from generation 11 on.
const BDSM: usize = 0x5c;
const BDSM_GEN11: usize = 0xc0;
/// Address of the OpRegion, in which firmware describes the outputs (ASLS).
const ASLS: usize = 0xfc;

/// What a guest needs besides the function itself, as QEMU's docs/igd-assign.txt has it.
fn judge(ctx: &Context) -> Vec<Finding> {
    let display = ctx.function(PLACE).filter(|function| {
        function.class.is_display()
            && function.id.vendor == INTEL
            && function.physical_function.known().is_none()
    });
    display
        .map(|function| {
            [Some(needs(function)), no_opregion(function)]
                .into_iter()
                .flatten()
                .collect()
        })
        .unwrap_or_default()
}

fn needs(function: &Function) -> Finding {
    let family = family(function.id.device.0);
    let name = family.map_or("of a generation that is not in the list", |family| {
        family.name
    });
    let mut remedy = vec![match family {
        Some(Family {
            has_vbios: true, ..
        }) => {
            "To show the guest's start: machine type i440fx, display 'none', address 02.0 \
             ('legacy-igd=1' in Proxmox VE), its ROM, and vfio-pci without 'disable_vga=1'."
        }
        Some(_) => {
            "It has no legacy VGA ROM: to show the guest's start, OVMF and an EFI ROM for this \
             processor (romfile=) at the guest's address 02.0."
        }
        None => "Which start-up picture works with it is not known.",
    }];
    if !function.class.is_vga() {
        remedy.push(
            "Make it the primary display in the firmware setup first: ROMs work only while it is a VGA \
             device.",
        );
    }
    remedy.push("Without a picture at the start a guest's own driver is enough.");
    if family.is_some_and(|family| family.gvt_g) {
        remedy.push("Its generation can also be shared among guests (GVT-g: i915.enable_gvt=1).");
    }
    let summary = "Integrated graphics use memory and tables outside their own registers, which a guest \
                   gets only in certain settings.";
    Finding::note(NEEDS, function.address, summary)
        .seen(format!("{} is {}, {name}", function.address, function.id))
        .seen(stolen(function, family))
        .seen(opregion(function))
        .remedy(remedy.join(" "))
}

fn stolen(function: &Function, family: Option<&Family>) -> String {
    let Some(config) = function.config.known() else {
        return "stolen memory: the registers were not read".to_owned();
    };
    let (Some(control), Some(family)) = (config.u16(GGC), family) else {
        return "stolen memory: not known for this generation, or not read".to_owned();
    };
    let base = if family.wide_base {
        let (low, high) = (config.u32(BDSM_GEN11), config.u32(BDSM_GEN11 + 4));
        low.zip(high)
            .map(|(low, high)| (u64::from(high) << 32) | u64::from(low))
    } else {
        config.u32(BDSM).map(u64::from)
    };
    // The lowest 20 bits are lock and reserved bits.
    let base = base.map_or("an unread address".to_owned(), |base| {
        format!("{:#x}", base & !0xf_ffff)
    });
    match family.stolen_mib(control) {
        Some(size) => format!("stolen memory: {size} MiB at {base} (GGC {control:#06x})"),
        None => format!("stolen memory: size not known (GGC {control:#06x}), at {base}"),
    }
}

/// The address of the OpRegion: none when firmware made none.
fn asls(function: &Function) -> Option<Option<u32>> {
    let value = function.config.known()?.u32(ASLS)?;
    Some((value != 0 && value != u32::MAX).then_some(value))
}

fn opregion(function: &Function) -> String {
    match asls(function) {
        Some(Some(address)) => format!("OpRegion at {address:#x}"),
        Some(None) => "no OpRegion (register 0xfc)".to_owned(),
        None => "OpRegion: register 0xfc was not read".to_owned(),
    }
}

fn no_opregion(function: &Function) -> Option<Finding> {
    if asls(function)?.is_some() {
        return None;
    }
    let summary =
        "Firmware describes no outputs for it (no OpRegion): a guest drives no screen with it.";
    Some(
        Finding::note(NO_OPREGION, function.address, summary)
            .seen(opregion(function))
            .remedy(
                "Switch integrated graphics (multi-monitor) on in the firmware setup, with a screen \
                 plugged in at the start. Computing and encoding work without it.",
            ),
    )
}

#[cfg(test)]
mod tests {
    use hardware::Reading;
    use pci::{ConfigSpace, FunctionId};

    use super::*;
    use crate::Severity;
    use crate::testing::{Builder, GPU};

    const IGD: &str = "00:02.0";

    fn registers(writes: &[(usize, u32)]) -> ConfigSpace {
        let mut bytes = vec![0; 256];
        for (offset, value) in writes {
            bytes[*offset..offset + 4].copy_from_slice(&value.to_le_bytes());
        }
        ConfigSpace::new(bytes)
    }

    fn with(device: u16, writes: &[(usize, u32)]) -> Builder {
        let config = registers(writes);
        Builder::good().add(IGD, 0x03_00_00).change(IGD, |igd| {
            igd.id = FunctionId::new(0x8086, device);
            igd.config = Reading::Known(config);
        })
    }

    #[test]
    fn a_processor_with_a_vga_rom_is_told_what_legacy_mode_needs() {
        let found = with(
            0x3e92,
            &[(GGC, 0x0200), (BDSM, 0x7c00_0001), (ASLS, 0x7b00_0000)],
        );
        let found = found.only(&RULE);
        assert_eq!((&*found.id, found.severity), ("igd.needs", Severity::Note));
        assert!(found.evidence[0].contains("Coffee Lake"));
        assert_eq!(
            found.evidence[1],
            "stolen memory: 64 MiB at 0x7c000000 (GGC 0x0200)"
        );
        assert!(found.evidence[2].contains("0x7b000000"));
        let remedy = found.remedy.unwrap();
        assert!(
            remedy.contains("i440fx") && remedy.contains("disable_vga") && remedy.contains("GVT-g")
        );
    }

    #[test]
    fn a_newer_one_has_efi_alone_and_its_base_elsewhere() {
        let found = with(
            0x4680,
            &[(GGC, 0xf000), (BDSM_GEN11, 0x4080_0000), (ASLS, 1 << 30)],
        );
        let found = found.only(&RULE);
        assert!(found.evidence[1].starts_with("stolen memory: 4 MiB at 0x40800000"));
        let remedy = found.remedy.unwrap();
        assert!(remedy.contains("EFI ROM") && !remedy.contains("GVT-g"));
    }

    #[test]
    fn a_generation_that_nobody_listed_is_not_guessed() {
        let found = with(0x7d55, &[(GGC, 0x0200), (ASLS, 1 << 30)]).only(&RULE);
        assert!(found.evidence[1].contains("not known for this generation"));
        assert!(found.remedy.unwrap().contains("not known"));
    }

    #[test]
    fn no_opregion_is_a_note_of_its_own_only_where_the_register_was_read() {
        let found = with(0x3e92, &[]).findings_of(&RULE);
        assert_eq!(found.len(), 2);
        assert_eq!(found[1].id, "igd.no-opregion");
        let unread = with(0x3e92, &[]).change(IGD, |igd| {
            igd.config = Reading::Known(ConfigSpace::new(vec![0; 64]));
        });
        assert_eq!(unread.findings_of(&RULE).len(), 1);
    }

    #[test]
    fn a_card_in_a_slot_is_no_finding() {
        let arc = Builder::good().change(GPU, |gpu| gpu.id = FunctionId::new(0x8086, 0x56a0));
        assert!(arc.findings_of(&RULE).is_empty());
    }
}
