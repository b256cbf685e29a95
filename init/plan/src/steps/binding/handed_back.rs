use std::collections::BTreeSet;

use hardware::Function;
use proxmox::settings::{KERNEL_CMDLINE, ModprobeDirective};

use super::address::{INIT_TOP, remove_ids, takes};
use super::ids;
use crate::context::Context;
use crate::draft::Draft;
use crate::edit::{grub, modprobe};
use crate::plan::Tree;

/// Takes away what binds the card before the host's driver has it: it stands there from an earlier plan, or from a
/// person. Gives whether nothing is left that does.
pub(super) fn hand_back(draft: &mut Draft) -> bool {
    let mut gone = Vec::new();
    let mut whole = true;
    for id in ids(draft.ctx) {
        let others = bound_along(draft, &id);
        if others.is_empty() {
            gone.push(id);
            continue;
        }
        let places = listed(draft, &id);
        if places.is_empty() {
            continue;
        }
        whole = false;
        let lost = if draft.ctx.stays_with_host() {
            ", and its driver makes no parts of it"
        } else {
            ""
        };
        draft.warnings.push(format!(
            "{id} stays in {}, for it binds {} too: vfio-pci takes the card with it when the host starts{lost}. \
             Plan {} with bind=address first, which takes the id out of the list, and then this again.",
            places.join(" and "),
            others.join(", "),
            others.join(", "),
        ));
    }
    remove_ids(draft, &gone, "the host's driver has it from the start on");
    untake(draft);
    whole
}

/// Other functions that a list with this id binds. What the script binds by address needs no list.
fn bound_along(draft: &Draft, id: &str) -> Vec<String> {
    let ctx = draft.ctx;
    let script = draft.content(Tree::Root, INIT_TOP).unwrap_or_default();
    let script = String::from_utf8_lossy(&script).into_owned();
    let is_other = |function: &&Function| {
        let address = function.address.to_string();
        let is_given = ctx.given.iter().any(|one| one.address == function.address);
        function.id.to_string() == id
            && !is_given
            && !script.lines().any(|line| takes(line, &address))
    };
    let others = ctx.machine().functions.iter().filter(is_other);
    others
        .map(|function| function.address.to_string())
        .collect()
}

/// Where a list of vfio-pci has this id.
fn listed(draft: &Draft, id: &str) -> Vec<String> {
    let item = [id.to_owned()];
    let mut places = draft.paths("/etc/modprobe.d/");
    places.retain(|path| {
        let content = draft.content(Tree::Root, path).unwrap_or_default();
        let without = modprobe::remove_items(&content, "vfio-pci", "ids", &item);
        without.is_ok_and(|without| without != content)
    });
    if is_on_command_line(draft, id) {
        places.push("the kernel command line".to_owned());
    }
    places
}

fn is_on_command_line(draft: &Draft, id: &str) -> bool {
    let has = |list: &str| list.split(',').any(|item| item.eq_ignore_ascii_case(id));
    let mut starts = draft.ctx.system().next_boots().into_iter();
    if starts.any(|(_, next)| next.command_line.values("vfio-pci.ids").any(has)) {
        return true;
    }
    let mut paths = draft.paths(grub::MAIN);
    paths.push(KERNEL_CMDLINE.to_owned());
    paths.iter().any(|path| {
        let content = draft.content(Tree::Root, path).unwrap_or_default();
        let text = String::from_utf8_lossy(&content).replace('_', "-");
        let mut lists = text.split("vfio-pci.ids=").skip(1);
        lists.any(|rest| {
            let end = rest.find(|end: char| end.is_whitespace() || "\"'".contains(end));
            rest.get(..end.unwrap_or(rest.len())).is_some_and(has)
        })
    })
}

/// Takes the card's lines out of our script, which goes on binding the others.
fn untake(draft: &mut Draft) {
    let given = draft.ctx.given.iter();
    let given: Vec<String> = given.map(|function| function.address.to_string()).collect();
    let why =
        "The card's addresses go from the script: the host's driver has it from the start on.";
    draft.edit(Tree::Root, INIT_TOP, why, |file| {
        let lines = file.split_inclusive(|byte| *byte == b'\n');
        let kept = lines.filter(|line| {
            let line = String::from_utf8_lossy(line);
            !given.iter().any(|address| takes(&line, address))
        });
        Ok(kept.flatten().copied().collect())
    });
}

/// Warns where the driver that makes parts of the card is not loaded. The line stays: it can be there for another card.
pub(super) fn blacklisted(draft: &mut Draft) {
    let ctx = draft.ctx;
    let lines = blacklists(ctx);
    let is_off = |driver: &String| lines.iter().any(|(_, _, off)| off == driver);
    let mut warnings = Vec::new();
    for function in &ctx.given {
        let drivers = makers(ctx, function);
        // One that is left can be the one that is meant, as the maker's beside nouveau.
        if !drivers.iter().all(is_off) {
            continue;
        }
        for (place, word, driver) in &lines {
            if drivers.contains(driver) {
                warnings.push(format!(
                    "{place} has {word}, so {driver} is not loaded, which makes the parts of {}. It stays, for it \
                     can be there for another card: take it out, and run update-initramfs -u -k all.",
                    function.address
                ));
            }
        }
    }
    draft.warnings.extend(warnings);
}

/// The drivers that can make the parts that are asked for. The kernel puts the driver's name before the kind of a
/// mediated device (Linux, drivers/vfio/mdev/mdev_sysfs.c, mdev_type_add).
fn makers(ctx: &Context, function: &Function) -> BTreeSet<String> {
    match ctx.asked("mdev").filter(|_| ctx.is_asked("mdev")) {
        Some(kind) => kind.split('-').take(1).map(str::to_owned).collect(),
        None => ctx.drivers(function),
    }
}

/// Where drivers are kept from being loaded: the place, what stands there, the driver.
fn blacklists(ctx: &Context) -> Vec<(String, String, String)> {
    let mut found = Vec::new();
    for setting in ctx
        .system()
        .settings
        .modprobe
        .iter()
        .flat_map(|file| &file.directives)
    {
        if let ModprobeDirective::Blacklist { module } = &setting.value {
            let place = setting.place.to_string();
            found.push((place, format!("'blacklist {module}'"), module.clone()));
        }
    }
    for (_, next) in ctx.system().next_boots() {
        for name in ["modprobe.blacklist", "module_blacklist"] {
            let drivers = next
                .command_line
                .values(name)
                .flat_map(|list| list.split(','));
            for driver in drivers {
                let word = format!("'{name}={driver}'");
                found.push((next.place.to_string(), word, driver.replace('-', "_")));
            }
        }
    }
    found
}
