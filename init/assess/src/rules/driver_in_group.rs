use hardware::{Function, Reading};

use super::Rule;
use crate::context::Context;
use crate::{Finding, FindingId};

const DRIVEN: FindingId = FindingId::new("group.host-driver");

pub(super) const RULE: Rule = Rule {
    ids: &[DRIVEN],
    judge,
};

/// Drivers that hold a function for a guest, or for nobody.
const NOT_THE_HOSTS: &[&str] = &["vfio-pci", "pci-stub", "xen-pciback"];

/// Where nobody could read which disks and interfaces hang on what (a printed listing), a driver of the
/// host that has a disk or network controller tells that the host uses it.
fn judge(ctx: &Context) -> Vec<Finding> {
    if !ctx.host.is_unknown() {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for card in &ctx.cards {
        for (group, function) in ctx.groups_of(card) {
            let driven: Vec<_> = ctx
                .foreign_endpoints(card, group)
                .filter_map(|address| ctx.function(address))
                .filter_map(|other| Some((other, driver_of_host(other)?)))
                .collect();
            if driven.is_empty() {
                continue;
            }
            let names: Vec<_> = driven
                .iter()
                .map(|(other, driver)| format!("{} ({driver})", other.address))
                .collect();
            let summary = format!(
                "IOMMU group {group} also holds what the host's disks or network are on: {}.",
                names.join(", ")
            );
            let lines = driven
                .iter()
                .map(|(other, driver)| format!("{}, driver {driver}", ctx.label(other.address)));
            findings.push(
                Finding::blocks(DRIVEN, function.address, summary)
                    .seen_all(lines)
                    .seen(ctx.groups_made_by())
                    .remedy(super::host_in_group::REMEDY),
            );
        }
    }
    findings
}

fn driver_of_host(function: &Function) -> Option<&str> {
    let Reading::Known(driver) = &function.driver else {
        return None;
    };
    let counts = function.class.is_storage() || function.class.is_network();
    (counts && !NOT_THE_HOSTS.contains(&driver.as_str())).then_some(driver)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Builder, GPU};

    const OTHER: &str = "02:00.0";

    fn sharing(class: u32, driver: &str) -> Builder {
        let mut machine = Builder::good()
            .add(OTHER, class)
            .in_group(&[GPU, OTHER])
            .change(OTHER, |other| {
                other.driver = Reading::Known(driver.to_owned())
            });
        machine.machine.host_devices = Reading::Unknown("not in the listing".into());
        machine
    }

    #[test]
    fn a_disk_or_network_controller_with_a_driver_of_the_host_blocks_its_neighbours() {
        for (class, driver) in [(0x01_08_02, "nvme"), (0x02_00_00, "r8169")] {
            let found = sharing(class, driver).findings_of(&RULE);
            assert_eq!(found[0].function, Some(crate::testing::address(GPU)));
            assert!(found[0].summary.contains(driver));
        }
    }

    #[test]
    fn what_is_held_for_a_guest_or_carries_nothing_of_the_host_does_not() {
        assert!(
            sharing(0x01_08_02, "vfio-pci")
                .findings_of(&RULE)
                .is_empty()
        );
        assert!(
            sharing(0x04_03_00, "snd_hda_intel")
                .findings_of(&RULE)
                .is_empty()
        );
    }

    #[test]
    fn where_disks_and_interfaces_were_read_they_speak_for_themselves() {
        let mut machine = sharing(0x01_08_02, "nvme");
        machine.machine.host_devices = Reading::Known(Vec::new());
        assert!(machine.findings_of(&RULE).is_empty());
    }
}
