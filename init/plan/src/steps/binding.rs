use std::collections::BTreeSet;

use hardware::Reading;
use proxmox::initrd::InitramfsTool;
use proxmox::system::kernel::Presence;

use super::Step;
use super::command_line::words;
use crate::context::{Context, at_least};
use crate::draft::{Draft, HEADER};
use crate::edit::{EditError, WordEdit, modprobe, module_list};
use crate::plan::Tree;

/// How vfio-pci gets the card before a driver of the host does.
pub(super) const STEP: Step = Step {
    refusals: &[
        "ids-shared",
        "address-with-dracut",
        "blacklist-host-driver",
        "initramfs-unknown",
    ],
    write,
};

const INITRAMFS_MODULES: &str = "/etc/initramfs-tools/modules";
const SCRIPT: &str = "/etc/initramfs-tools/scripts/init-top/preflight-vfio";
const DRACUT: &str = "/etc/dracut.conf.d/preflight-vfio.conf";

fn write(draft: &mut Draft) {
    let ctx = draft.ctx;
    if ctx.given.is_empty() || ctx.stays_with_host() {
        return;
    }
    let (default, reason) = default(ctx);
    let bind = draft.option("bind", (default, &reason));
    match bind.as_str() {
        "ids" => by_ids(draft, &reason),
        "address" => by_address(draft, &reason),
        _ => {
            draft.notes.push("The card stays with the host's driver until the guest starts, and does not go back to it.".to_owned());
        }
    }
    if bind != "guest-start" {
        softdeps(draft);
        initramfs(draft);
    }
    blacklist(draft);
}

/// By id where the ids are the card's alone, else by address.
fn default(ctx: &Context) -> (&'static str, String) {
    let twins: Vec<String> = ctx
        .twins()
        .iter()
        .map(|twin| format!("{} is {}", twin.address, twin.id))
        .collect();
    if twins.is_empty() {
        return (
            "ids",
            "no other device of the machine has the card's ids".to_owned(),
        );
    }
    (
        "address",
        format!(
            "the host keeps a device with the same ids: {}",
            twins.join(", ")
        ),
    )
}

fn ids(ctx: &Context) -> Vec<String> {
    let mut ids = Vec::new();
    for function in &ctx.given {
        let id = function.id.to_string();
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    ids
}

fn by_ids(draft: &mut Draft, reason: &str) {
    let ctx = draft.ctx;
    let twins = ctx.twins();
    if !twins.is_empty() {
        let evidence = twins
            .iter()
            .map(|twin| format!("{} is {} too", twin.address, twin.id))
            .collect();
        draft.refuse(
            "ids-shared",
            true,
            "Bound by its ids, the card would take devices along that the host keeps.",
            evidence,
        );
    }
    let ids = ids(ctx);
    let why = format!("vfio-pci takes the card by its ids: {reason}.");
    let file = holder(draft, "ids").unwrap_or_else(|| modprobe::OWN.to_owned());
    own(draft, &file, &why, |file| {
        modprobe::add_items(file, "vfio-pci", "ids", &ids)
    });
    let built_in: Vec<&str> = ctx
        .system()
        .kernels
        .iter()
        .filter(|kernel| kernel.facts.vfio_pci == Reading::Known(Presence::BuiltIn))
        .map(|kernel| kernel.version.as_str())
        .collect();
    if !built_in.is_empty() {
        let edits: Vec<WordEdit> = ids
            .iter()
            .map(|id| WordEdit::item("vfio-pci.ids", id))
            .collect();
        let why = format!(
            "vfio-pci.ids: vfio-pci is built into {}, where modprobe.d has no say.",
            built_in.join(", ")
        );
        words(draft, &edits, &why);
    }
}

/// The file whose `options vfio-pci OPTION=` holds: modprobe reads files in the order of their names, and the
/// last value wins.
fn holder(draft: &Draft, option: &str) -> Option<String> {
    let mut paths = draft.paths("/etc/modprobe.d/");
    paths.sort();
    paths.into_iter().rev().find(|path| {
        let content = draft.content(Tree::Root, path).unwrap_or_default();
        let text = String::from_utf8_lossy(&content).into_owned();
        proxmox::settings::parse_modprobe(&text).iter().any(|(_, directive)| {
            matches!(directive, proxmox::settings::ModprobeDirective::Options { module, options }
                if module == "vfio_pci" && options.iter().any(|word| word.starts_with(&format!("{option}="))))
        })
    })
}

/// Edits a file, which begins with our header when it is ours and new.
pub(super) fn own(
    draft: &mut Draft,
    path: &str,
    reason: &str,
    edit: impl FnOnce(&[u8]) -> Result<Vec<u8>, EditError>,
) {
    draft.edit(Tree::Root, path, reason, |file| {
        if !file.is_empty() {
            return edit(file);
        }
        let made = edit(HEADER.as_bytes())?;
        Ok(if made == HEADER.as_bytes() {
            Vec::new()
        } else {
            made
        })
    });
}

fn by_address(draft: &mut Draft, reason: &str) {
    let ctx = draft.ctx;
    if ctx.system().initramfs_tool == Reading::Known(InitramfsTool::Dracut) {
        draft.refuse(
            "address-with-dracut",
            false,
            "Binding by address needs a script in the initrd, which is made for initramfs-tools only.",
            vec!["the initrds are made by dracut".to_owned()],
        );
        return;
    }
    let why = format!("vfio-pci takes the card by its address: {reason}.");
    draft.put(
        Tree::Root,
        SCRIPT,
        script(draft).into_bytes(),
        Some(0o755),
        &why,
    );
    // An id in a list would take the twin as well.
    let ids = ids(ctx);
    for path in draft.paths("/etc/modprobe.d/") {
        let content = draft.content(Tree::Root, &path).unwrap_or_default();
        if !content.windows(4).any(|bytes| bytes == b"vfio") {
            continue;
        }
        let why = "The card's ids go from the list of vfio-pci: they are another device's too.";
        draft.edit(Tree::Root, &path, why, |file| {
            modprobe::remove_items(file, "vfio-pci", "ids", &ids)
        });
    }
}

/// Runs before udev. A device that is no longer where it was is left alone.
fn script(draft: &Draft) -> String {
    const BEFORE: &str = "#!/bin/sh\n# Written by Preflight: vfio-pci takes these devices by their addresses, before udev finds drivers.\n\
        case \"$1\" in\nprereqs)\n\techo \"\"\n\texit 0\n\t;;\nesac\n\n\
        take() {\n\tdevice=/sys/bus/pci/devices/$1\n\t[ -e \"$device/driver_override\" ] || return 0\n\
        \tif [ \"$(cat \"$device/vendor\"):$(cat \"$device/device\")\" = \"$2\" ]; then\n\
        \t\techo vfio-pci > \"$device/driver_override\"\n\tfi\n}\n\n";
    const AFTER: &str = "modprobe -q vfio-pci || true\n";
    let old = draft.content(Tree::Root, SCRIPT).unwrap_or_default();
    let old = String::from_utf8_lossy(&old).into_owned();
    let given: Vec<String> = draft
        .ctx
        .given
        .iter()
        .map(|function| function.address.to_string())
        .collect();
    let mut lines: BTreeSet<String> = old
        .lines()
        .filter(|line| {
            line.starts_with("take 0") && !given.iter().any(|address| line.contains(address))
        })
        .map(str::to_owned)
        .collect();
    lines.extend(draft.ctx.given.iter().map(|function| {
        format!(
            "take {} 0x{}:0x{}",
            function.address, function.id.vendor, function.id.device
        )
    }));
    let lines: Vec<String> = lines.into_iter().collect();
    format!("{BEFORE}{}\n{AFTER}", lines.join("\n"))
}

/// Exactly the drivers that would take the card come after vfio-pci.
fn softdeps(draft: &mut Draft) {
    let ctx = draft.ctx;
    if ctx.files().aliases.is_empty() {
        draft.warnings.push(
            "No kernel's modules.alias could be read, so the drivers that would take the card are known only as far as one has it now."
                .to_owned(),
        );
    }
    for function in &ctx.given {
        for driver in ctx.drivers(function) {
            let line = format!("softdep {driver} pre: vfio-pci");
            let there = draft.paths("/etc/modprobe.d/").into_iter().any(|path| {
                let content = draft.content(Tree::Root, &path).unwrap_or_default();
                modprobe::add_line(&content, &line).is_ok_and(|after| after == content)
            });
            if !there {
                let why = format!(
                    "{driver} is loaded for {} and would take it: vfio-pci comes first.",
                    function.address
                );
                own(draft, modprobe::OWN, &why, |file| {
                    modprobe::add_line(file, &line)
                });
            }
        }
    }
}

fn initramfs(draft: &mut Draft) {
    let ctx = draft.ctx;
    let mut modules = vec!["vfio", "vfio_iommu_type1"];
    let kernels = &ctx.system().kernels;
    let virqfd = kernels
        .iter()
        .any(|kernel| match &kernel.facts.vfio_virqfd {
            Reading::Known(presence) => *presence == Presence::Module,
            _ => !at_least(&kernel.version, 6, 2),
        });
    if virqfd {
        modules.push("vfio_virqfd");
        if kernels.iter().any(|kernel| at_least(&kernel.version, 6, 2)) {
            draft.notes.push("vfio_virqfd is listed for kernels before 6.2; newer ones say at the start that they do not have it.".to_owned());
        }
    }
    modules.push("vfio_pci");
    let rivals: BTreeSet<String> = ctx
        .given
        .iter()
        .flat_map(|function| ctx.drivers(function))
        .collect();
    let rivals: Vec<&str> = rivals.iter().map(String::as_str).collect();
    let why = "vfio-pci is in the initrd and loaded there, before udev or anything on the root loads a driver for the card.";
    match &ctx.system().initramfs_tool {
        Reading::Known(InitramfsTool::Dracut) => {
            let line = format!("force_drivers+=\" {} \"\n", modules.join(" "));
            draft.put(
                Tree::Root,
                DRACUT,
                format!("{HEADER}{line}").into_bytes(),
                None,
                why,
            );
        }
        Reading::Known(InitramfsTool::InitramfsTools) => {
            draft.edit(Tree::Root, INITRAMFS_MODULES, why, |file| {
                module_list::add(file, &modules, &rivals)
            });
        }
        Reading::Absent | Reading::Unknown(_)
            if ctx.files().root.contains_key(INITRAMFS_MODULES) =>
        {
            draft.edit(Tree::Root, INITRAMFS_MODULES, why, |file| {
                module_list::add(file, &modules, &rivals)
            });
        }
        _ => draft.refuse(
            "initramfs-unknown",
            false,
            "What makes the system's initrds is not known, so vfio-pci cannot be put into them.",
            Vec::new(),
        ),
    }
    if virqfd {
        return;
    }
    for path in ["/etc/modules", INITRAMFS_MODULES] {
        if draft.content(Tree::Root, path).is_some() {
            let why = "vfio_virqfd goes: no kernel of the system has it, and each start complains about it.";
            draft.edit(Tree::Root, path, why, |file| {
                module_list::remove(file, &["vfio_virqfd"])
            });
        }
    }
}

fn blacklist(draft: &mut Draft) {
    let ctx = draft.ctx;
    if !ctx.is_asked("blacklist") {
        return;
    }
    let value = draft.option(
        "blacklist",
        (
            "none",
            "a softdep keeps a driver off this card; a blacklist keeps it off every device",
        ),
    );
    for driver in value.split(',') {
        // What the host needs is never taken from it, whatever was asked.
        let kept = ctx.machine().functions.iter().filter(|function| {
            let stays = !ctx
                .taken
                .iter()
                .any(|taken| taken.address == function.address);
            stays
                && (function.class.is_display() || function.class.is_storage())
                && ctx.drivers(function).contains(&driver.replace('-', "_"))
        });
        let kept: Vec<String> = kept
            .map(|function| {
                let what = if function.class.is_display() {
                    "the host's display"
                } else {
                    "the host's disks"
                };
                format!("{driver} drives {what} at {}", function.address)
            })
            .collect();
        if !kept.is_empty() {
            draft.refuse(
                "blacklist-host-driver",
                false,
                "The driver of the host's own display or disks is not blacklisted.",
                kept,
            );
            continue;
        }
        let why = format!("{driver} is not loaded for any device: asked for.");
        own(draft, modprobe::OWN, &why, |file| {
            modprobe::add_line(file, &format!("blacklist {driver}"))
        });
    }
}
