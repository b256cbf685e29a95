use hardware::acpi::TableProblem;

use super::Rule;
use crate::context::Context;
use crate::{Answer, Finding, FindingId, Severity};

const CHECKSUM: FindingId = FindingId::new("iommu.table-checksum");
const DAMAGED: FindingId = FindingId::new("iommu.table-damaged");
const UNKNOWN: FindingId = FindingId::new("iommu.table-newer");

pub(super) const RULE: Rule = Rule {
    ids: &[CHECKSUM, DAMAGED, UNKNOWN],
    judge,
};

/// So many lines say enough.
const MAX_LINES: usize = 8;

const UPDATE: &str = "Update the board's firmware; if its newest version still has this, report it to the \
                      maker with these lines.";

fn judge(ctx: &Context) -> Vec<Finding> {
    let tables = &ctx.iommu.tables;
    let (mut checksums, mut damage, mut newer) = (Vec::new(), Vec::new(), Vec::new());
    damage.extend(
        tables
            .errors()
            .map(|(table, error)| format!("ACPI table {table}: {error}")),
    );
    for (table, problem) in tables.problems() {
        let line = format!("ACPI table {table}: {problem}");
        match problem {
            TableProblem::Checksum => checksums.push((table, line)),
            problem if problem.is_damage() => damage.push(line),
            _ => newer.push(line),
        }
    }
    newer.extend(unknown_structures(ctx));
    let severity = severity(ctx);
    let findings = [
        checksum(severity, checksums),
        damaged(severity, damage),
        unknown(newer),
    ];
    findings.into_iter().flatten().collect()
}

/// A kernel that uses the IOMMU has coped with the table.
fn severity(ctx: &Context) -> Severity {
    match ctx.iommu_active() {
        Answer::Yes => Severity::Note,
        Answer::No | Answer::Unknown => Severity::Caution,
    }
}

fn checksum(severity: Severity, found: Vec<(&str, String)>) -> Option<Finding> {
    let (table, _) = found.first()?;
    // drivers/iommu/amd/init.c, check_ivrs_checksum; ACPICA, AcpiUtVerifyChecksum.
    let summary = if *table == "IVRS" {
        "The table that describes the IOMMU has a wrong checksum: Linux does not use an AMD IOMMU with such a \
         table."
    } else {
        "The table that describes the IOMMU has a wrong checksum: Linux warns and uses it all the same, but \
         its content may be wrong."
    };
    let lines = found.into_iter().map(|(_, line)| line);
    Some(
        Finding::new(CHECKSUM, severity, None, summary)
            .seen_all(lines)
            .remedy(UPDATE),
    )
}

fn damaged(severity: Severity, lines: Vec<String>) -> Option<Finding> {
    let summary = "The table that describes the IOMMU is damaged: what stands behind the damage is not known, \
                   and Linux may refuse the whole table.";
    (!lines.is_empty()).then(|| {
        Finding::new(DAMAGED, severity, None, summary)
            .seen_all(shortened(lines))
            .remedy(UPDATE)
    })
}

fn unknown_structures(ctx: &Context) -> Vec<String> {
    let tables = &ctx.iommu.tables;
    let dmar = tables.dmar().into_iter().flat_map(|table| &table.unknown);
    let ivrs = tables.ivrs().into_iter().flat_map(|table| &table.unknown);
    let dmar = dmar.map(|structure| ("DMAR", structure));
    dmar.chain(ivrs.map(|structure| ("IVRS", structure)))
        .map(|(table, structure)| {
            let (kind, offset, length) = (structure.kind, structure.offset, structure.length);
            format!("ACPI table {table}: {length} bytes of type {kind:#x} at offset {offset}")
        })
        .collect()
}

fn unknown(lines: Vec<String>) -> Option<Finding> {
    let summary = "The table that describes the IOMMU has parts that no specification known to Preflight \
                   explains; they were passed over, as Linux passes them over.";
    (!lines.is_empty()).then(|| Finding::note(UNKNOWN, None, summary).seen_all(shortened(lines)))
}

/// The first lines, and how many more there are.
pub(super) fn shortened(mut lines: Vec<String>) -> Vec<String> {
    let more = lines.len().saturating_sub(MAX_LINES);
    lines.truncate(MAX_LINES);
    if more > 0 {
        lines.push(format!("and {more} more"));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Builder;
    use crate::testing::tables::{amd_unit, dmar, ivrs, unit};

    fn broken_sum(mut bytes: Vec<u8>) -> Vec<u8> {
        bytes[9] ^= 1;
        bytes
    }

    #[test]
    fn a_wrong_checksum_matters_where_the_kernel_does_not_use_the_iommu() {
        let bytes = broken_sum(dmar(1, &[unit(1, 0xfed9_0000, &[])]));
        let machine = Builder::good().table("DMAR", bytes);
        let found = machine.only(&RULE);
        assert_eq!(found.id, "iommu.table-checksum");
        assert_eq!(found.severity, Severity::Note);
        let off = machine.units(&[]).without_groups();
        assert_eq!(off.only(&RULE).severity, Severity::Caution);
    }

    #[test]
    fn of_an_ivrs_it_is_said_that_linux_refuses_it() {
        let bytes = broken_sum(ivrs(&[amd_unit(2, &[1, 0, 0, 0])]));
        let machine = Builder::good().amd().table("IVRS", bytes);
        let found = machine.units(&[]).without_groups().only(&RULE);
        assert!(found.summary.contains("does not use"), "{}", found.summary);
    }

    #[test]
    fn lengths_that_lead_nowhere_and_what_is_no_table_are_damage() {
        let long = vec![0, 0, 200, 0];
        for bytes in [dmar(1, &[long]), b"DMAR".to_vec(), ivrs(&[])] {
            let found = Builder::good().table("DMAR", bytes).only(&RULE);
            assert_eq!(found.id, "iommu.table-damaged");
        }
    }

    #[test]
    fn many_damaged_structures_are_a_few_lines() {
        let short: Vec<_> = (0..20).map(|_| vec![0, 0, 5, 0, 0]).collect();
        let found = Builder::good().table("DMAR", dmar(1, &short)).only(&RULE);
        assert_eq!(found.evidence.len(), 9);
        assert_eq!(found.evidence[8], "and 12 more");
    }

    #[test]
    fn a_structure_of_unknown_type_is_a_note() {
        let bytes = dmar(1, &[vec![0x99, 0, 4, 0]]);
        let found = Builder::good().table("DMAR", bytes).only(&RULE);
        assert_eq!(
            (&*found.id, found.severity),
            ("iommu.table-newer", Severity::Note)
        );
    }

    #[test]
    fn sound_tables_are_no_finding() {
        assert!(Builder::good().findings_of(&RULE).is_empty());
        assert!(Builder::good().amd().findings_of(&RULE).is_empty());
        assert!(
            Builder::good()
                .without_iommu()
                .findings_of(&RULE)
                .is_empty()
        );
    }
}
