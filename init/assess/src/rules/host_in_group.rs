use hardware::{HostDevice, HostRole};

use super::Rule;
use super::host_on_card::{describe, is_up};
use crate::card::CardFunctions;
use crate::context::Context;
use crate::running::use_now;
use crate::{Finding, FindingId, Severity};

const DISK: FindingId = FindingId::new("group.host-disk");
const NETWORK: FindingId = FindingId::new("group.host-network");
const KEYBOARD: FindingId = FindingId::new("group.host-keyboard");

pub(super) const RULE: Rule = Rule {
    ids: &[DISK, NETWORK, KEYBOARD],
    judge,
};

/// What of the host can be caught in a card's group, and how the host would miss it. The boot stick is
/// not among them: the host does not need it once it runs.
const ROLES: &[(HostRole, FindingId, &str)] = &[
    (HostRole::Disk, DISK, "a disk of the host"),
    (
        HostRole::Network,
        NETWORK,
        "a network interface of the host",
    ),
    (HostRole::Keyboard, KEYBOARD, "the controller of a keyboard"),
];

fn judge(ctx: &Context) -> Vec<Finding> {
    let group_of = |device: &HostDevice| {
        let function = ctx.function(device.function)?;
        let endpoint = !function.class.is_bridge();
        ctx.group_of(function).known().copied().filter(|_| endpoint)
    };
    let mut hosts: Vec<_> = ctx.host.known().into_iter().flatten().collect();
    hosts.sort_by_key(|device| device.function);
    let hosts: Vec<_> = hosts
        .into_iter()
        .map(|device| (device, group_of(device)))
        .collect();
    let mut findings = Vec::new();
    for card in &ctx.cards {
        for (group, function) in ctx.groups_of(card) {
            for (role, id, what) in ROLES {
                let caught: Vec<_> = hosts
                    .iter()
                    .filter(|(_, at)| *at == Some(group))
                    .map(|(device, _)| *device)
                    .filter(|device| device.role == *role && !card.has(device.function))
                    .collect();
                if caught.is_empty() {
                    continue;
                }
                let summary = format!("IOMMU group {group} also holds {what}: {}.", list(&caught));
                let severity = severity(ctx, *role, &caught, card);
                let lines = caught.iter().map(|device| {
                    let used = use_now(ctx.machine, device);
                    let used = used.map_or(String::new(), |used| format!(", {used}"));
                    format!(
                        "{} on {}{used}",
                        describe(device),
                        ctx.label(device.function)
                    )
                });
                findings.push(
                    Finding::new(*id, severity, function.address, summary)
                        .seen_all(lines)
                        .seen(ctx.groups_made_by())
                        .remedy(REMEDY),
                );
            }
        }
    }
    findings
}

/// A network interface that is down while another is there outside the group can be spared.
fn severity(
    ctx: &Context,
    role: HostRole,
    caught: &[&HostDevice],
    card: &CardFunctions,
) -> Severity {
    let all = ctx.host.known().into_iter().flatten();
    let mut others = all
        .filter(|device| device.role == role && !card.has(device.function))
        .filter(|device| !caught.iter().any(|known| known.function == device.function));
    let spare = role == HostRole::Network
        && !caught
            .iter()
            .any(|device| is_up(device) || use_now(ctx.machine, device).is_some())
        && others.next().is_some();
    if spare {
        Severity::Caution
    } else {
        Severity::Blocks
    }
}

fn list(devices: &[&HostDevice]) -> String {
    let names: Vec<_> = devices.iter().map(|device| device.name.as_str()).collect();
    names.join(", ")
}

pub(super) const REMEDY: &str = "Put the card into another slot, best one on the processor, so that it gets a \
                      group of its own: a guest takes the whole group, and the host would lose what \
                      it runs on.";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Verdict;
    use crate::testing::{Builder, GPU};

    const OTHER: &str = "02:00.0";

    fn sharing(role: HostRole, name: &str, detail: &str) -> Builder {
        Builder::good()
            .add(OTHER, 0x01_08_02)
            .in_group(&[GPU, OTHER])
            .host_device(role, name, OTHER, detail)
    }

    #[test]
    fn a_disk_a_keyboard_and_the_only_network_interface_block_and_are_named() {
        for (role, id, name) in [
            (HostRole::Disk, "group.host-disk", "nvme0n1"),
            (HostRole::Network, "group.host-network", "enp2s0"),
            (HostRole::Keyboard, "group.host-keyboard", "input4"),
        ] {
            let machine = sharing(role, name, "");
            let found = machine.clone().only(&RULE);
            assert_eq!((&*found.id, found.severity), (id, Severity::Blocks));
            assert!(found.summary.contains(name));
            assert_eq!(machine.gpu_verdict(), Verdict::Blocked);
        }
    }

    #[test]
    fn what_the_running_system_needs_is_said_of_the_member_that_has_it() {
        let root = sharing(HostRole::Disk, "nvme0n1", "")
            .mount("/", hardware::Reading::Known(vec!["nvme0n1".into()]));
        assert!(root.only(&RULE).evidence[0].ends_with("holds /"));
        let spare = sharing(HostRole::Network, "enp2s0", "down")
            .add("03:00.0", 0x02_00_00)
            .host_device(HostRole::Network, "enp3s0", "03:00.0", "up")
            .default_route("enp2s0");
        assert_eq!(spare.only(&RULE).severity, Severity::Blocks);
    }

    #[test]
    fn a_spare_network_interface_is_a_caution_until_it_is_up() {
        let spare = |detail| {
            sharing(HostRole::Network, "enp2s0", detail)
                .add("03:00.0", 0x02_00_00)
                .host_device(HostRole::Network, "enp3s0", "03:00.0", "up")
        };
        assert_eq!(spare("down").only(&RULE).severity, Severity::Caution);
        assert_eq!(spare("up").only(&RULE).severity, Severity::Blocks);
    }

    #[test]
    fn the_boot_stick_and_devices_elsewhere_are_no_finding() {
        assert!(
            sharing(HostRole::BootStick, "sda", "")
                .findings_of(&RULE)
                .is_empty()
        );
        let apart = Builder::good().add(OTHER, 0x01_08_02).host_device(
            HostRole::Disk,
            "nvme0n1",
            OTHER,
            "",
        );
        assert!(apart.findings_of(&RULE).is_empty());
    }
}
