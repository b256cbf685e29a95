use super::Rule;
use crate::context::Context;
use crate::iommu::unmapped_io_apics;
use crate::{Answer, Finding, FindingId, IommuVendor};

const UNMAPPED: FindingId = FindingId::new("remapping.ioapic-unmapped");

pub(super) const RULE: Rule = Rule {
    ids: &[UNMAPPED],
    judge,
};

fn judge(ctx: &Context) -> Vec<Finding> {
    let ids = unmapped_io_apics(ctx.machine, &ctx.iommu.tables);
    if ids.is_empty() || ctx.iommu.summary.interrupt_remapping == Answer::Yes {
        return Vec::new();
    }
    let is_amd = ctx.iommu.summary.vendor == IommuVendor::Amd;
    let table = if is_amd { "IVRS" } else { "DMAR" };
    let remedy = if is_amd {
        "Update the board's firmware. On AMD 'ivrs_ioapic=ID@0000:00:14.0' on the kernel command line can stand \
         in, with the id below and the address of the chipset's IOAPIC."
    } else {
        "Update the board's firmware: nothing on the kernel command line can stand in."
    };
    let summary = "The firmware's table leaves out an interrupt controller: with the IOMMU on, Linux then does not \
                   remap interrupts, and VFIO refuses to attach devices.";
    let lines = ids.iter().map(|id| {
        format!("ACPI table APIC has an IOAPIC with id {id}, and no unit in {table} is for it")
    });
    vec![
        Finding::caution(UNMAPPED, None, summary)
            .seen_all(lines)
            .remedy(remedy),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Verdict;
    use crate::testing::Builder;
    use crate::testing::tables::{amd_unit, dmar, ivrs, madt, scope, unit};

    fn with_scope_for(id: u8) -> Builder {
        let units = [unit(1, 0xfed9_0000, &[scope(3, id, 0xf0, &[0x1f, 0])])];
        Builder::good()
            .log(&[])
            .table("DMAR", dmar(1, &units))
            .table("APIC", madt(&[2]))
    }

    #[test]
    fn an_io_apic_without_a_unit_is_named_and_remapping_is_off() {
        let machine = with_scope_for(0);
        let found = machine.only(&RULE);
        assert!(found.evidence[0].contains("id 2"), "{found:#?}");
        let assessment = machine.assess();
        assert_eq!(assessment.iommu.interrupt_remapping, Answer::No);
        assert_eq!(machine.gpu_verdict(), Verdict::Blocked);
    }

    #[test]
    fn the_kernel_s_word_outweighs_the_table() {
        let enabled = "DMAR-IR: Enabled IRQ remapping in x2apic mode";
        assert!(
            with_scope_for(0)
                .log(&[enabled])
                .findings_of(&RULE)
                .is_empty()
        );
    }

    #[test]
    fn an_io_apic_that_a_unit_is_for_is_no_finding() {
        assert!(with_scope_for(2).findings_of(&RULE).is_empty());
    }

    #[test]
    fn on_amd_special_entries_count_and_so_does_the_option_that_stands_in() {
        let with = |handle| {
            let entries = [0x48, 0, 0, 0, handle, 0xa0, 0, 1];
            Builder::good()
                .amd()
                .log(&[])
                .table("IVRS", ivrs(&[amd_unit(2, &entries)]))
                .table("APIC", madt(&[33]))
        };
        assert!(with(33).findings_of(&RULE).is_empty());
        assert!(with(32).only(&RULE).remedy.unwrap().contains("ivrs_ioapic"));
        let mended = with(32).command_line("ivrs_ioapic[33]=00:14.0");
        assert!(mended.findings_of(&RULE).is_empty());
    }
}
