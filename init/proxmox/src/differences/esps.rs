use std::collections::BTreeSet;

use assess::{Finding, Severity};
use hardware::Reading;

use super::{Context, Rule, finding};
use crate::boot::esp::{EspState, Program};
use crate::boot::way::{Method, by_systemd_boot};

const UNREAD: &str = "system.esp-unread";
const UNLISTED: &str = "system.esp-unlisted";
const LEFT_OVER: &str = "system.esp-left-over";
const DIFFERS: &str = "system.esp-differs";

/// ESPs that are out of step.
pub(super) const RULE: Rule = Rule {
    ids: &[UNREAD, UNLISTED, LEFT_OVER, DIFFERS],
    find,
};

const REFRESH: &str = "Run proxmox-boot-tool refresh on the system, and look again.";

fn find(context: &Context) -> Vec<Finding> {
    let mut findings = unread(context);
    findings.extend(context.system.boot.esps.iter().filter_map(unlisted));
    findings.extend(left_over(context));
    findings.extend(differs(context));
    findings
}

/// Listed volumes that were not among the ESPs: a disk is gone, or nobody gave it.
fn unread(context: &Context) -> Vec<Finding> {
    let boot = &context.system.boot;
    let Reading::Known(listed) = &boot.proxmox_boot_tool else {
        return Vec::new();
    };
    // An ESP whose volume id is not known may be any of them.
    let nameless = boot
        .esps
        .iter()
        .filter(|esp| esp.volume_id.is_none())
        .count();
    let unseen: Vec<&String> = listed
        .iter()
        .filter(|id| {
            let mut esps = boot.esps.iter();
            !esps.any(|esp| {
                esp.volume_id
                    .as_ref()
                    .is_some_and(|known| known.eq_ignore_ascii_case(id))
            })
        })
        .collect();
    if unseen.len() <= nameless {
        return Vec::new();
    }
    let evidence = unseen
        .iter()
        .map(|id| format!("/etc/kernel/proxmox-boot-uuids lists {id}"));
    vec![finding(
        UNREAD,
        Severity::Caution,
        "An ESP that proxmox-boot-tool keeps was not found, so what it would start is not known.",
        evidence.collect(),
        "Is its disk plugged in? Where it was replaced, run proxmox-boot-tool clean; for a folder, give every ESP \
         with --esp.",
    )]
}

fn unlisted(esp: &EspState) -> Option<Finding> {
    let kept = esp.listed == Some(false) && !esp.kernels.is_empty();
    kept.then(|| {
        finding(
            UNLISTED,
            Severity::Caution,
            format!(
                "{} has kernels, but proxmox-boot-tool does not keep it up to date.",
                esp.label()
            ),
            vec!["its volume id is not in /etc/kernel/proxmox-boot-uuids".to_owned()],
            "When the machine should be able to start from it, run proxmox-boot-tool init on it.",
        )
    })
}

/// A systemd-boot that GRUB has taken the place of, as when a host moved to Secure Boot.
fn left_over(context: &Context) -> Vec<Finding> {
    let boot = &context.system.boot;
    if !matches!(
        boot.uefi.method,
        Reading::Known(Method::GrubOnEsp | Method::GrubUefi)
    ) {
        return Vec::new();
    }
    let with_entries = boot.esps.iter().filter(|esp| {
        esp.systemd_boot
            .known()
            .is_some_and(|menu| !menu.entries.is_empty())
    });
    let findings = with_entries.map(|esp| {
        let programs = esp
            .loaders
            .iter()
            .filter(|loader| loader.program == Program::SystemdBoot);
        let mut evidence: Vec<String> = programs
            .map(|loader| format!("{}: {}", esp.label(), loader.path))
            .collect();
        evidence.push(format!("{}: /loader/entries", esp.label()));
        evidence.extend(boot.uefi.why.iter().cloned());
        finding(
            LEFT_OVER,
            Severity::Note,
            format!(
                "{} has entries of a systemd-boot that is not started any more.",
                esp.label()
            ),
            evidence,
            "Do not change them: they have no effect. GRUB's settings in /etc/default/grub hold.",
        )
    });
    findings.collect()
}

/// Copies that are not the same: initrds, entries, sets of kernels.
fn differs(context: &Context) -> Vec<Finding> {
    let system = context.system;
    let mut evidence = Vec::new();
    for kernel in &system.kernels {
        let mut copies = kernel
            .initrds
            .iter()
            .filter(|copy| !system.is_left_over(copy))
            .filter_map(|copy| Some((copy, copy.content.known()?)));
        let Some((first, content)) = copies.next() else {
            continue;
        };
        for (copy, other) in copies {
            if other.sha256 != content.sha256 {
                evidence.push(format!(
                    "{} is not the same file as {}",
                    copy.path, first.path
                ));
            }
        }
    }
    let kept: Vec<&EspState> = system
        .boot
        .esps
        .iter()
        .filter(|esp| !esp.kernels.is_empty())
        .collect();
    if let Some((first, others)) = kept.split_first() {
        for other in others {
            evidence.extend(between(first, other));
        }
    }
    if evidence.is_empty() {
        return Vec::new();
    }
    vec![finding(
        DIFFERS,
        Severity::Caution,
        "The ESPs do not all hold what /boot holds, so the next start depends on which one the firmware takes.",
        evidence,
        REFRESH,
    )]
}

fn between(one: &EspState, other: &EspState) -> Vec<String> {
    let versions = |esp: &EspState| -> BTreeSet<String> {
        esp.kernels
            .iter()
            .map(|kernel| kernel.version.clone())
            .collect()
    };
    let (left, right) = (versions(one), versions(other));
    let mut lines: Vec<String> = Vec::new();
    lines.extend(left.difference(&right).map(|version| {
        format!(
            "{} has the kernel {version}, {} has not",
            one.label(),
            other.label()
        )
    }));
    lines.extend(right.difference(&left).map(|version| {
        format!(
            "{} has the kernel {version}, {} has not",
            other.label(),
            one.label()
        )
    }));
    if let (Reading::Known(left), Reading::Known(right)) =
        (by_systemd_boot(one, None), by_systemd_boot(other, None))
    {
        if left.kernel != right.kernel {
            let name =
                |kernel: &Option<String>| kernel.clone().unwrap_or_else(|| "no kernel".to_owned());
            lines.push(format!(
                "{} starts {}, {} starts {}",
                one.label(),
                name(&left.kernel),
                other.label(),
                name(&right.kernel)
            ));
        }
        if left.command_line != right.command_line {
            lines.push(format!("{}: {}", left.place, left.command_line));
            lines.push(format!("{}: {}", right.place, right.command_line));
        }
    }
    lines
}
