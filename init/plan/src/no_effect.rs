use crate::context::Context;
use crate::draft::Draft;
use crate::options::OPTIONS;

/// Why options are not taken up: those that it is true of, when it is so, and what is said of them. The first that fits is said.
struct Reason {
    options: &'static [&'static str],
    is_so: fn(&Context) -> bool,
    text: &'static str,
}

const OF_GUEST: &[&str] = &[
    "x-vga",
    "rombar",
    "machine",
    "bios",
    "igd-legacy",
    "hide-kvm",
    "mapping",
];

const REASONS: &[Reason] = &[
    Reason {
        options: OF_GUEST,
        is_so: |ctx| ctx.choice.guest.is_none(),
        text: "changes no guest, for none is named: name one with --vm",
    },
    Reason {
        options: OF_GUEST,
        is_so: |ctx| ctx.is_asked("sriov"),
        text: "has no effect here: the guest is left as it is until the virtual functions are there; plan again for one of them",
    },
    Reason {
        options: &[
            "bind",
            "blacklist",
            "framebuffer",
            "disable-vga",
            "disable-idle-d3",
            "unsafe-interrupts",
            "libvirt-hook",
        ],
        is_so: |ctx| ctx.stays_with_host(),
        text: "has no effect here: with sriov and mdev the card stays with the host's driver",
    },
    Reason {
        options: &["x-vga", "framebuffer"],
        is_so: |ctx| ctx.display().is_none(),
        text: "has no effect here: none of the devices is a display",
    },
    Reason {
        options: &["libvirt-hook"],
        is_so: |_| true,
        text: "has no effect here: it is for guests of libvirt, on a host that is not Proxmox VE, and for the display that the firmware uses",
    },
    Reason {
        options: &["iommu"],
        is_so: |_| true,
        text: "has no effect here: neither the firmware nor the processor says whose IOMMU the machine has",
    },
];

/// Says which of the options that were asked for no step took up.
pub(crate) fn warn(draft: &mut Draft) {
    let ctx = draft.ctx;
    let is_used = |name: &str| draft.options.iter().any(|used| used.option == name);
    let unused = OPTIONS.iter().filter_map(|option| {
        let value = ctx.asked(option.name)?;
        if option.asks_for_nothing(value) || is_used(option.name) {
            return None;
        }
        let mut reasons = REASONS.iter();
        let why = reasons
            .find(|reason| reason.options.contains(&option.name) && (reason.is_so)(ctx))
            .map_or("has no effect here", |reason| reason.text);
        Some(format!("{}={value} {why}.", option.name))
    });
    let unused: Vec<String> = unused.collect();
    draft.warnings.extend(unused);
}
