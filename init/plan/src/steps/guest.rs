mod display;
mod line;
mod mapping;
mod paper;
mod settings;

use std::collections::BTreeMap;

use hardware::{Function, Reading};
use proxmox::guests::{Guest, HostSelector};

pub(super) use line::named;

use super::{Step, rom};
use crate::context::Context;
use crate::draft::Draft;
use crate::edit::EditError;
use crate::edit::guest::GuestFile;
use crate::plan::Tree;

/// The guest's own file.
pub(super) const STEP: Step = Step {
    refusals: &[
        "guest-unreadable",
        "guest-missing",
        "guest-is-container",
        "guest-is-template",
        "guest-names-device-twice",
        "igd-legacy-not-possible",
        "mapping-not-possible",
    ],
    write,
};

fn write(draft: &mut Draft) {
    let ctx = draft.ctx;
    let Some(number) = ctx.choice.guest else {
        return;
    };
    if ctx.is_asked("sriov") {
        draft.notes.push(
            "The guest is left as it is: the virtual functions are not there yet.".to_owned(),
        );
        return;
    }
    let files = match &ctx.files().pve {
        Reading::Known(files) => files,
        Reading::Absent => {
            let evidence = vec!["/var/lib/pve-cluster/config.db is not there".to_owned()];
            draft.refuse(
                "guest-unreadable",
                false,
                "The system has no guests of Proxmox VE.",
                evidence,
            );
            return;
        }
        Reading::Unknown(why) => {
            draft.refuse(
                "guest-unreadable",
                false,
                "The guests of the system cannot be read.",
                vec![why.to_string()],
            );
            return;
        }
    };
    let (path, node) = match place(ctx, files, number) {
        Ok(found) => found,
        Err((id, summary)) => {
            draft.refuse(
                id,
                false,
                &summary,
                vec![format!("/etc/pve has {} files", files.len())],
            );
            return;
        }
    };
    let shown = format!("/etc/pve/{path}");
    let content = draft.content(Tree::Pve, &path).unwrap_or_default();
    let mut file = match GuestFile::parse(&content) {
        Ok(file) => file,
        Err(error) => {
            draft.not_understood(&shown, &error.to_string());
            return;
        }
    };
    if file.guest(&node, number).template {
        draft.refuse(
            "guest-is-template",
            false,
            "A template never runs, so it is given no device.",
            vec![shown],
        );
        return;
    }
    let mut reasons = Vec::new();
    if let Err(error) = edit(draft, &mut file, &node, number, &mut reasons) {
        draft.not_understood(&shown, &error.to_string());
        return;
    }
    draft.put_for(Tree::Pve, &path, file.print(), &reasons);
    let guest = file.guest(&node, number);
    advice(draft, &guest);
    paper::checklist(draft, &guest, &file);
}

type Place = Result<(String, String), (&'static str, String)>;

fn place(ctx: &Context, files: &BTreeMap<String, Vec<u8>>, number: u32) -> Place {
    let own = ctx.system().node.known();
    let find = |folder: &str| {
        let ending = format!("/{folder}/{number}.conf");
        let paths = files
            .keys()
            .filter(|path| path.starts_with("nodes/") && path.ends_with(&ending));
        let nodes = paths.filter_map(|path| {
            let node = path.split('/').nth(1)?;
            own.is_none_or(|own| own == node)
                .then(|| (path.clone(), node.to_owned()))
        });
        nodes.collect::<Vec<_>>().into_iter().next()
    };
    if let Some(found) = find("qemu-server") {
        return Ok(found);
    }
    if find("lxc").is_some() {
        return Err((
            "guest-is-container",
            format!("{number} is a container; PCI devices are given to virtual machines."),
        ));
    }
    Err(("guest-missing", format!("The node has no guest {number}.")))
}

fn edit(
    draft: &mut Draft,
    file: &mut GuestFile,
    node: &str,
    number: u32,
    reasons: &mut Vec<String>,
) -> Result<(), EditError> {
    settings::machine(draft, file, reasons)?;
    let q35 = file
        .value("machine")?
        .is_some_and(|machine| machine.contains("q35"));
    let legacy = display::legacy(draft, file, q35)?;
    let mapping = mapping::mapping(draft, node);
    if draft.ctx.asked("rombar").is_some() {
        let default = (
            "leave",
            "the guest sees the card's ROM unless its file says otherwise",
        );
        draft.option("rombar", default);
    }
    let before = file.guest(node, number);
    let selectors = selectors(draft.ctx).into_iter();
    for (selector, functions) in selectors.flat_map(|one| line::as_held(&before, one)) {
        let shown = functions
            .iter()
            .find(|function| function.class.is_display());
        let guest = file.guest(node, number);
        let held = line::held(draft.ctx, &guest, node, &functions, mapping.as_deref());
        // Proxmox VE does not start a guest with pcie on another machine type.
        let mut options = vec![("pcie", q35.then(|| "1".to_owned()))];
        if let Some(display) = shown {
            options.extend(display::of_display(draft, file, display, legacy, held)?);
        }
        if let Some(file) = &draft.ctx.choice.rom
            && rom::target(draft.ctx)
                .is_some_and(|target| functions.iter().any(|one| one.address == target.address))
        {
            options.push(("romfile", Some(rom::name(&file.path))));
        }
        let mdev = draft.ctx.asked("mdev");
        let mdev = mdev.filter(|_| draft.ctx.is_asked("mdev"));
        options.push(("mdev", mdev.map(str::to_owned)));
        match draft.ctx.asked("rombar") {
            Some("yes") => options.push(("rombar", Some("1".to_owned()))),
            Some("no") => options.push(("rombar", Some("0".to_owned()))),
            // Legacy mode is nothing without the ROM.
            _ if legacy && shown.is_some() => options.push(("rombar", None)),
            _ => {}
        }
        let key = match held {
            Some(device) => format!("hostpci{}", device.index),
            None => format!("hostpci{}", file.free_device()?),
        };
        let old = file.value(&key)?;
        let wanted = line::Wanted {
            selector,
            mapping: mapping.as_deref(),
            options,
        };
        file.set(&key, &line::line(old.as_deref().zip(held), &wanted))?;
        reasons.push(format!("{key}: the guest is given {selector}."));
        given_twice(draft, &file.guest(node, number), &key, &functions);
        if let (Some(_), true) = (shown, legacy) {
            file.set("vga", "none")?;
            display::opregion(draft, file, &key)?;
            reasons.push("vga, args: legacy mode of Intel's display needs the guest without another one, and its OpRegion.".to_owned());
        }
    }
    settings::hide(draft, file, reasons)
}

/// Proxmox VE does not start a guest that names a device twice.
fn given_twice(draft: &mut Draft, guest: &Guest, key: &str, functions: &[&Function]) {
    let others = guest.hostpci.iter().filter(|device| {
        format!("hostpci{}", device.index) != key
            && device.hosts.iter().any(|host| {
                functions
                    .iter()
                    .any(|function| host.covers(function.address))
            })
    });
    let evidence: Vec<String> = others
        .flat_map(|device| {
            let hosts = device.hosts.iter();
            hosts.map(|host| format!("hostpci{} is {host}", device.index))
        })
        .collect();
    if !evidence.is_empty() {
        draft.refuse(
            "guest-names-device-twice",
            false,
            "The guest would be given the same function by two of its lines; take one of them away first.",
            evidence,
        );
    }
}

/// One for each card that is given whole, else one for each function.
pub(super) fn selectors<'a>(ctx: &Context<'a>) -> Vec<(HostSelector, Vec<&'a Function>)> {
    let mut found: Vec<(HostSelector, Vec<&Function>)> = Vec::new();
    for function in &ctx.given {
        let all = ctx
            .machine()
            .functions
            .iter()
            .filter(|other| other.address.slot() == function.address.slot());
        let all: Vec<&Function> = all.collect();
        let whole = all.len() > 1
            && all
                .iter()
                .all(|other| ctx.given.iter().any(|given| given.address == other.address));
        if whole
            && found
                .iter()
                .any(|(selector, _)| selector.covers(function.address))
        {
            continue;
        }
        let mut address = function.address;
        if whole {
            address.function = 0;
        }
        let functions = if whole { all } else { vec![*function] };
        found.push((HostSelector { address, whole }, functions));
    }
    found
}

fn advice(draft: &mut Draft, guest: &Guest) {
    let q35 = guest
        .machine
        .as_deref()
        .is_some_and(|machine| machine.contains("q35"));
    if !q35 && !draft.ctx.is_asked("igd-legacy") {
        draft.notes.push(
            "The guest's machine type is i440fx, where a device is a conventional PCI one; with q35 (--set machine=q35) it \
             would be PCI Express."
                .to_owned(),
        );
    }
    draft.notes.push(format!(
        "The whole memory of guest {} is taken and locked when it starts: ballooning does not give any back.",
        guest.number
    ));
}
