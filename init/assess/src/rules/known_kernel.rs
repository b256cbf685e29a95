use hardware::Reading;

use super::Rule;
use crate::card::CardFunctions;
use crate::context::Context;
use crate::{Finding, FindingId};

const NO_BUS_RESET: FindingId = FindingId::new("kernel.no-bus-reset");
const NO_VIRTUAL_FUNCTIONS: FindingId = FindingId::new("kernel.no-virtual-functions");

pub(super) const RULE: Rule = Rule {
    ids: &[NO_BUS_RESET, NO_VIRTUAL_FUNCTIONS],
    judge,
};

/// A fault of some kernels that people meet when they give cards away; docs/findings.md says where each is
/// described.
struct Fault {
    id: FindingId,
    kernels: Kernels,
    /// Which cards it matters for.
    concerns: fn(&CardFunctions) -> bool,
    summary: &'static str,
    remedy: &'static str,
}

/// Which kernels have a fault.
enum Kernels {
    /// Mainline versions, first and last; kernels of distributions that number their builds otherwise
    /// (6.1.0-28-amd64, 6.8.12-4-pve) are not told by this.
    Versions(&'static [([u32; 3], [u32; 3])]),
    /// Builds of Proxmox VE, by how their release begins.
    ProxmoxBuilds(&'static [&'static str]),
}

const FAULTS: &[Fault] = &[
    Fault {
        id: NO_BUS_RESET,
        kernels: Kernels::Versions(&[
            ([6, 12, 23], [6, 12, 24]),
            ([6, 13, 11], [6, 13, 12]),
            ([6, 14, 2], [6, 14, 3]),
        ]),
        concerns: needs_bus_reset,
        summary: "This kernel does not reset cards whose functions have no reset of their own: the second \
                  start of a guest hangs.",
        remedy: "Use kernel 6.12.25, 6.14.4 or a later one, or the one before.",
    },
    Fault {
        id: NO_VIRTUAL_FUNCTIONS,
        kernels: Kernels::ProxmoxBuilds(&["6.8.12-12-", "6.14.8-1-"]),
        concerns: is_virtual,
        summary: "This kernel refuses to give virtual functions to guests ('error getting device from \
                  group').",
        remedy: "Use a later kernel of Proxmox VE, or pin the one before (proxmox-boot-tool kernel pin).",
    },
];

fn judge(ctx: &Context) -> Vec<Finding> {
    let Some(release) = ctx.machine.kernel.release.known() else {
        return Vec::new();
    };
    let faults: Vec<&Fault> = FAULTS
        .iter()
        .filter(|fault| fault.kernels.have(release))
        .collect();
    let concerned = ctx.cards.iter().flat_map(|card| {
        faults
            .iter()
            .filter(|fault| (fault.concerns)(card))
            .map(|fault| (card.lead.address, *fault))
    });
    concerned
        .map(|(address, fault)| {
            Finding::caution(fault.id, address, fault.summary)
                .seen(format!("/proc/sys/kernel/osrelease: {release}"))
                .remedy(fault.remedy)
        })
        .collect()
}

impl Kernels {
    fn have(&self, release: &str) -> bool {
        match self {
            Self::Versions(ranges) => version(release).is_some_and(|version| {
                ranges
                    .iter()
                    .any(|(first, last)| (*first..=*last).contains(&version))
            }),
            Self::ProxmoxBuilds(starts) => {
                release.ends_with("-pve") && starts.iter().any(|start| release.starts_with(start))
            }
        }
    }
}

/// The three numbers of a mainline release. Builds of Debian and Proxmox VE carry their own.
fn version(release: &str) -> Option<[u32; 3]> {
    if release.ends_with("-pve") {
        return None;
    }
    let mut numbers = release.split(['.', '-', '+']);
    let mut next = || numbers.next()?.parse().ok();
    Some([next()?, next()?, next()?])
}

fn needs_bus_reset(card: &CardFunctions) -> bool {
    card.functions.len() > 1
        && card
            .functions
            .iter()
            .any(|function| function.reset_methods == Reading::Absent)
}

fn is_virtual(card: &CardFunctions) -> bool {
    card.lead.physical_function.known().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{AUDIO, Builder, GPU, address};
    use crate::{Severity, Verdict};

    /// A card of two functions that are only reset together.
    fn together(release: &str) -> Builder {
        Builder::good()
            .release(release)
            .add(AUDIO, 0x04_03_00)
            .in_group(&[GPU, AUDIO])
            .change(GPU, |gpu| gpu.reset_methods = Reading::Absent)
            .change(AUDIO, |audio| audio.reset_methods = Reading::Absent)
    }

    #[test]
    fn a_kernel_that_resets_no_bus_is_a_caution_for_cards_that_need_it() {
        for release in [
            "6.14.2-zen1-1-zen",
            "6.12.23-1-lts",
            "6.13.11-200.fc41.x86_64",
        ] {
            let machine = together(release);
            let found = machine.only(&RULE);
            assert_eq!(
                (&*found.id, found.severity),
                ("kernel.no-bus-reset", Severity::Caution),
                "{release}"
            );
            assert_eq!(machine.gpu_verdict(), Verdict::Caution);
        }
        let alone = Builder::good().release("6.14.2");
        assert!(alone.findings_of(&RULE).is_empty());
    }

    #[test]
    fn the_kernels_before_and_after_are_no_finding() {
        for release in [
            "6.14.1-arch1-1",
            "6.14.4",
            "6.12.25",
            "6.1.0-28-amd64",
            "6.14.2-1-pve",
        ] {
            assert!(together(release).findings_of(&RULE).is_empty(), "{release}");
        }
    }

    #[test]
    fn a_build_that_refuses_virtual_functions_is_told_on_those_alone() {
        let machine = Builder::good()
            .release("6.8.12-12-pve")
            .add("01:00.1", 0x03_00_00)
            .change("01:00.1", |part| {
                part.physical_function = Reading::Known(address(GPU));
            });
        let found = machine.only(&RULE);
        assert_eq!(found.id, "kernel.no-virtual-functions");
        assert_eq!(found.function, Some(address("01:00.1")));
        assert!(
            machine
                .release("6.8.12-13-pve")
                .findings_of(&RULE)
                .is_empty()
        );
    }

    #[test]
    fn a_kernel_whose_release_was_not_read_is_not_accused() {
        let mut machine = together("6.14.2");
        machine.machine.kernel.release = Reading::Unknown("no /proc".into());
        assert!(machine.findings_of(&RULE).is_empty());
    }
}
