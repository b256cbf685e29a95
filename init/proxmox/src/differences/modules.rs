use std::cmp::Ordering;

use assess::{Finding, Severity};
use hardware::Reading;

use super::{Context, Rule, finding};
use crate::installation::InstalledKernel;
use crate::settings::{ModprobeDirective, ModuleList};
use crate::system::kernel::Presence;
use crate::version;

const BUILT_IN: &str = "system.vfio-built-in";
const VIRQFD: &str = "system.virqfd-gone";
const LATE: &str = "system.vfio-late";

/// Settings of modules that the kernel that starts next cannot follow.
pub(super) const RULE: Rule = Rule {
    ids: &[BUILT_IN, VIRQFD, LATE],
    find,
};

fn find(context: &Context) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut seen: Vec<&str> = Vec::new();
    for (_, next) in context.system.next_boots() {
        let kernel = next
            .kernel
            .as_deref()
            .and_then(|version| context.system.kernel(version));
        let Some(kernel) = kernel.filter(|kernel| !seen.contains(&kernel.version.as_str())) else {
            continue;
        };
        seen.push(&kernel.version);
        findings.extend(built_in(context, kernel));
        findings.extend(virqfd(context, kernel));
    }
    findings.extend(late(context));
    findings
}

/// Lines of modprobe.d that give vfio-pci its ids.
fn vfio_ids(context: &Context) -> Vec<String> {
    let files = context.system.settings.modprobe.iter();
    let settings = files.flat_map(|file| &file.directives);
    settings
        .filter(|setting| match &setting.value {
            ModprobeDirective::Options { module, options } => {
                module == "vfio_pci" && options.iter().any(|option| option.starts_with("ids="))
            }
            _ => false,
        })
        .map(|setting| format!("{}: {}", setting.place, setting.value))
        .collect()
}

fn built_in(context: &Context, kernel: &InstalledKernel) -> Option<Finding> {
    let mut evidence = vfio_ids(context);
    if kernel.facts.vfio_pci != Reading::Known(Presence::BuiltIn) || evidence.is_empty() {
        return None;
    }
    evidence.push(format!(
        "the kernel {} has vfio-pci built in",
        kernel.version
    ));
    Some(finding(
        BUILT_IN,
        Severity::Caution,
        "The ids for vfio-pci in modprobe.d have no effect: this kernel has it built in.",
        evidence,
        "Give them on the kernel command line: vfio-pci.ids=VVVV:DDDD,...",
    ))
}

fn virqfd(context: &Context, kernel: &InstalledKernel) -> Option<Finding> {
    if version::compare(&kernel.version, "6.2") == Ordering::Less {
        return None;
    }
    let listed = context.system.settings.modules.iter();
    let evidence: Vec<String> = listed
        .filter(|setting| setting.value.module == "vfio_virqfd")
        .map(|setting| format!("{} lists vfio_virqfd", setting.place))
        .collect();
    (!evidence.is_empty()).then(|| {
        finding(
            VIRQFD,
            Severity::Note,
            "vfio_virqfd is listed, but is part of vfio since Linux 6.2: the start complains and goes on.",
            evidence,
            "Take the line away once no kernel before 6.2 is used.",
        )
    })
}

/// With ids given, vfio-pci must be there before the drivers that would take the card.
fn late(context: &Context) -> Option<Finding> {
    let system = context.system;
    let mut evidence = vfio_ids(context);
    if evidence.is_empty() {
        return None;
    }
    let listed = system.settings.modules.iter().any(|setting| {
        setting.value.list == ModuleList::Initrd && setting.value.module == "vfio_pci"
    });
    let softdep = system.settings.modprobe.iter().flat_map(|file| &file.directives).any(|setting| {
        matches!(&setting.value, ModprobeDirective::Softdep { pre, .. } if pre.iter().any(|module| module == "vfio_pci"))
    });
    let blacklisted = system.settings.modprobe.iter().any(|file| {
        let mut directives = file.directives.iter();
        file.path.starts_with("/etc/")
            && directives
                .any(|setting| matches!(setting.value, ModprobeDirective::Blacklist { .. }))
    });
    if listed || softdep || blacklisted {
        return None;
    }
    evidence.push("no 'softdep DRIVER pre: vfio-pci', no blacklist in /etc, no vfio_pci in /etc/initramfs-tools/modules".to_owned());
    Some(finding(
        LATE,
        Severity::Note,
        "Nothing makes vfio-pci come before the card's own driver, so which of them gets it is a matter of luck.",
        evidence,
        "Add 'softdep DRIVER pre: vfio-pci' for the card's driver, and make the initrd again. On Proxmox VE the start \
         of the guest takes the card over in any case.",
    ))
}
