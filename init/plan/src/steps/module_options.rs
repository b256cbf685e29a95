use assess::Answer;

use super::Step;
use super::binding::{built_in, own};
use super::command_line::{is_started_with, words};
use crate::draft::Draft;
use crate::edit::{WordEdit, modprobe};
use crate::plan::Tree;

/// Options of the VFIO modules.
pub(super) const STEP: Step = Step {
    refusals: &["disable-vga-with-legacy-igd"],
    write,
};

fn write(draft: &mut Draft) {
    if draft.ctx.given.is_empty()
        || draft.ctx.stays_with_host()
        || !draft.is_read("/etc/modprobe.d")
    {
        return;
    }
    disable_vga(draft);
    idle(draft);
    unsafe_interrupts(draft);
}

/// Sets a switch in the file that has it, else in ours, and where modprobe.d has no say on the command line.
fn set(draft: &mut Draft, module: &str, option: &str, value: &str, reason: &str) {
    let has = |content: &[u8]| modprobe::has_option(content, module, option);
    let paths = draft.paths("/etc/modprobe.d/").into_iter().rev();
    let mut holders = paths.filter(|path| {
        draft
            .content(Tree::Root, path)
            .is_some_and(|content| has(&content))
    });
    let path = holders.next().unwrap_or_else(|| modprobe::OWN.to_owned());
    own(draft, &path, reason, |file| {
        modprobe::set_option(file, module, option, value)
    });
    let built_in = built_in(draft.ctx);
    if !built_in.is_empty() {
        let parameter = format!("{module}.{option}");
        let other = if value == "1" { "0" } else { "1" };
        let edit = WordEdit::item_instead(&parameter, value, &[other]);
        let why = format!(
            "{parameter}: {module} is built into {}, where modprobe.d has no say.",
            built_in.join(", ")
        );
        words(draft, &[edit], &why);
    }
}

fn disable_vga(draft: &mut Draft) {
    let ctx = draft.ctx;
    if ctx.display().is_none_or(|display| !display.class.is_vga()) && !ctx.is_asked("disable-vga") {
        return;
    }
    let others = ctx
        .machine()
        .functions
        .iter()
        .filter(|function| function.class.is_vga())
        .count();
    let legacy = ctx.integrated_display().is_some() && ctx.is_asked("igd-legacy");
    let guest = ctx.choice.guest.and_then(|number| {
        let guests = &ctx.system().guests.known()?.guests;
        guests.iter().find(|guest| guest.number == number)
    });
    let ovmf = guest.is_some_and(|guest| guest.bios.as_deref() == Some("ovmf"));
    let default = if legacy {
        ("no", "legacy mode of Intel's integrated display needs VGA")
    } else if ovmf && others > 1 {
        (
            "yes",
            "the guest starts by OVMF and needs no legacy VGA, and the machine has another VGA card",
        )
    } else {
        (
            "no",
            "the guest may need legacy VGA, or no other card asks for it",
        )
    };
    let disabled = draft.option("disable-vga", default) == "yes";
    if legacy && !disabled {
        vga_for_legacy(draft);
    }
    if !disabled {
        return;
    }
    if legacy {
        draft.refuse(
            "disable-vga-with-legacy-igd",
            false,
            "disable_vga takes from Intel's integrated display what its legacy mode needs.",
            ctx.integrated_display()
                .map(|display| format!("{} is {}", display.address, display.id))
                .into_iter()
                .collect(),
        );
        return;
    }
    set(
        draft,
        "vfio-pci",
        "disable_vga",
        "1",
        "disable_vga=1: the card takes no part in VGA arbitration.",
    );
}

/// What another card was once given would take VGA from this one too.
fn vga_for_legacy(draft: &mut Draft) {
    let (module, option) = ("vfio-pci", "disable_vga");
    let is_set = |path: String| {
        let content = draft.content(Tree::Root, &path);
        content.is_some_and(|content| modprobe::has_option(&content, module, option))
    };
    let is_set = draft.paths("/etc/modprobe.d/").into_iter().any(is_set)
        || is_started_with(draft, "vfio-pci.disable_vga", "1");
    if is_set {
        let why = "disable_vga=0: legacy mode of Intel's integrated display needs VGA.";
        set(draft, module, option, "0", why);
    }
}

fn idle(draft: &mut Draft) {
    let ctx = draft.ctx;
    let findings = ctx.subject.assessment.findings.iter();
    let stuck = findings.filter(|finding| {
        finding.id == "power.stuck"
            && ctx
                .given
                .iter()
                .any(|function| finding.function == Some(function.address))
    });
    let evidence: Vec<String> = stuck.flat_map(|finding| finding.evidence.clone()).collect();
    if evidence.is_empty() && !ctx.is_asked("disable-idle-d3") {
        return;
    }
    let default = if evidence.is_empty() {
        (
            "no",
            "nothing says that the card does not wake up".to_owned(),
        )
    } else {
        ("yes", evidence.join("; "))
    };
    if draft.option("disable-idle-d3", (default.0, &default.1)) == "yes" {
        set(
            draft,
            "vfio-pci",
            "disable_idle_d3",
            "1",
            "disable_idle_d3=1: the card is not sent to sleep, from which it may not wake.",
        );
    }
}

fn unsafe_interrupts(draft: &mut Draft) {
    let remapping = draft.ctx.subject.assessment.iommu.interrupt_remapping;
    if !draft.ctx.is_asked("unsafe-interrupts") {
        if remapping == Answer::No {
            draft.warnings.push(
                "Interrupts are not remapped on this machine, so VFIO refuses to give devices to guests. unsafe-interrupts=yes \
                 allows it, at the price that a guest can send any interrupt to the host."
                    .to_owned(),
            );
        }
        return;
    }
    if draft.option(
        "unsafe-interrupts",
        ("no", "it is never switched on without being asked for"),
    ) == "yes"
    {
        draft.warnings.push(
            "allow_unsafe_interrupts: a guest with a device can send any interrupt to the host, and with that crash it or take \
             it over. Use it only with guests that you trust like the host."
                .to_owned(),
        );
        if remapping == Answer::Yes {
            draft.warnings.push(
                "Interrupts are remapped on this machine: allow_unsafe_interrupts is not needed."
                    .to_owned(),
            );
        }
        set(
            draft,
            "vfio_iommu_type1",
            "allow_unsafe_interrupts",
            "1",
            "allow_unsafe_interrupts=1: asked for, with its risk.",
        );
    }
}
