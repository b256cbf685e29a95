use std::collections::BTreeSet;

use hardware::Reading;
use proxmox::initrd::{InitramfsTool, InitrdContent};
use proxmox::settings::parse_module_list;
use proxmox::system::kernel::Presence;
use proxmox::{InitrdCopy, InitrdSeen, Installation, InstalledKernel};

use super::{Mismatch, starts_from_esps, takes_part};
use crate::files::SystemFiles;
use crate::plan::{Plan, Tree};
use crate::steps::{INIT_TOP, INITRAMFS_MODULES};

/// The modules that give a card to a guest; what they need is in each kernel's modules.dep.
const VFIO: [&str; 2] = ["vfio_pci", "vfio_iommu_type1"];

/// The initrds that had to be made anew hold what the plan put into them, and their copies on ESPs are the same.
pub(super) fn check(plan: &Plan, system: &Installation, files: &SystemFiles) -> Vec<Mismatch> {
    let versions = plan.needs.initramfs.iter();
    versions
        .flat_map(|version| match system.kernel(version) {
            Some(kernel) => of_kernel(plan, system, files, kernel),
            None => {
                let place = format!("/boot/vmlinuz-{version}");
                vec![Mismatch::other(&place, "the kernel is there", "it is gone")]
            }
        })
        .collect()
}

fn of_kernel(
    plan: &Plan,
    system: &Installation,
    files: &SystemFiles,
    kernel: &InstalledKernel,
) -> Vec<Mismatch> {
    const WANTED: &str = "an initrd made from the plan's files";
    let mut found = Vec::new();
    if !kernel.initrds.iter().any(|copy| copy.esp.is_none()) {
        let place = format!("/boot/initrd.img-{}", kernel.version);
        found.push(Mismatch::other(&place, WANTED, "it is not there"));
    }
    let from_esps = starts_from_esps(system);
    if from_esps {
        found.extend(without_initrd(system, kernel));
    }
    let mut first: Option<(&str, &InitrdSeen)> = None;
    for copy in counted(system, kernel, from_esps) {
        let seen = match &copy.content {
            Reading::Known(seen) => seen,
            Reading::Absent => {
                found.push(Mismatch::other(&copy.path, WANTED, "it is not there"));
                continue;
            }
            Reading::Unknown(why) => {
                found.push(Mismatch::not_verified(&copy.path, WANTED, why.to_string()));
                continue;
            }
        };
        match first {
            // The same bytes hold the same.
            Some((_, known)) if known.sha256.is_some() && known.sha256 == seen.sha256 => continue,
            Some((path, known)) => {
                let wanted = format!("the same bytes as {path} ({} bytes)", known.size);
                let other = format!("others ({} bytes)", seen.size);
                found.push(Mismatch::other(&copy.path, &wanted, other));
            }
            None => first = Some((&copy.path, seen)),
        }
        match &seen.holds.broken {
            Some(why) => found.push(Mismatch::not_verified(&copy.path, WANTED, why)),
            None => found.extend(
                Check {
                    plan,
                    system,
                    files,
                    kernel,
                    place: &copy.path,
                    holds: &seen.holds,
                }
                .all(),
            ),
        }
    }
    found
}

/// What does not agree in the initrd of /boot, where it could be read.
pub(super) fn of_boot(
    plan: &Plan,
    system: &Installation,
    files: &SystemFiles,
    kernel: &InstalledKernel,
) -> Vec<Mismatch> {
    let mut copies = kernel.initrds.iter().filter(|copy| copy.esp.is_none());
    let read = copies.find_map(|copy| Some((copy, copy.content.known()?)));
    let Some((copy, seen)) = read.filter(|(_, seen)| seen.holds.broken.is_none()) else {
        return Vec::new();
    };
    let check = Check {
        plan,
        system,
        files,
        kernel,
        place: &copy.path,
        holds: &seen.holds,
    };
    check.all()
}

/// The copy in /boot, and where systems start from ESPs those there that something starts.
fn counted<'a>(
    system: &Installation,
    kernel: &'a InstalledKernel,
    from_esps: bool,
) -> Vec<&'a InitrdCopy> {
    let copies = kernel.initrds.iter();
    copies
        .filter(|copy| match copy.esp {
            None => true,
            Some(index) => from_esps && takes_part(system, index) && !system.is_left_over(copy),
        })
        .collect()
}

/// ESPs that have the kernel and no initrd for it.
fn without_initrd(system: &Installation, kernel: &InstalledKernel) -> Vec<Mismatch> {
    let esps = system.boot.esps.iter().enumerate();
    esps.filter(|(index, _)| takes_part(system, *index))
        .flat_map(|(_, esp)| esp.kernels.iter().map(move |there| (esp, there)))
        .filter(|(_, there)| there.version == kernel.version && there.initrd.is_none())
        .map(|(esp, there)| {
            let place = format!("{}: {}", esp.label(), there.image);
            Mismatch::other(&place, "its initrd lies beside it", "it is not there")
        })
        .collect()
}

/// One initrd.
struct Check<'a> {
    plan: &'a Plan,
    system: &'a Installation,
    files: &'a SystemFiles,
    kernel: &'a InstalledKernel,
    place: &'a str,
    holds: &'a InitrdContent,
}

impl Check<'_> {
    fn all(&self) -> Vec<Mismatch> {
        let mut found = self.modprobe();
        let bound = |option: &crate::OptionUsed| {
            option.option == "bind" && (option.value == "ids" || option.value == "address")
        };
        if self.plan.options.iter().any(bound) {
            found.extend(self.modules());
            found.extend(self.loaded());
        }
        // A card that is handed back is bound all the same by a script that was left as it was.
        found.extend(self.script());
        found
    }

    fn other(&self, wanted: &str, found: impl Into<String>) -> Mismatch {
        Mismatch::other(self.place, wanted, found)
    }

    fn tool(&self) -> Option<InitramfsTool> {
        let makes = self.system.initramfs_tool.known();
        self.holds.tool.or(makes.copied())
    }

    /// Files of modprobe.d that the plan changes, and all others that speak of vfio.
    fn modprobe(&self) -> Vec<Mismatch> {
        let planned = |path: &str| {
            let mut changes = self.plan.changes.iter();
            changes.any(|change| change.tree == Tree::Root && change.path == path)
        };
        let files = self.files.root.iter().filter(|(path, bytes)| {
            path.starts_with("/etc/modprobe.d/")
                && (planned(path) || bytes.windows(4).any(|word| word == b"vfio"))
        });
        files
            .filter_map(|(path, bytes)| self.same_file(path.trim_start_matches('/'), path, bytes))
            .collect()
    }

    fn same_file(&self, inside: &str, path: &str, bytes: &[u8]) -> Option<Mismatch> {
        let wanted = format!("{inside} in it, with the bytes of {path}");
        match self.holds.files.get(inside) {
            Some(text) if *text == String::from_utf8_lossy(bytes) => None,
            Some(_) => Some(self.other(&wanted, "other bytes")),
            None => Some(self.other(&wanted, "it is not there")),
        }
    }

    /// vfio-pci as a module, with all that it needs. A kernel that has it built in needs nothing, and one that does
    /// not have it at all was said in the plan.
    fn modules(&self) -> Vec<Mismatch> {
        if matches!(
            self.kernel.facts.vfio_pci,
            Reading::Known(Presence::BuiltIn | Presence::Missing)
        ) {
            return Vec::new();
        }
        let wanted = "vfio-pci in it, with every module that it needs";
        let version = &self.kernel.version;
        let unread = |why: String| vec![Mismatch::not_verified(self.place, wanted, why)];
        let Some(known) = self.files.dependencies.get(version) else {
            return unread(format!("modules.dep of {version} could not be read"));
        };
        if !known.contains_key("vfio_pci") {
            return unread(format!("modules.dep of {version} does not name vfio-pci"));
        }
        let needed: BTreeSet<&str> = VFIO
            .iter()
            .filter_map(|module| known.get_key_value(*module))
            .flat_map(|(module, needed)| std::iter::once(module).chain(needed))
            .map(String::as_str)
            .collect();
        let missing: Vec<&str> = needed
            .into_iter()
            .filter(|module| !self.holds.modules.contains(*module))
            .collect();
        if missing.is_empty() {
            return Vec::new();
        }
        vec![self.other(wanted, format!("without {}", missing.join(", ")))]
    }

    /// The initrd loads vfio-pci by itself, and before those that are listed behind it.
    fn loaded(&self) -> Vec<Mismatch> {
        if self.kernel.facts.vfio_pci == Reading::Known(Presence::Missing) {
            return Vec::new();
        }
        match self.tool() {
            Some(InitramfsTool::InitramfsTools) => self.module_list(),
            Some(InitramfsTool::Dracut) => {
                let mut lists = self.holds.files.iter();
                let named = lists.any(|(path, text)| {
                    path.starts_with("etc/cmdline.d/")
                        && text.replace('-', "_").contains("rd.driver.pre=vfio_pci")
                });
                let built_in = self.kernel.facts.vfio_pci == Reading::Known(Presence::BuiltIn);
                if named || built_in {
                    return Vec::new();
                }
                let wanted = "rd.driver.pre=vfio_pci in etc/cmdline.d";
                vec![self.other(wanted, "it is not there")]
            }
            Some(InitramfsTool::Mkinitcpio) | None => vec![Mismatch::not_verified(
                self.place,
                "vfio-pci is loaded from it",
                "what made it is not known",
            )],
        }
    }

    fn module_list(&self) -> Vec<Mismatch> {
        let names = |text: &str| -> Vec<String> {
            let list = parse_module_list(text).into_iter();
            list.map(|(_, module, _)| module).collect()
        };
        let bytes = self.files.root.get(INITRAMFS_MODULES);
        let wanted = names(&String::from_utf8_lossy(bytes.map_or(&[], Vec::as_slice)));
        let inside = self.holds.files.get("conf/modules");
        let found = names(inside.map(String::as_str).unwrap_or_default());
        // Of VFIO's, only those that this kernel has.
        let has = self.files.dependencies.get(&self.kernel.version);
        let missing: Vec<&str> = wanted
            .iter()
            .filter(|module| {
                has.is_some_and(|has| has.contains_key(*module)) && !found.contains(module)
            })
            .map(String::as_str)
            .collect();
        let mut mismatches = Vec::new();
        let shown = format!("conf/modules loads {}", wanted.join(", "));
        if !missing.is_empty() {
            mismatches.push(self.other(&shown, format!("not {}", missing.join(", "))));
        }
        let place = |module: &String| found.iter().position(|other| other == module);
        let places: Vec<usize> = wanted.iter().filter_map(place).collect();
        if !places.is_sorted() {
            let shown = format!("{shown}, in this order");
            mismatches.push(self.other(&shown, found.join(", ")));
        }
        mismatches
    }

    /// The script that binds by address, run before udev. dracut knows no such script.
    fn script(&self) -> Vec<Mismatch> {
        if self.tool() == Some(InitramfsTool::Dracut) {
            return Vec::new();
        }
        let Some(bytes) = self.files.root.get(INIT_TOP) else {
            return Vec::new();
        };
        let inside = "scripts/init-top/preflight-vfio";
        let mut found: Vec<Mismatch> = self
            .same_file(inside, INIT_TOP, bytes)
            .into_iter()
            .collect();
        let order = self.holds.files.get("scripts/init-top/ORDER");
        let order = order.map(String::as_str).unwrap_or_default();
        let line = |name: &str| {
            let named = |line: &str| {
                line.split_ascii_whitespace().next() == Some(&format!("/scripts/init-top/{name}"))
            };
            order.lines().position(named)
        };
        let wanted = "scripts/init-top/ORDER runs preflight-vfio before udev";
        match (line("preflight-vfio"), line("udev")) {
            (None, _) => found.push(self.other(wanted, "it does not run it")),
            (Some(own), Some(udev)) if udev < own => {
                found.push(self.other(wanted, "it runs it after udev"));
            }
            _ => {}
        }
        found
    }
}
