use std::collections::BTreeMap;

use hardware::{Function, Reading};
use pci::{Address, VendorId};

use super::Rule;
use crate::context::Context;
use crate::{Finding, FindingId};

const CAPABLE: FindingId = FindingId::new("sriov.capable");
const IN_USE: FindingId = FindingId::new("sriov.in-use");

pub(super) const RULE: Rule = Rule {
    ids: &[CAPABLE, IN_USE],
    judge,
};

const INTEL: VendorId = VendorId(0x8086);

fn judge(ctx: &Context) -> Vec<Finding> {
    let mut parts: BTreeMap<Address, Vec<&Function>> = BTreeMap::new();
    for function in ctx.functions() {
        if let Some(whole) = function.physical_function.known() {
            parts.entry(*whole).or_default().push(function);
        }
    }
    let functions = ctx.cards.iter().flat_map(|card| &card.functions);
    functions
        .filter(|function| function.physical_function.known().is_none())
        .filter_map(|function| in_use(&parts, function).or_else(|| capable(function)))
        .collect()
}

/// A physical function takes its virtual ones with it.
fn in_use(parts: &BTreeMap<Address, Vec<&Function>>, function: &Function) -> Option<Finding> {
    let address = function.address;
    let shown = parts.get(&address).map_or(&[][..], Vec::as_slice);
    let enabled = function
        .enabled_virtual_functions
        .known()
        .copied()
        .unwrap_or(0);
    if shown.is_empty() && enabled == 0 {
        return None;
    }
    let count = usize::from(enabled).max(shown.len());
    let bound = shown.iter().filter_map(|other| {
        let driver = other.driver.known()?;
        Some(format!("{} is bound to {driver}", other.address))
    });
    let summary = format!(
        "{count} virtual functions of it are switched on: they go away when the whole card is given to a \
         guest."
    );
    Some(
        Finding::caution(IN_USE, address, summary)
            .seen(format!("virtual functions of {address}: {count}"))
            .seen_all(bound)
            .remedy(
                "Give guests the virtual functions and leave the card with the host, or switch them off \
                 first (echo 0 > sriov_numvfs).",
            ),
    )
}

fn capable(function: &Function) -> Option<Finding> {
    let Reading::Known(total @ 1..) = function.total_virtual_functions else {
        return None;
    };
    let remedy = if function.class.is_display() && function.id.vendor == INTEL {
        "The host's driver must be able to: the module i915-sriov-dkms, or a kernel whose xe driver does. \
         Without it give the whole display to one guest."
    } else if function.class.is_display() {
        "The maker's driver for hosts switches them on, mostly under a licence. Without it give the whole \
         card to one guest."
    } else {
        "Where several guests need it, switch virtual functions on (sriov_numvfs) and give each guest one; \
         each gets an IOMMU group of its own where the ports allow it."
    };
    let summary =
        format!("It can split itself into {total} virtual functions, one for each guest.");
    Some(
        Finding::note(CAPABLE, function.address, summary)
            .seen(format!("sriov_totalvfs of {}: {total}", function.address))
            .remedy(remedy),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Builder, GPU, address};
    use crate::{Severity, Verdict};

    fn with(total: Reading<u16>, enabled: Reading<u16>) -> Builder {
        Builder::good().change(GPU, |gpu| {
            gpu.total_virtual_functions = total;
            gpu.enabled_virtual_functions = enabled;
        })
    }

    #[test]
    fn a_card_that_can_split_itself_is_a_note() {
        let machine = with(Reading::Known(7), Reading::Known(0));
        let found = machine.only(&RULE);
        assert_eq!(
            (&*found.id, found.severity),
            ("sriov.capable", Severity::Note)
        );
        assert!(found.summary.contains('7'));
        assert_eq!(machine.gpu_verdict(), Verdict::Ready);
    }

    #[test]
    fn passing_a_card_whose_virtual_functions_are_on_is_a_caution() {
        let machine = with(Reading::Known(7), Reading::Known(2));
        assert_eq!(machine.only(&RULE).severity, Severity::Caution);
        assert_eq!(machine.gpu_verdict(), Verdict::Caution);
    }

    #[test]
    fn virtual_functions_that_are_there_count_where_the_number_was_not_read() {
        let machine = with(
            Reading::Unknown("text".into()),
            Reading::Unknown("text".into()),
        )
        .add("01:00.1", 0x03_00_00)
        .change("01:00.1", |part| {
            part.physical_function = Reading::Known(address(GPU));
            part.driver = Reading::Known("vfio-pci".into());
        });
        let found = machine.only(&RULE);
        assert_eq!(found.id, "sriov.in-use");
        assert!(found.evidence[1].contains("0000:01:00.1 is bound to vfio-pci"));
    }

    #[test]
    fn a_card_without_it_or_unread_is_no_finding() {
        for total in [
            Reading::Absent,
            Reading::Known(0),
            Reading::Unknown("x".into()),
        ] {
            assert!(with(total, Reading::Absent).findings_of(&RULE).is_empty());
        }
    }
}
