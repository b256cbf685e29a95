use assess::Answer;

use super::Step;
use super::switch::Switch;
use crate::draft::Draft;

/// Options of the VFIO modules.
pub(super) const STEP: Step = Step {
    refusals: &["disable-vga-with-legacy-igd"],
    write,
};

const DISABLE_VGA: Switch = Switch {
    option: "disable-vga",
    module: "vfio-pci",
    parameter: "disable_vga",
    presence: |facts| &facts.vfio_pci,
};
const DISABLE_IDLE_D3: Switch = Switch {
    option: "disable-idle-d3",
    parameter: "disable_idle_d3",
    ..DISABLE_VGA
};
const UNSAFE_INTERRUPTS: Switch = Switch {
    option: "unsafe-interrupts",
    module: "vfio_iommu_type1",
    parameter: "allow_unsafe_interrupts",
    presence: |facts| &facts.vfio_iommu_type1,
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

const NEEDS_VGA: &str = "legacy mode of Intel's integrated display needs VGA";

fn disable_vga(draft: &mut Draft) {
    let ctx = draft.ctx;
    let is_vga = ctx.display().is_some_and(|display| display.class.is_vga());
    if !is_vga && ctx.asked("disable-vga").is_none() {
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
    let bios = match ctx.asked("bios") {
        Some(asked) if asked != "leave" => Some(asked),
        _ => guest.and_then(|guest| guest.bios.as_deref()),
    };
    let ovmf = guest.is_some() && bios == Some("ovmf");
    let default = if legacy {
        ("no", NEEDS_VGA)
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
    if draft.option("disable-vga", default) != "yes" {
        // What another card was once given would take VGA from this one too.
        DISABLE_VGA.off(draft, legacy.then_some(NEEDS_VGA));
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
    DISABLE_VGA.on(
        draft,
        "disable_vga=1: the card takes no part in VGA arbitration.",
    );
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
    if evidence.is_empty() && ctx.asked("disable-idle-d3").is_none() {
        DISABLE_IDLE_D3.off(draft, None);
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
        DISABLE_IDLE_D3.on(
            draft,
            "disable_idle_d3=1: the card is not sent to sleep, from which it may not wake.",
        );
    } else {
        DISABLE_IDLE_D3.off(draft, None);
    }
}

fn unsafe_interrupts(draft: &mut Draft) {
    let remapping = draft.ctx.subject.assessment.iommu.interrupt_remapping;
    if draft.ctx.asked("unsafe-interrupts").is_some() {
        let reason = "it is never switched on without being asked for";
        draft.option("unsafe-interrupts", ("no", reason));
    }
    if !draft.ctx.is_asked("unsafe-interrupts") {
        if remapping == Answer::No {
            draft.warnings.push(
                "Interrupts are not remapped on this machine, so VFIO refuses to give devices to guests. unsafe-interrupts=yes \
                 allows it, at the price that a guest can send any interrupt to the host."
                    .to_owned(),
            );
        }
        UNSAFE_INTERRUPTS.off(draft, None);
        return;
    }
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
    UNSAFE_INTERRUPTS.on(
        draft,
        "allow_unsafe_interrupts=1: asked for, with its risk.",
    );
}
