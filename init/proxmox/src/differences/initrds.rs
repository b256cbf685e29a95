use std::collections::BTreeSet;

use assess::{Finding, Severity};
use hardware::Reading;

use super::{Context, Rule, finding};
use crate::initrd::{InitramfsTool, InitrdContent};
use crate::installation::{InitrdCopy, InstalledKernel};
use crate::settings::{ModprobeDirective, ModuleList, parse_modprobe, parse_module_list};

const STALE: &str = "system.initrd-stale";
const GENERIC: &str = "system.initrd-generic";
const BROKEN: &str = "system.initrd-broken";
const MISSING: &str = "system.initrd-missing";

/// What /etc says, and what each initrd really holds.
pub(super) const RULE: Rule = Rule {
    ids: &[STALE, GENERIC, BROKEN, MISSING],
    find,
};

/// Lines of evidence; a person needs no more to see it.
const LINES: usize = 12;

fn find(context: &Context) -> Vec<Finding> {
    let next: BTreeSet<&str> = context
        .system
        .next_boots()
        .into_iter()
        .filter_map(|(_, next)| next.kernel.as_deref())
        .collect();
    let mut findings = Vec::new();
    for kernel in &context.system.kernels {
        let starts = next.contains(kernel.version.as_str());
        if kernel.initrds.is_empty() {
            findings.push(missing(kernel));
        }
        let mut told: BTreeSet<Option<&str>> = BTreeSet::new();
        let copies = kernel.initrds.iter();
        for copy in copies.filter(|copy| !context.system.is_left_over(copy)) {
            let Reading::Known(seen) = &copy.content else {
                continue;
            };
            // Copies of the same bytes have the same faults.
            if told.insert(seen.sha256.as_deref()) {
                findings.extend(broken(kernel, copy, &seen.holds, starts));
                findings.extend(stale(context, kernel, copy, &seen.holds, starts));
                findings.extend(generic(context, kernel, copy, &seen.holds, starts));
            }
        }
    }
    findings
}

fn missing(kernel: &InstalledKernel) -> Finding {
    finding(
        MISSING,
        Severity::Note,
        format!("The kernel {} has no initrd.", kernel.version),
        vec![format!(
            "no initrd.img-{} in /boot or on an ESP",
            kernel.version
        )],
        format!("Make it: update-initramfs -c -k {}", kernel.version),
    )
}

fn broken(
    kernel: &InstalledKernel,
    copy: &InitrdCopy,
    holds: &InitrdContent,
    starts: bool,
) -> Option<Finding> {
    let why = holds.broken.as_ref()?;
    Some(finding(
        BROKEN,
        if starts {
            Severity::Blocks
        } else {
            Severity::Caution
        },
        format!(
            "The initrd of the kernel {} cannot be read to its end.",
            kernel.version
        ),
        vec![format!("{}: {why}", copy.path)],
        format!("Make it again: update-initramfs -u -k {}", kernel.version),
    ))
}

fn stale(
    context: &Context,
    kernel: &InstalledKernel,
    copy: &InitrdCopy,
    holds: &InitrdContent,
    starts: bool,
) -> Option<Finding> {
    if holds.broken.is_some() || is_generic(holds) {
        return None;
    }
    let mut evidence = Vec::new();
    for file in &context.system.settings.modprobe {
        let Some(name) = file.path.strip_prefix("/etc/modprobe.d/") else {
            continue;
        };
        let inside = holds.files.get(&format!("etc/modprobe.d/{name}"));
        let packed: Vec<ModprobeDirective> = inside
            .map(|text| {
                parse_modprobe(text)
                    .into_iter()
                    .map(|(_, directive)| directive)
                    .collect()
            })
            .unwrap_or_default();
        for setting in &file.directives {
            if !packed.contains(&setting.value) {
                evidence.push(format!(
                    "{} says '{}', the initrd does not",
                    setting.place, setting.value
                ));
            }
        }
        for directive in &packed {
            if !file
                .directives
                .iter()
                .any(|setting| setting.value == *directive)
            {
                evidence.push(format!(
                    "the initrd says '{}', {} does not any more",
                    directive, file.path
                ));
            }
        }
    }
    evidence.extend(removed(context, holds));
    evidence.extend(unlisted(context, holds));
    if evidence.is_empty() {
        return None;
    }
    Some(finding(
        STALE,
        differs(starts),
        format!(
            "The initrd of the kernel {} is older than what /etc says: {}.",
            kernel.version, copy.path
        ),
        shortened(evidence),
        format!(
            "Make it again: update-initramfs -u -k {} (with dracut: dracut --force --kver {0}); where \
             proxmox-boot-tool is used, run proxmox-boot-tool refresh after it.",
            kernel.version
        ),
    ))
}

/// dracut packs /etc/modprobe.d only into an initrd for its own host (dracut, modules.d/90kernel-modules,
/// install): one without any file of it was not made so, and making it again changes nothing.
fn is_generic(holds: &InitrdContent) -> bool {
    let packed = |path: &String| path.starts_with("etc/modprobe.d/");
    holds.tool == Some(InitramfsTool::Dracut) && !holds.files.keys().any(packed)
}

fn generic(
    context: &Context,
    kernel: &InstalledKernel,
    copy: &InitrdCopy,
    holds: &InitrdContent,
    starts: bool,
) -> Option<Finding> {
    if holds.broken.is_some() || !is_generic(holds) {
        return None;
    }
    let settings = context.system.settings.modprobe.iter();
    let evidence: Vec<String> = settings
        .filter(|file| file.path.starts_with("/etc/modprobe.d/"))
        .flat_map(|file| &file.directives)
        .map(|setting| {
            format!(
                "{} says '{}', the initrd does not",
                setting.place, setting.value
            )
        })
        .collect();
    if evidence.is_empty() {
        return None;
    }
    Some(finding(
        GENERIC,
        differs(starts),
        format!(
            "The initrd of the kernel {} holds nothing of /etc/modprobe.d, as dracut makes it for any host: {}.",
            kernel.version, copy.path
        ),
        shortened(evidence),
        format!(
            "Name the files in /etc/dracut.conf.d/NAME.conf, install_items+=\" /etc/modprobe.d/FILE.conf \", or set \
             hostonly=\"yes\" there; then make it again: dracut --force --kver {}",
            kernel.version
        ),
    ))
}

/// What differs counts for the kernel that starts next.
fn differs(starts: bool) -> Severity {
    if starts {
        Severity::Caution
    } else {
        Severity::Note
    }
}

fn shortened(mut evidence: Vec<String>) -> Vec<String> {
    let more = evidence.len().saturating_sub(LINES);
    evidence.truncate(LINES);
    if more > 0 {
        evidence.push(format!("and {more} more"));
    }
    evidence
}

/// Files that were taken out of /etc, but that the initrd still has.
fn removed(context: &Context, holds: &InitrdContent) -> Vec<String> {
    let known: BTreeSet<&str> = context
        .system
        .settings
        .modprobe
        .iter()
        .filter_map(|file| file.path.rsplit('/').next())
        .collect();
    let mut lines = Vec::new();
    for (path, text) in &holds.files {
        let Some(name) = path.strip_prefix("etc/modprobe.d/") else {
            continue;
        };
        if !known.contains(name) && name.ends_with(".conf") {
            let directives = parse_modprobe(text).into_iter();
            lines.extend(directives.map(|(_, directive)| {
                format!("the initrd says '{}', but /{path} is gone", directive)
            }));
        }
    }
    lines
}

/// Modules of /etc/initramfs-tools/modules that are not in the list that mkinitramfs makes of it.
fn unlisted(context: &Context, holds: &InitrdContent) -> Vec<String> {
    if holds.tool != Some(InitramfsTool::InitramfsTools) {
        return Vec::new();
    }
    let list = holds
        .files
        .get("conf/modules")
        .map(String::as_str)
        .unwrap_or_default();
    let listed: BTreeSet<String> = parse_module_list(list)
        .into_iter()
        .map(|(_, module, _)| module)
        .collect();
    let settings = context.system.settings.modules.iter();
    settings
        .filter(|setting| setting.value.list == ModuleList::Initrd)
        .filter(|setting| !listed.contains(&setting.value.module))
        .map(|setting| {
            format!(
                "{} lists {}, the initrd does not load it",
                setting.place, setting.value.module
            )
        })
        .collect()
}
