use assess::{Finding, Severity};
use hardware::Reading;

use super::{Context, Rule, finding};
use crate::boot::way::{Method, NextBoot};
use crate::system::release::Release;

const UNKNOWN: &str = "system.boot-unknown";
const KERNEL: &str = "system.next-kernel-missing";
const PIN: &str = "system.pin-not-applied";
const OTHER: &str = "system.not-debian";

/// What starts next, and whether it is there.
pub(super) const RULE: Rule = Rule {
    ids: &[UNKNOWN, KERNEL, PIN, OTHER],
    find,
};

fn find(context: &Context) -> Vec<Finding> {
    let system = context.system;
    let mut findings = Vec::new();
    if let Release::OtherLinux { .. } | Release::Unknown = system.release {
        findings.push(finding(
            OTHER,
            Severity::Note,
            format!(
                "This is {}; Preflight changes only Debian and what is made from it.",
                system.release.name()
            ),
            vec!["/etc/os-release, /var/lib/dpkg/status".to_owned()],
            "Read what is said here, and change the system by its own tools.",
        ));
    }
    let next = system.next_boots();
    if next.is_empty() {
        findings.push(unknown(context));
    }
    findings.extend(
        next.into_iter()
            .filter_map(|(method, next)| missing(context, method, next)),
    );
    findings.extend(pinned(context));
    findings
}

/// A pin that the boot loader does not follow.
fn pinned(context: &Context) -> Option<Finding> {
    let boot = &context.system.boot;
    let pin = boot.next_pin.known().or(boot.pin.known())?;
    let others: Vec<String> = context
        .system
        .next_boots()
        .into_iter()
        .filter(|(_, next)| next.kernel.as_ref() != Some(pin))
        .map(|(method, next)| {
            format!(
                "{method} starts {}: {}",
                next.kernel.as_deref().unwrap_or("another one"),
                next.place
            )
        })
        .collect();
    (!others.is_empty()).then(|| {
        finding(
            PIN,
            Severity::Caution,
            format!("The kernel {pin} is pinned, but another one starts next."),
            [
                vec!["/etc/kernel/proxmox-boot-pin, /etc/kernel/next-boot-pin".to_owned()],
                others,
            ]
            .concat(),
            "Run proxmox-boot-tool refresh on the system, or proxmox-boot-tool kernel unpin.",
        )
    })
}

fn unknown(context: &Context) -> Finding {
    let boot = &context.system.boot;
    let mut evidence = Vec::new();
    for (name, way) in [("UEFI", &boot.uefi), ("BIOS", &boot.bios)] {
        let reason = match (&way.method, &way.next) {
            (Reading::Unknown(why), _) | (_, Reading::Unknown(why)) => why.clone(),
            _ => "nothing is there to start".into(),
        };
        evidence.push(format!("by {name}: {reason}"));
        evidence.extend(way.why.iter().cloned());
    }
    Finding {
        unknown: true,
        ..finding(
            UNKNOWN,
            Severity::Caution,
            "Which kernel starts next could not be told.",
            evidence,
            "Give every ESP with --esp, or run Preflight on the machine itself; then compare with the boot menu.",
        )
    }
}

fn missing(context: &Context, method: Method, next: &NextBoot) -> Option<Finding> {
    let version = next.kernel.as_deref()?;
    let kernel = context.system.kernel(version);
    let in_root = matches!(method, Method::GrubBios | Method::GrubUefi);
    let mut lacking = Vec::new();
    let image = kernel.is_some_and(|kernel| {
        if in_root {
            kernel.in_boot
        } else {
            on_esp(context, version)
        }
    });
    if !image {
        lacking.push(format!("{} is not there", next.image));
    }
    let initrd = kernel.is_some_and(|kernel| {
        kernel
            .initrds
            .iter()
            .any(|initrd| initrd.esp.is_none() == in_root)
    });
    if !initrd && !next.initrds.is_empty() {
        lacking.push(format!("{} is not there", next.initrds.join(" ")));
    }
    if lacking.is_empty() {
        return None;
    }
    lacking.insert(
        0,
        format!("{} starts {}", next.place, next.titles.join(" > ")),
    );
    Some(finding(
        KERNEL,
        Severity::Blocks,
        format!("The next start would fail: the kernel {version} that it takes is not complete."),
        lacking,
        "Choose another kernel in the boot menu; then install this kernel's package again and run update-grub or \
         proxmox-boot-tool refresh.",
    ))
}

fn on_esp(context: &Context, version: &str) -> bool {
    let mut esps = context.system.boot.esps.iter();
    esps.any(|esp| esp.kernels.iter().any(|kernel| kernel.version == version))
}
