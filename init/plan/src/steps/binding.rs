mod address;
mod handed_back;

pub(crate) use address::INIT_TOP;

use std::collections::BTreeSet;

use hardware::Reading;
use proxmox::initrd::InitramfsTool;
use proxmox::system::kernel::{KernelFacts, Presence};

use super::Step;
use super::command_line::{is_passed, words};
use crate::context::{Context, at_least};
use crate::draft::{Draft, HEADER};
use crate::edit::{EditError, WordEdit, modprobe, module_list};
use crate::plan::Tree;

/// Debian's kmod makes it a link to /etc/modules.
const LINK_TO_MODULES: &str = "/etc/modules-load.d/modules.conf";

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

const MODPROBE: &str = "/etc/modprobe.d";
/// What initramfs-tools loads first.
pub(crate) const INITRAMFS_MODULES: &str = "/etc/initramfs-tools/modules";
const DRACUT: &str = "/etc/dracut.conf.d/preflight-vfio.conf";

fn write(draft: &mut Draft) {
    let ctx = draft.ctx;
    if ctx.given.is_empty() || !draft.is_read(MODPROBE) {
        return;
    }
    if ctx.stays_with_host() {
        handed_back::hand_back(draft);
        handed_back::blacklisted(draft);
        return;
    }
    let (default, reason) = default(ctx);
    let bind = draft.option("bind", (default, &reason));
    match bind.as_str() {
        "ids" => by_ids(draft, &reason),
        "address" => address::bind(draft, &reason),
        _ if handed_back::hand_back(draft) => {
            draft.notes.push("The card stays with the host's driver until the guest starts, and does not go back to it.".to_owned());
        }
        _ => {}
    }
    if bind != "guest-start" {
        softdeps(draft);
        initramfs(draft);
    }
    blacklist(draft);
}

/// By id where the ids are the card's alone and no driver has it before vfio-pci is loaded, else by address. Virtual
/// functions share one id, and are not there yet when an address is looked for.
fn default(ctx: &Context) -> (&'static str, String) {
    let virtual_functions = virtual_functions(ctx);
    if virtual_functions.len() == ctx.given.len() {
        let reason = format!(
            "the host's driver makes {} only after the initrd's script has run, and its id is every virtual function's",
            virtual_functions.join(", ")
        );
        return ("guest-start", reason);
    }
    let twins: Vec<String> = ctx
        .twins()
        .iter()
        .map(|twin| format!("{} is {}", twin.address, twin.id))
        .collect();
    let early = built_in_drivers(ctx);
    // There is no script for dracut's initrds.
    let with_script = ctx.system().initramfs_tool != Reading::Known(InitramfsTool::Dracut);
    if twins.is_empty() && !early.is_empty() && with_script {
        return (
            "address",
            format!("ids come too late: {}", early.join(", ")),
        );
    }
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

/// What of the given is made by the driver of another function (SR-IOV).
fn virtual_functions(ctx: &Context) -> Vec<String> {
    let given = ctx.given.iter();
    given
        .filter(|function| function.physical_function.known().is_some())
        .map(|function| function.address.to_string())
        .collect()
}

/// Drivers of the host that have a function before any module is loaded.
fn built_in_drivers(ctx: &Context) -> Vec<String> {
    let given = ctx.given.iter();
    let each = given.flat_map(|function| {
        let drivers = ctx.built_in_drivers(function).into_iter();
        drivers.map(|(driver, kernel)| {
            format!(
                "{driver} is built into {kernel} and takes {}",
                function.address
            )
        })
    });
    each.collect()
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
    let early = built_in_drivers(ctx);
    if !early.is_empty() {
        draft.warnings.push(format!(
            "By its ids vfio-pci does not get the card: {}, before vfio-pci is loaded. bind=address takes it away again.",
            early.join(", ")
        ));
    }
    let ids = ids(ctx);
    let why = format!("vfio-pci takes the card by its ids: {reason}.");
    let file = holder(draft, "ids").unwrap_or_else(|| modprobe::OWN.to_owned());
    own(draft, &file, &why, |file| {
        modprobe::add_items(file, "vfio-pci", "ids", &ids)
    });
    let built_in = built_in(ctx, |facts| &facts.vfio_pci);
    let why = if !built_in.is_empty() {
        format!(
            "vfio-pci.ids: vfio-pci is built into {}, where modprobe.d has no say.",
            built_in.join(", ")
        )
    } else if is_passed(draft, "vfio-pci.ids", None) {
        // As for a switch: what stands there is put behind the files, and the last list is the whole one.
        "vfio-pci.ids: the command line has a list, which holds against modprobe.d.".to_owned()
    } else {
        return;
    };
    let edits: Vec<WordEdit> = ids
        .iter()
        .map(|id| WordEdit::item("vfio-pci.ids", id))
        .collect();
    words(draft, &edits, &why);
}

/// Kernels with a module built in: what modprobe.d says of it counts for nothing there.
pub(super) fn built_in<'a>(
    ctx: &Context<'a>,
    presence: fn(&KernelFacts) -> &Reading<Presence>,
) -> Vec<&'a str> {
    let kernels = ctx.system().kernels.iter();
    let built_in =
        kernels.filter(|kernel| *presence(&kernel.facts) == Reading::Known(Presence::BuiltIn));
    built_in.map(|kernel| kernel.version.as_str()).collect()
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
            // dracut leaves /etc/modprobe.d out of initrds that are not for their own host alone.
            let mut configured: BTreeSet<String> = BTreeSet::from([modprobe::OWN.to_owned()]);
            configured.extend(draft.paths(MODPROBE).into_iter().filter(|path| {
                let content = draft.content(Tree::Root, path).unwrap_or_default();
                content.windows(4).any(|bytes| bytes == b"vfio")
            }));
            let configured: Vec<String> = configured.into_iter().collect();
            let line = format!(
                "force_drivers+=\" {} \"\ninstall_items+=\" {} \"\n",
                modules.join(" "),
                configured.join(" ")
            );
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
    let mut lists = draft.paths("/etc/modules-load.d/");
    lists.retain(|path| path != LINK_TO_MODULES);
    lists.extend(["/etc/modules", INITRAMFS_MODULES].map(str::to_owned));
    for path in lists {
        if draft.content(Tree::Root, &path).is_some() {
            let why = "vfio_virqfd goes: no kernel of the system has it, and each start complains about it.";
            draft.edit(Tree::Root, &path, why, |file| {
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
