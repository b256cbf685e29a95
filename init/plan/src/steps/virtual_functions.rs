use hardware::{Function, HostRole, Reading};

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
                own(draft, udev::OWN, &reason, |file| {
                    udev::set(file, function, ATTRIBUTE, &value)
                });
                by_sysfsutils(draft, function, &value);
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

/// Where sysfsutils writes the attribute it says the same: a driver that has virtual functions takes no other number
/// (Linux, drivers/pci/iov.c, sriov_numvfs_store), so whichever came second would fail.
fn by_sysfsutils(draft: &mut Draft, function: &Function, count: &str) {
    if !draft.is_read("/etc/sysfs.") {
        return;
    }
    let interfaces = names(draft, function);
    let is_meant = |attribute: &str| {
        let mut parts = attribute.rsplit('/');
        match (parts.next(), parts.next(), parts.next()) {
            (Some(ATTRIBUTE), Some("device"), Some(name)) => {
                interfaces.iter().any(|own| own == name)
            }
            (Some(ATTRIBUTE), Some(name), _) => name.parse() == Ok(function.address),
            _ => false,
        }
    };
    for path in draft.paths("/etc/sysfs.") {
        let reason = format!(
            "{ATTRIBUTE} of {}: the same number here, for no other is taken once there are some.",
            function.address
        );
        draft.edit(Tree::Root, &path, &reason, |file| {
            sysfs::set(file, is_meant, count)
        });
    }
}

/// What the function's network interfaces are called: now, and by the files of the system.
fn names(draft: &Draft, function: &Function) -> Vec<String> {
    let ctx = draft.ctx;
    let seen = ctx.machine().host_devices.known().into_iter().flatten();
    let seen = seen
        .filter(|device| device.role == HostRole::Network && device.function == function.address)
        .map(|device| device.name.clone());
    let named = ctx.system().network.iter();
    let named = named
        .filter(|found| found.function == Some(function.address))
        .map(|found| found.name.clone());
    seen.chain(named).collect()
}
