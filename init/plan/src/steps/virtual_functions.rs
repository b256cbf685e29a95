use hardware::Reading;

use super::Step;
use crate::draft::Draft;
use crate::edit::sysfs;
use crate::plan::Tree;

/// Virtual functions of SR-IOV, made at every start.
pub(super) const STEP: Step = Step {
    refusals: &["sriov-not-possible"],
    write,
};

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
    let mut made = false;
    for function in draft.ctx.given.clone() {
        if !draft.ctx.choice.devices.contains(&function.address) {
            continue;
        }
        match &function.total_virtual_functions {
            Reading::Known(total) if *total >= count => {
                made = true;
                let attribute = format!("bus/pci/devices/{}/sriov_numvfs", function.address);
                let reason = format!(
                    "{} can have {total} virtual functions; {count} are made at every start.",
                    function.address
                );
                draft.edit(Tree::Root, sysfs::OWN, &reason, |file| {
                    sysfs::set(file, &attribute, &value)
                });
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
    let installed = draft.ctx.system().packages.known();
    if installed.is_none_or(|packages| !packages.contains_key("sysfsutils")) {
        draft.packages.push("sysfsutils".to_owned());
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
