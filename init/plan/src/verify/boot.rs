use hardware::{FirmwareKind, Reading};
use proxmox::boot::esp::EspState;
use proxmox::boot::grub_menu::GrubMenu;
use proxmox::boot::loader_entries::LoaderMenu;
use proxmox::boot::way::{Method, Way, kernel_version};
use proxmox::command_line::CommandLine;
use proxmox::{Installation, Trouble};

use super::{Mismatch, takes_part};
use crate::edit::WordEdit;
use crate::plan::Plan;

/// An entry that may start.
struct Start {
    place: String,
    kernel: Option<String>,
    initrds: Vec<String>,
    command_line: CommandLine,
}

const WANTED: &str = "what starts is given the plan's command line and initrds";

/// Whether a plan changes anything that boot loaders read.
pub(super) fn is_concerned(plan: &Plan) -> bool {
    !plan.command_line.is_empty() || !plan.needs.initramfs.is_empty()
}

/// Every entry that the firmware can come to passes the words of the plan, and starts with an initrd that was
/// looked at. Entries that update-grub and proxmox-boot-tool leave as they are count only where one of them is what
/// starts next.
pub(super) fn check(plan: &Plan, system: &Installation) -> Vec<Mismatch> {
    if !is_concerned(plan) {
        return Vec::new();
    }
    let mut found = unread(system);
    let ways = system.boot.ways();
    if ways.is_empty() {
        let why = "nothing was found that starts the system";
        found.push(Mismatch::not_verified("the start", WANTED, why));
    }
    let mut starts = Vec::new();
    for (kind, way) in ways {
        by_way(system, kind, way, &mut starts, &mut found);
    }
    starts.sort_by(|one: &Start, other: &Start| one.place.cmp(&other.place));
    starts.dedup_by(|one, other| one.place == other.place);
    for start in &starts {
        found.extend(
            plan.command_line
                .iter()
                .filter_map(|edit| word(start, edit)),
        );
        found.extend(initrd(plan, system, start));
    }
    found
}

/// ESPs that proxmox-boot-tool keeps and nobody gave.
pub(super) fn missing_esps(system: &Installation) -> Vec<Mismatch> {
    let mut found = Vec::new();
    match &system.boot.proxmox_boot_tool {
        Reading::Known(ids) => {
            let seen = |id: &String| {
                let mut esps = system
                    .boot
                    .esps
                    .iter()
                    .filter_map(|esp| esp.volume_id.as_ref());
                esps.any(|known| known.eq_ignore_ascii_case(id))
            };
            found.extend(ids.iter().filter(|id| !seen(id)).map(|id| {
                let why = "proxmox-boot-tool keeps it, and it is not on the disks that were read";
                Mismatch::not_verified(&format!("ESP {id}"), WANTED, why)
            }));
        }
        Reading::Absent => {}
        Reading::Unknown(why) => {
            let place = "/etc/kernel/proxmox-boot-uuids";
            found.push(Mismatch::not_verified(place, WANTED, why.to_string()));
        }
    }
    found
}

/// What of the start was not read: ESPs, and files of boot loaders.
fn unread(system: &Installation) -> Vec<Mismatch> {
    let mut found = missing_esps(system);
    for trouble in &system.troubles {
        if let Trouble::Unread(what) | Trouble::HalfWritten(what) = trouble
            && ["/loader/", "/grub/", "/EFI/"]
                .iter()
                .any(|folder| what.contains(folder))
        {
            found.push(Mismatch::not_verified("the boot menus", WANTED, what));
        }
    }
    found
}

fn by_way(
    system: &Installation,
    kind: FirmwareKind,
    way: &Way,
    starts: &mut Vec<Start>,
    found: &mut Vec<Mismatch>,
) {
    let place = match kind {
        FirmwareKind::Uefi => "the start by UEFI",
        FirmwareKind::Bios => "the start by BIOS",
    };
    match &way.next {
        Reading::Known(next) => starts.push(Start {
            place: next.place.to_string(),
            kernel: next.kernel.clone(),
            initrds: next.initrds.clone(),
            command_line: next.command_line.clone(),
        }),
        Reading::Absent => {
            let why = "nothing was found that starts this way";
            found.push(Mismatch::not_verified(place, WANTED, why));
        }
        Reading::Unknown(why) => found.push(Mismatch::not_verified(place, WANTED, why.to_string())),
    }
    let grub = |esp: &EspState| match kind {
        FirmwareKind::Uefi => esp.grub.clone(),
        FirmwareKind::Bios => esp.grub_bios.clone(),
    };
    match way.method {
        Reading::Known(Method::GrubBios) => {
            menu(
                "/boot/grub/grub.cfg",
                &system.boot.grub_bios,
                of_grub,
                starts,
                found,
            );
        }
        Reading::Known(Method::GrubUefi) => {
            menu(
                "/boot/grub/grub.cfg",
                &system.boot.grub,
                of_grub,
                starts,
                found,
            );
        }
        Reading::Known(Method::GrubOnEsp) => {
            for (esp, is_first) in esps(system, way) {
                let place = format!("{}: /grub/grub.cfg", esp.label());
                let read = grub(esp);
                if is_first || read != Reading::Absent {
                    menu(&place, &read, of_grub, starts, found);
                }
            }
        }
        Reading::Known(Method::SystemdBoot) => {
            for (esp, is_first) in esps(system, way) {
                let place = format!("{}: /loader/entries", esp.label());
                if is_first || esp.systemd_boot != Reading::Absent {
                    menu(&place, &esp.systemd_boot, of_systemd_boot, starts, found);
                }
            }
        }
        // The reason is the one why what starts next is not known.
        Reading::Absent | Reading::Unknown(_) => {}
    }
}

/// ESPs that take part in starting, and whether the way begins there.
fn esps<'a>(system: &'a Installation, way: &Way) -> Vec<(&'a EspState, bool)> {
    let esps = system.boot.esps.iter().enumerate();
    esps.filter(|(index, _)| takes_part(system, *index))
        .map(|(index, esp)| (esp, way.esp == Some(index)))
        .collect()
}

fn menu<T>(
    place: &str,
    menu: &Reading<T>,
    entries: fn(&str, &T) -> Vec<Start>,
    starts: &mut Vec<Start>,
    found: &mut Vec<Mismatch>,
) {
    match menu {
        Reading::Known(menu) => {
            let entries = entries(place, menu);
            if entries.is_empty() {
                let why = "no entry of the system's own kernels was found in it";
                found.push(Mismatch::not_verified(place, WANTED, why));
            }
            starts.extend(entries);
        }
        Reading::Absent => found.push(Mismatch::other(place, WANTED, "it is not there")),
        Reading::Unknown(why) => {
            found.push(Mismatch::not_verified(place, WANTED, why.to_string()));
        }
    }
}

fn of_grub(place: &str, menu: &GrubMenu) -> Vec<Start> {
    let entries = menu.ordinary().into_iter();
    entries
        .map(|(_, linux)| Start {
            place: format!("{place}:{}", linux.line),
            kernel: kernel_version(&linux.kernel),
            initrds: linux.initrds.clone(),
            command_line: linux.command_line.clone(),
        })
        .collect()
}

fn of_systemd_boot(place: &str, menu: &LoaderMenu) -> Vec<Start> {
    let entries = menu.ordinary().into_iter();
    entries
        .map(|entry| Start {
            place: format!("{place}/{}:{}", entry.file, entry.options_line),
            kernel: entry
                .linux
                .as_deref()
                .and_then(kernel_version)
                .or_else(|| entry.version.clone()),
            initrds: entry.initrds.clone(),
            command_line: entry.options.clone(),
        })
        .collect()
}

fn word(start: &Start, edit: &WordEdit) -> Option<Mismatch> {
    let wanted = match edit {
        WordEdit::Item { instead_of, .. } if !instead_of.is_empty() => {
            format!(
                "the kernel is given {}, not {}",
                edit.shown(),
                instead_of.join(" or ")
            )
        }
        WordEdit::Item { .. } | WordEdit::Word(_) => {
            format!("the kernel is given {}", edit.shown())
        }
        WordEdit::RemoveItem { .. } => format!("the kernel is not given {}", edit.shown()),
    };
    match edit.is_done(&start.command_line) {
        Ok(true) => None,
        Ok(false) => Some(Mismatch::other(
            &start.place,
            &wanted,
            format!("'{}'", start.command_line),
        )),
        Err(why) => Some(Mismatch::not_verified(
            &start.place,
            &wanted,
            why.to_string(),
        )),
    }
}

/// The entry of a kernel whose initrds were made anew names one of them.
fn initrd(plan: &Plan, system: &Installation, start: &Start) -> Option<Mismatch> {
    let version = start.kernel.as_ref()?;
    if !plan.needs.initramfs.contains(version) {
        return None;
    }
    let name = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
    let kernel = system.kernel(version)?;
    let known: Vec<String> = kernel.initrds.iter().map(|copy| name(&copy.path)).collect();
    let named = start.initrds.iter().any(|path| known.contains(&name(path)));
    (!named).then(|| {
        let wanted = format!(
            "it starts with an initrd of {version}: {}",
            known.join(", ")
        );
        let found = match start.initrds.join(" ") {
            none if none.is_empty() => "no initrd".to_owned(),
            some => some,
        };
        Mismatch::other(&start.place, &wanted, found)
    })
}
