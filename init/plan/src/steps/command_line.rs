use assess::{Answer, IommuVendor};
use hardware::Reading;
use proxmox::boot::way::Method;
use proxmox::settings::KERNEL_CMDLINE;

use super::Step;
use crate::context::at_least;
use crate::draft::Draft;
use crate::edit::{WordEdit, grub, kernel_cmdline};
use crate::plan::Tree;

/// The IOMMU, on the kernel command line.
pub(super) const STEP: Step = Step {
    refusals: &["no-iommu"],
    write,
};

fn write(draft: &mut Draft) {
    let ctx = draft.ctx;
    let iommu = &ctx.subject.assessment.iommu;
    if iommu.firmware == Answer::No {
        draft.refuse(
            "no-iommu",
            true,
            "The firmware describes no IOMMU: switch VT-d or AMD-Vi on in its setup first.",
            vec!["no DMAR and no IVRS table".to_owned()],
        );
    }
    // Where the firmware shows none, or was not read, the one that the processor's maker builds may still be
    // switched on later.
    let maker = ctx.machine().cpu.vendor.known().map(String::as_str);
    match (iommu.vendor, maker) {
        (IommuVendor::Intel, _) | (IommuVendor::None, Some("GenuineIntel")) => intel(draft),
        (IommuVendor::Amd, _) | (IommuVendor::None, Some("AuthenticAMD")) => amd(draft),
        (IommuVendor::None, _) => draft.warnings.push(
            "Neither the firmware's tables nor the processor say whose IOMMU the machine has, so nothing is planned that \
             switches it on: on Intel's it may need intel_iommu=on."
                .to_owned(),
        ),
    }
    let value = draft.option(
        "iommu-pt",
        ("yes", "devices that stay with the host are spared the translation; guests' devices are translated all the same"),
    );
    if value == "yes" {
        let edit = WordEdit::item_instead("iommu", "pt", &["off", "nopt", "soft"]);
        words(
            draft,
            &[edit],
            "iommu=pt: devices that stay with the host are mapped one to one.",
        );
    }
    x2apic(draft);
    acs(draft);
}

/// Whether a word is on the command line of some start that comes next.
pub(super) fn is_started_with(draft: &Draft, name: &str, item: &str) -> bool {
    draft.ctx.system().next_boots().iter().any(|(_, next)| {
        next.command_line
            .values(name)
            .any(|value| value.split(',').any(|other| other == item))
    })
}

/// Whether a parameter is given, with this value where one is named, to a start that comes next or by what the
/// command line is made from.
pub(super) fn is_passed(draft: &Draft, name: &str, value: Option<&str>) -> bool {
    let mut starts = draft.ctx.system().next_boots().into_iter();
    if starts.any(|(_, next)| {
        let mut values = next.command_line.values(name);
        values.any(|other| value.is_none_or(|value| value == other))
    }) {
        return true;
    }
    let folded = |text: &str| text.replace('_', "-");
    let begin = folded(name) + "=";
    let mut paths = draft.paths(grub::MAIN);
    paths.push(KERNEL_CMDLINE.to_owned());
    paths.iter().any(|path| {
        let content = draft.content(Tree::Root, path).unwrap_or_default();
        let text = folded(&String::from_utf8_lossy(&content));
        text.split(begin.as_str()).skip(1).any(|rest| {
            let end = rest.find(|end: char| !end.is_ascii_alphanumeric());
            value.is_none_or(|value| rest.get(..end.unwrap_or(rest.len())) == Some(value))
        })
    })
}

fn intel(draft: &mut Draft) {
    let off: Vec<String> = draft
        .ctx
        .system()
        .kernels
        .iter()
        .filter_map(|kernel| match &kernel.facts.intel_iommu_default {
            Reading::Known(true) => None,
            Reading::Known(false) => Some(format!(
                "/boot/config-{} does not switch it on for every device",
                kernel.version
            )),
            _ if kernel.version.ends_with("-pve") && at_least(&kernel.version, 6, 8) => None,
            _ => Some(format!("{} is not known to switch it on", kernel.version)),
        })
        .collect();
    let told_off = is_started_with(draft, "intel_iommu", "off");
    let reason = if told_off {
        "the command line says intel_iommu=off".to_owned()
    } else if off.is_empty() {
        "every kernel of the system switches it on by itself".to_owned()
    } else {
        off.join("; ")
    };
    let default = if told_off || !off.is_empty() {
        "on"
    } else {
        "leave"
    };
    if draft.option("iommu", (default, &reason)) == "on" {
        let edit = WordEdit::item_instead("intel_iommu", "on", &["off"]);
        words(draft, &[edit], &format!("intel_iommu=on: {reason}."));
    }
}

fn amd(draft: &mut Draft) {
    let told_off = is_started_with(draft, "amd_iommu", "off");
    let (default, reason) = if told_off {
        ("on", "the command line says amd_iommu=off")
    } else {
        (
            "leave",
            "Linux switches AMD's IOMMU on by itself, and amd_iommu=on is no word that it knows",
        )
    };
    if draft.option("iommu", (default, reason)) == "on" && told_off {
        let edit = WordEdit::RemoveItem {
            name: "amd_iommu".to_owned(),
            item: "off".to_owned(),
        };
        words(
            draft,
            &[edit],
            "amd_iommu=off goes: it switches the IOMMU off.",
        );
    }
}

fn x2apic(draft: &mut Draft) {
    if !draft.ctx.subject.assessment.iommu.x2apic_opt_out && !draft.ctx.is_asked("x2apic-opt-out") {
        return;
    }
    let reason = "the firmware asks the kernel not to use x2APIC; interrupts are remapped in xAPIC mode all the same";
    if draft.option("x2apic-opt-out", ("leave", reason)) == "ignore" {
        let edit = WordEdit::item("intremap", "no_x2apic_optout");
        words(
            draft,
            &[edit],
            "intremap=no_x2apic_optout: asked for; the firmware's wish about x2APIC is not heeded.",
        );
    }
}

fn acs(draft: &mut Draft) {
    if !draft.ctx.is_asked("acs-override") {
        return;
    }
    let value = draft.option(
        "acs-override",
        ("none", "groups follow what the hardware isolates"),
    );
    let kernels = draft.ctx.system().kernels.iter();
    let without: Vec<&str> = kernels
        .filter(|kernel| kernel.facts.acs_override == Reading::Known(false))
        .map(|kernel| kernel.version.as_str())
        .collect();
    draft.warnings.push(
        "pcie_acs_override lets the kernel believe in an isolation that the hardware does not have: a guest can then \
         reach the memory of the other devices of the group, and through them the host's."
            .to_owned(),
    );
    if !without.is_empty() {
        draft.warnings.push(format!(
            "{} does not know pcie_acs_override, so groups stay as they are there.",
            without.join(", ")
        ));
    }
    let edits: Vec<WordEdit> = value
        .split(',')
        .map(|item| WordEdit::item("pcie_acs_override", item))
        .collect();
    words(
        draft,
        &edits,
        "pcie_acs_override: asked for, with its risk.",
    );
}

/// Edits the command line wherever the system takes it from.
pub(super) fn words(draft: &mut Draft, edits: &[WordEdit], reason: &str) {
    for edit in edits {
        if !draft.command_line.contains(edit) {
            draft.command_line.push(edit.clone());
        }
    }
    let methods = draft.ctx.methods();
    let systemd_boot = methods.contains(&Method::SystemdBoot)
        || methods.is_empty() && draft.ctx.files().root.contains_key(KERNEL_CMDLINE);
    let grub = methods.iter().any(|method| *method != Method::SystemdBoot)
        || methods.is_empty() && draft.ctx.files().root.contains_key(grub::MAIN);
    // Where a file could not be read, it is there: what it says may be what holds.
    let unread = |draft: &Draft, path: &str| {
        let mut unread = draft.ctx.files().unread.keys();
        unread.any(|unread| unread.starts_with(path))
    };
    let systemd_boot = systemd_boot || methods.is_empty() && unread(draft, KERNEL_CMDLINE);
    let grub = grub || methods.is_empty() && unread(draft, grub::MAIN);
    if systemd_boot {
        draft.edit(Tree::Root, KERNEL_CMDLINE, reason, |file| {
            kernel_cmdline::edit(file, edits)
        });
    }
    if grub && draft.is_read(grub::MAIN) {
        let paths = draft.paths(grub::MAIN).into_iter();
        let mut files: grub::Files = paths
            .filter_map(|path| Some((path.clone(), draft.content(Tree::Root, &path)?)))
            .collect();
        files.sort_by_key(|(path, _)| (path != grub::MAIN, path.clone()));
        match grub::edit(&files, edits) {
            Ok(changed) => {
                for (path, bytes) in changed {
                    draft.put(Tree::Root, &path, bytes, None, reason);
                }
            }
            Err(error) => draft.not_understood(grub::MAIN, &error.to_string()),
        }
    }
    if !systemd_boot && !grub {
        draft.not_understood(
            "the boot configuration",
            "neither /etc/default/grub nor /etc/kernel/cmdline is there",
        );
    }
}
