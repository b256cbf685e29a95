use assess::{Finding, Severity};
use hardware::Reading;

use super::{Context, Rule, finding};
use crate::boot::way::{Method, NextBoot};
use crate::command_line::{CommandLine, Parameter};
use crate::settings::KERNEL_CMDLINE;

const NOT_APPLIED: &str = "system.command-line-not-applied";
const WRONG_FILE: &str = "system.command-line-wrong-file";
const SHAPE: &str = "system.kernel-cmdline-shape";
const NO_EFFECT: &str = "system.parameter-without-effect";

/// The command line: what is written down, and what the kernel will be given.
pub(super) const RULE: Rule = Rule {
    ids: &[NOT_APPLIED, WRONG_FILE, SHAPE, NO_EFFECT],
    find,
};

/// What boot loaders and update-grub put there themselves.
const OWN: [&str; 5] = ["BOOT_IMAGE", "root", "ro", "initrd", "rw"];

/// Parameters that decide about passthrough; one in the wrong file is a mistake worth naming.
const PASSTHROUGH: [&str; 9] = [
    "intel_iommu",
    "amd_iommu",
    "iommu",
    "pcie_acs_override",
    "vfio_pci.ids",
    "vfio_pci.disable_vga",
    "module_blacklist",
    "video",
    "initcall_blacklist",
];

fn find(context: &Context) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (method, next) in context.system.next_boots() {
        findings.extend(not_applied(context, method, next));
        findings.extend(wrong_file(context, method, next));
        findings.extend(no_effect(next));
    }
    findings.extend(shape(context));
    findings
}

/// The file whose words reach the kernel by that method, and its words.
fn source(context: &Context, method: Method) -> Option<(&'static str, CommandLine)> {
    let settings = &context.system.settings;
    match method {
        Method::SystemdBoot => {
            let cmdline = settings.kernel_cmdline.known()?;
            Some((KERNEL_CMDLINE, cmdline.command_line.clone()))
        }
        Method::GrubBios | Method::GrubUefi | Method::GrubOnEsp => {
            let line = settings.grub.known()?.command_line()?;
            Some(("/etc/default/grub", line))
        }
    }
}

fn lacking(wanted: &CommandLine, given: &CommandLine) -> Vec<String> {
    let parameters = wanted.parameters().iter();
    let lacking = parameters
        .filter(|parameter| !given.contains(parameter) && !OWN.iter().any(|own| parameter.is(own)));
    lacking.map(Parameter::to_string).collect()
}

fn not_applied(context: &Context, method: Method, next: &NextBoot) -> Option<Finding> {
    let (file, configured) = source(context, method)?;
    let missing = lacking(&configured, &next.command_line);
    let extra = lacking(&next.command_line, &configured);
    if missing.is_empty() && extra.is_empty() {
        return None;
    }
    let mut evidence = vec![
        format!("{file}: {configured}"),
        format!("{}: {}", next.place, next.command_line),
    ];
    for (what, words) in [
        ("not given to the kernel", missing),
        ("given to the kernel, but not configured", extra),
    ] {
        if !words.is_empty() {
            evidence.push(format!("{what}: {}", words.join(" ")));
        }
    }
    let tool = match method {
        Method::GrubBios | Method::GrubUefi => "update-grub",
        Method::GrubOnEsp | Method::SystemdBoot => "proxmox-boot-tool refresh",
    };
    Some(finding(
        NOT_APPLIED,
        Severity::Caution,
        format!("The next start does not use the command line that {file} says."),
        evidence,
        format!("Run {tool} on the system, and look again."),
    ))
}

fn wrong_file(context: &Context, method: Method, next: &NextBoot) -> Option<Finding> {
    let settings = &context.system.settings;
    let (file, other) = match method {
        Method::SystemdBoot => ("/etc/default/grub", settings.grub.known()?.command_line()?),
        Method::GrubBios | Method::GrubUefi | Method::GrubOnEsp => {
            let cmdline = settings.kernel_cmdline.known()?;
            (KERNEL_CMDLINE, cmdline.command_line.clone())
        }
    };
    let words: Vec<String> = other
        .parameters()
        .iter()
        .filter(|parameter| PASSTHROUGH.iter().any(|name| parameter.is(name)))
        .filter(|parameter| !next.command_line.contains(parameter))
        .map(Parameter::to_string)
        .collect();
    if words.is_empty() {
        return None;
    }
    let right =
        source(context, method).map_or("the file that its boot loader uses", |(file, _)| file);
    Some(finding(
        WRONG_FILE,
        Severity::Caution,
        format!("{file} has parameters for passthrough, but this system does not start by it."),
        vec![
            format!("{file}: {}", words.join(" ")),
            format!("it starts by {method}: {}", next.place),
        ],
        format!("Write them into {right}, and run proxmox-boot-tool refresh or update-grub."),
    ))
}

fn shape(context: &Context) -> Option<Finding> {
    let Reading::Known(cmdline) = &context.system.settings.kernel_cmdline else {
        return None;
    };
    let mut evidence = Vec::new();
    if cmdline.lines > 1 {
        evidence.push(format!(
            "{KERNEL_CMDLINE} has {} lines; only the first one is used",
            cmdline.lines
        ));
    }
    if !cmdline.command_line.has("root") {
        evidence.push(format!("{KERNEL_CMDLINE}:1 names no root="));
    }
    // Without systemd-boot nobody reads the file, and then it does no harm.
    let used = context
        .system
        .boot
        .ways()
        .iter()
        .any(|(_, way)| way.method == Reading::Known(Method::SystemdBoot));
    let severity = if used && !cmdline.command_line.has("root") {
        Severity::Blocks
    } else if used {
        Severity::Caution
    } else {
        Severity::Note
    };
    (!evidence.is_empty()).then(|| {
        finding(
            SHAPE,
            severity,
            format!("{KERNEL_CMDLINE} is not the one line with root= that it must be."),
            evidence,
            "Write all parameters into its first line, with root=, and run proxmox-boot-tool refresh.",
        )
    })
}

fn no_effect(next: &NextBoot) -> Option<Finding> {
    let on = next
        .command_line
        .values("amd_iommu")
        .any(|value| value == "on");
    on.then(|| {
        finding(
            NO_EFFECT,
            Severity::Note,
            "amd_iommu=on has no effect: the kernel does not know that value.",
            vec![format!("{}: {}", next.place, next.command_line)],
            "The AMD IOMMU is on without it; take the word away.",
        )
    })
}
