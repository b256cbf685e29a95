use hardware::{HostDevice, HostRole, Machine};

use super::Rule;
use crate::card::CardFunctions;
use crate::context::Context;
use crate::running::{holds, installed_on, leads_out, use_now};
use crate::{Finding, FindingId, Severity};

const ROOT_DISK: FindingId = FindingId::new("host.root-disk");
const INSTALLED: FindingId = FindingId::new("host.installed-system");
const DISK: FindingId = FindingId::new("host.disk");
const ONLY_DISK: FindingId = FindingId::new("host.only-disk");
const DEFAULT_ROUTE: FindingId = FindingId::new("host.default-route");
const NETWORK: FindingId = FindingId::new("host.network");
const ONLY_NETWORK: FindingId = FindingId::new("host.only-network");
const KEYBOARD: FindingId = FindingId::new("host.keyboard");
const ONLY_KEYBOARD: FindingId = FindingId::new("host.only-keyboard");
const BOOT_STICK: FindingId = FindingId::new("host.boot-stick");

pub(super) const RULE: Rule = Rule {
    ids: &[
        ROOT_DISK,
        INSTALLED,
        DISK,
        ONLY_DISK,
        DEFAULT_ROUTE,
        NETWORK,
        ONLY_NETWORK,
        KEYBOARD,
        ONLY_KEYBOARD,
        BOOT_STICK,
    ],
    judge,
};

/// What a card can be to the host.
struct Role {
    role: HostRole,
    some: FindingId,
    /// When the host has no other of the kind on any PCI function.
    only: FindingId,
    severity: Severity,
    what: &'static str,
    remedy: &'static str,
}

const ROLES: &[Role] = &[
    Role {
        role: HostRole::Disk,
        some: DISK,
        only: ONLY_DISK,
        severity: Severity::Caution,
        what: "disk",
        remedy: "Make sure that nothing of the host is on these disks before you give it away.",
    },
    Role {
        role: HostRole::Network,
        some: NETWORK,
        only: ONLY_NETWORK,
        severity: Severity::Caution,
        what: "network interface",
        remedy: "Make sure that the host is not reached through it before you give it away.",
    },
    Role {
        role: HostRole::Keyboard,
        some: KEYBOARD,
        only: ONLY_KEYBOARD,
        severity: Severity::Caution,
        what: "keyboard",
        remedy: "Keep another way to the host, a keyboard on another controller or the network, \
                 before you give it away.",
    },
    Role {
        role: HostRole::BootStick,
        some: BOOT_STICK,
        only: BOOT_STICK,
        severity: Severity::Note,
        what: "boot stick",
        remedy: "Nothing needs to be done: the stick is used only now.",
    },
];

fn judge(ctx: &Context) -> Vec<Finding> {
    let mut findings = Vec::new();
    for card in &ctx.cards {
        for role in ROLES {
            findings.extend(judge_card(ctx, card, role));
        }
    }
    findings
}

fn judge_card(ctx: &Context, card: &CardFunctions, role: &Role) -> Option<Finding> {
    let of_role = |device: &&HostDevice| device.role == role.role;
    let lost: Vec<_> = card
        .functions
        .iter()
        .flat_map(|function| ctx.host_devices(function.address))
        .filter(of_role)
        .collect();
    let first = lost.first()?;
    let mut all = ctx.host.known()?.iter().filter(of_role);
    let is_only = all.all(|device| card.has(device.function));
    if let Some(finding) = needed_now(ctx.machine, role, &lost) {
        return Some(finding);
    }
    let names: Vec<_> = lost.iter().map(|device| device.name.as_str()).collect();
    let (names, what) = (names.join(", "), role.what);
    let (id, summary) = if role.role == HostRole::BootStick {
        (
            role.some,
            format!("The stick that was booted, {names}, hangs on it."),
        )
    } else if is_only {
        (
            role.only,
            format!("Giving it away takes the host's only {what} on the PCI bus: {names}."),
        )
    } else {
        (
            role.some,
            format!("Giving it away takes a {what} from the host: {names}."),
        )
    };
    let lines = evidence(ctx.machine, &lost);
    Some(
        Finding::new(id, role.severity, first.function, summary)
            .seen_all(lines)
            .remedy(role.remedy),
    )
}

/// What the running system itself needs: the disk that holds its root, the interface that leads to it.
fn needed_now(machine: &Machine, role: &Role, lost: &[&HostDevice]) -> Option<Finding> {
    let finding = match role.role {
        HostRole::Disk => {
            let Some(device) = lost.iter().find(|device| holds(machine, device, "/")) else {
                return installed(machine, lost);
            };
            let summary = format!(
                "The running system itself is on it: {} holds the root file system.",
                device.name
            );
            Finding::blocks(ROOT_DISK, device.function, summary).remedy(
                "Leave this controller with the host. To give it away, the system has to move to a \
                 disk on another one.",
            )
        }
        HostRole::Network => {
            let device = lost.iter().find(|device| leads_out(machine, device))?;
            let summary = format!(
                "The host is reached through it: {} has the default route.",
                device.name
            );
            Finding::caution(DEFAULT_ROUTE, device.function, summary)
                .remedy("Give the host another way in first, on another network card, and try it.")
        }
        HostRole::Keyboard | HostRole::BootStick => return None,
    };
    Some(finding.seen_all(evidence(machine, lost)))
}

/// The root of an installed system is on it. Where that is the only system, it is the one that is to be the
/// host, and keeps the controller of its disk.
fn installed(machine: &Machine, lost: &[&HostDevice]) -> Option<Finding> {
    let (device, root) = lost.iter().find_map(|device| {
        let root = installed_on(machine, device).find(|used| used.is_root)?;
        Some((device, root))
    })?;
    let name = root.system.as_deref().unwrap_or_default();
    let mut roots = machine.installed_uses.known()?.iter();
    let is_only = !roots.any(|other| other.is_root && other.system != root.system);
    let summary = format!(
        "The installed system {name} starts from it: {} holds its root.",
        device.name
    );
    let finding = if is_only {
        Finding::blocks(INSTALLED, device.function, summary).remedy(
            "Leave this controller with the host. To give it away, the system has to move to a disk on \
             another one.",
        )
    } else {
        Finding::caution(INSTALLED, device.function, summary).remedy(
            "Leave this controller with the host when this is the system that runs the guests.",
        )
    };
    Some(finding.seen_all(evidence(machine, lost)))
}

fn evidence(machine: &Machine, devices: &[&HostDevice]) -> Vec<String> {
    let line = |device: &&HostDevice| {
        let mut line = format!("{} on {}", describe(device), device.function);
        if let Some(used) = use_now(machine, device) {
            line.push_str(&format!(", {used}"));
        }
        line
    };
    devices.iter().map(line).collect()
}

/// Name and detail of a host device, as evidence names it.
pub(super) fn describe(device: &HostDevice) -> String {
    if device.detail.is_empty() {
        device.name.clone()
    } else {
        format!("{} ({})", device.name, device.detail)
    }
}

/// Whether a network interface's detail says that it is up.
pub(super) fn is_up(device: &HostDevice) -> bool {
    let mut words = device.detail.split(|c: char| !c.is_ascii_alphanumeric());
    words.any(|word| word == "up")
}

#[cfg(test)]
mod tests {
    use hardware::{InstalledUse, Reading};

    use super::*;
    use crate::testing::Builder;

    const NVME: &str = "02:00.0";

    fn with_disk() -> Builder {
        Builder::good().add(NVME, 0x01_08_02).host_device(
            HostRole::Disk,
            "nvme0n1",
            NVME,
            "Example 1 TB",
        )
    }

    #[test]
    fn a_card_that_carries_the_only_disk_says_so() {
        let found = with_disk().only(&RULE);
        assert_eq!(
            (&*found.id, found.severity),
            ("host.only-disk", Severity::Caution)
        );
        assert!(found.summary.contains("nvme0n1"));
        assert!(found.evidence[0].contains("Example 1 TB"));
    }

    #[test]
    fn a_second_disk_elsewhere_makes_it_a_disk_among_others() {
        let found = with_disk()
            .add("00:1f.2", 0x01_06_01)
            .host_device(HostRole::Disk, "sda", "00:1f.2", "")
            .findings_of(&RULE);
        let ids: Vec<_> = found.iter().map(|finding| &*finding.id).collect();
        assert_eq!(ids, ["host.disk", "host.disk"]);
    }

    #[test]
    fn the_controller_of_the_running_systems_disk_is_blocked() {
        let machine = with_disk().mount("/", Reading::Known(vec!["nvme0n1".into()]));
        let found = machine.only(&RULE);
        assert_eq!(
            (&*found.id, found.severity),
            ("host.root-disk", Severity::Blocks)
        );
        assert!(
            found.evidence[0].ends_with("holds /"),
            "{:?}",
            found.evidence
        );
    }

    fn installed_uses(machine: Builder, roots: &[(&str, &str)]) -> Builder {
        let used = |what: &str, is_root: bool, disk: &str, system: &str| InstalledUse {
            disk: disk.to_owned(),
            system: Some(system.to_owned()),
            what: what.to_owned(),
            is_root,
        };
        let uses = roots.iter().flat_map(|(disk, system)| {
            [
                used("physical volume of pve", false, disk, system),
                used("root (pve/root)", true, disk, system),
            ]
        });
        machine.installed(uses.collect())
    }

    #[test]
    fn the_controller_that_the_only_installed_system_starts_from_is_blocked() {
        let machine = installed_uses(with_disk(), &[("nvme0n1", "1, Proxmox VE 8.2.4")]);
        let found = machine.only(&RULE);
        assert_eq!(
            (&*found.id, found.severity),
            ("host.installed-system", Severity::Blocks)
        );
        assert!(found.summary.contains("1, Proxmox VE 8.2.4 starts from it"));
        assert!(
            found.evidence[0].ends_with(
                "holds physical volume of pve of installed system 1, Proxmox VE 8.2.4; \
                 root (pve/root) of installed system 1, Proxmox VE 8.2.4"
            ),
            "{:?}",
            found.evidence
        );
    }

    #[test]
    fn of_several_installed_systems_each_may_be_the_guests() {
        let roots = [("nvme0n1", "1, Debian"), ("sda", "2, Proxmox VE 8.2.4")];
        let found = installed_uses(with_disk(), &roots).only(&RULE);
        assert_eq!(
            (&*found.id, found.severity),
            ("host.installed-system", Severity::Caution)
        );
        let elsewhere = installed_uses(with_disk(), &[("sda", "1, Debian")]).only(&RULE);
        assert_eq!(elsewhere.id, "host.only-disk");
    }

    #[test]
    fn a_disk_with_other_file_systems_of_the_host_says_which() {
        let machine = with_disk()
            .mount("/data", Reading::Known(vec!["nvme0n1".into()]))
            .mount("/", Reading::Known(vec!["sda".into()]));
        let found = machine.only(&RULE);
        assert_eq!(found.severity, Severity::Caution);
        assert!(found.evidence[0].ends_with("holds /data"));
    }

    #[test]
    fn the_interface_that_leads_to_the_host_is_named_as_that() {
        let machine = Builder::good()
            .add(NVME, 0x02_00_00)
            .host_device(HostRole::Network, "eno1", NVME, "up")
            .default_route("eno1");
        let found = machine.only(&RULE);
        assert_eq!(
            (&*found.id, found.severity),
            ("host.default-route", Severity::Caution)
        );
        assert_eq!(
            machine.default_route("eno2").only(&RULE).id,
            "host.only-network"
        );
    }

    #[test]
    fn the_boot_sticks_controller_is_a_note() {
        let found = Builder::good()
            .add("00:14.0", 0x0c_03_30)
            .host_device(HostRole::BootStick, "sdb", "00:14.0", "")
            .only(&RULE);
        assert_eq!(
            (&*found.id, found.severity),
            ("host.boot-stick", Severity::Note)
        );
    }

    #[test]
    fn a_card_that_the_host_does_not_use_is_no_finding() {
        assert!(Builder::good().findings_of(&RULE).is_empty());
    }

    #[test]
    fn an_interface_is_up_only_by_its_own_word() {
        let interface = |detail: &str| HostDevice {
            role: HostRole::Network,
            name: "enp3s0".into(),
            function: crate::testing::address(NVME),
            detail: detail.into(),
        };
        assert!(is_up(&interface("up")) && is_up(&interface("link up, 1000 Mb/s")));
        assert!(!is_up(&interface("down")) && !is_up(&interface("upstream")));
    }
}
