use hardware::Reading;

use super::Step;
use super::binding::own;
use crate::draft::Draft;
use crate::edit::{sysfs, udev};
use crate::plan::Tree;

/// Virtual functions of SR-IOV, made at every start.
pub(super) const STEP: Step = Step {
    refusals: &["sriov-not-possible"],
    write,
};

/// How many virtual functions a function has (Linux, Documentation/PCI/pci-iov-howto.rst).
const ATTRIBUTE: &str = "sriov_numvfs";

fn write(draft: &mut Draft) {
    if !draft.ctx.is_asked("sriov") {
        return;
    }
    let value = draft.option(
        "sriov",
        (
            "none",
            "virtual functions are made only when they are asked for",
        ),
    );
    let count: u16 = value.parse().unwrap_or_default();
    // Without the package nothing reads /etc/sysfs.d, and a system that does not run cannot be given it.
    let installed = draft.ctx.system().packages.known();
    let by_sysfsutils = installed.is_some_and(|packages| packages.contains_key("sysfsutils"));
    let mut made = false;
    for function in draft.ctx.given.clone() {
        if !draft.ctx.choice.devices.contains(&function.address) {
            continue;
        }
        match &function.total_virtual_functions {
            Reading::Known(total) if *total >= count => {
                made = true;
                let reason = format!(
                    "{} can have {total} virtual functions; {count} are made at every start.",
                    function.address
                );
                if by_sysfsutils {
                    let attribute = format!("bus/pci/devices/{}/{ATTRIBUTE}", function.address);
                    draft.edit(Tree::Root, sysfs::OWN, &reason, |file| {
                        sysfs::set(file, &attribute, &value)
                    });
                } else {
                    own(draft, udev::OWN, &reason, |file| {
                        udev::set(file, function, ATTRIBUTE, &value)
                    });
                }
            }
            other => {
                let evidence = match other {
                    Reading::Known(total) => {
                        format!("{} can have {total}, not {count}", function.address)
                    }
                    Reading::Absent => format!("{} has no SR-IOV", function.address),
                    Reading::Unknown(why) => format!("{}: {why}", function.address),
                };
                draft.refuse(
                    "sriov-not-possible",
                    false,
                    "The device cannot have so many virtual functions.",
                    vec![evidence],
                );
            }
        }
    }
    if !made {
        return;
    }
    draft.notes.push(
        "The virtual functions are there after the next start; then they are given to guests like cards of their own."
            .to_owned(),
    );
    let by_bus = draft
        .ctx
        .system()
        .network
        .iter()
        .filter(|found| found.function.is_some() && !found.pinned);
    let names: Vec<String> = by_bus
        .map(|found| format!("{} ({})", found.name, found.place))
        .collect();
    if !names.is_empty() {
        draft.warnings.push(format!(
            "Virtual functions can take bus numbers, and these network names are made of bus numbers: {}. Give them names by MAC address (.link) first.",
            names.join(", ")
        ));
    }
}
