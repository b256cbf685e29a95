//! One way of starting: which program, and what it starts.

use std::fmt;

use hardware::Reading;
use serde::{Deserialize, Serialize};

use super::esp::{EspState, Loader, Program};
use super::firmware::BootEntries;
use super::grub_menu::GrubMenu;
use super::root_grub::RootGrub;
use crate::command_line::CommandLine;
use crate::place::Place;

/// What happens on a start by UEFI, or by BIOS.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Way {
    /// Absent where nothing can start this way.
    pub method: Reading<Method>,
    /// The ESP that it begins on, by its place in the list; none for BIOS, or where several do alike.
    pub esp: Option<usize>,
    /// What was seen that says so, a sentence each.
    pub why: Vec<String>,
    /// What starts when nobody touches a key.
    pub next: Reading<NextBoot>,
}

/// The programs, by where their configuration comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// GRUB in the boot sector, configured in /boot/grub.
    GrubBios,
    /// GRUB on an ESP, configured in /boot/grub of the system.
    GrubUefi,
    /// GRUB with configuration and kernels on an ESP, by proxmox-boot-tool.
    GrubOnEsp,
    /// systemd-boot with entries and kernels on an ESP.
    SystemdBoot,
}

impl Method {
    /// Whether kernels and initrds are started from an ESP, which has copies of those in /boot.
    pub fn has_kernels_on_esp(self) -> bool {
        matches!(self, Self::GrubOnEsp | Self::SystemdBoot)
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::GrubBios => "GRUB in the boot sector",
            Self::GrubUefi => "GRUB for UEFI",
            Self::GrubOnEsp => "GRUB with its kernels on the ESP (proxmox-boot-tool)",
            Self::SystemdBoot => "systemd-boot",
        })
    }
}

/// A kernel and what it is given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NextBoot {
    /// The menu entry; titles of submenus first.
    pub titles: Vec<String>,
    /// `6.8.12-2-pve`, from the image's name.
    pub kernel: Option<String>,
    /// As the boot loader names it.
    pub image: String,
    /// As the boot loader names them.
    pub initrds: Vec<String>,
    /// What the kernel is given.
    pub command_line: CommandLine,
    /// The line that says so.
    pub place: Place,
    /// It was chosen for the next start alone.
    pub once: bool,
}

const FALLBACK: &str = "/EFI/BOOT/BOOTX64.EFI";

pub(super) fn by_uefi(
    esps: &[EspState],
    entries: &Reading<BootEntries>,
    managed: bool,
    root: &RootGrub,
) -> Way {
    let mut why = Vec::new();
    let chosen = entries
        .known()
        .and_then(|entries| by_entries(esps, entries, &mut why));
    let loader_choice = entries
        .known()
        .and_then(|entries| entries.loader_choice.as_deref());
    if let Some((index, loader)) = chosen
        && let Some(esp) = esps.get(index)
    {
        return match method(esp, loader, managed, &mut why) {
            Some(method) => way(method, Some(index), why, esps, root, loader_choice),
            None => {
                let reason = format!("{} on {} is of no known kind", loader.path, esp.label());
                Way {
                    method: Reading::Unknown(reason.clone().into()),
                    esp: Some(index),
                    why,
                    next: Reading::Unknown(reason.into()),
                }
            }
        };
    }
    guess(esps, managed, root, loader_choice, why)
}

/// The first entry of BootOrder that leads to an ESP of this machine.
fn by_entries<'a>(
    esps: &'a [EspState],
    entries: &BootEntries,
    why: &mut Vec<String>,
) -> Option<(usize, &'a Loader)> {
    for entry in entries.entries.iter().filter(|entry| entry.active) {
        let Some(partition) = &entry.partition else {
            continue;
        };
        let at = esps
            .iter()
            .position(|esp| esp.partition.as_ref() == Some(partition));
        let Some((index, esp)) = at.and_then(|index| Some((index, esps.get(index)?))) else {
            continue;
        };
        let path = entry
            .file
            .as_ref()
            .map_or(FALLBACK.to_owned(), |file| file.replace('\\', "/"));
        let name = format!("Boot{:04X} '{}'", entry.number, entry.description);
        if let Some(loader) = esp.loader(&path) {
            why.push(format!(
                "{name} is the first that can start: {path} on {}",
                esp.label()
            ));
            return Some((index, loader));
        }
        why.push(format!(
            "{name} names {path} on {}, which is not there",
            esp.label()
        ));
    }
    None
}

/// Without the firmware's word: every ESP would have to lead to the same program.
fn guess(
    esps: &[EspState],
    managed: bool,
    root: &RootGrub,
    loader_choice: Option<&str>,
    mut why: Vec<String>,
) -> Way {
    let mut found: Vec<(usize, Method)> = Vec::new();
    for (index, esp) in esps.iter().enumerate() {
        let loader = [
            "/EFI/proxmox/shimx64.efi",
            "/EFI/proxmox/grubx64.efi",
            "/EFI/systemd/systemd-bootx64.efi",
            FALLBACK,
        ]
        .iter()
        .find_map(|path| esp.loader(path))
        .or_else(|| {
            esp.loaders
                .iter()
                .find(|loader| loader.program != Program::Other)
        });
        let method = loader.and_then(|loader| method(esp, loader, managed, &mut why));
        found.extend(method.map(|method| (index, method)));
    }
    let Some(&(first, method)) = found.first() else {
        return Way {
            method: Reading::Absent,
            esp: None,
            why: vec!["no ESP holds a program that starts it".to_owned()],
            next: Reading::Absent,
        };
    };
    if found.iter().any(|(_, other)| *other != method) {
        let reason =
            "its ESPs hold different boot programs, and the firmware's boot entries were not read"
                .to_owned();
        return Way {
            method: Reading::Unknown(reason.clone().into()),
            esp: None,
            why,
            next: Reading::Unknown(reason.into()),
        };
    }
    let alone = (found.len() == 1).then_some(first);
    let mut way = way(method, Some(first), why, esps, root, loader_choice);
    way.esp = alone;
    way
}

/// What a program on an ESP amounts to.
fn method(esp: &EspState, loader: &Loader, managed: bool, why: &mut Vec<String>) -> Option<Method> {
    let folder = loader
        .path
        .rsplit_once('/')
        .map_or("", |(folder, _)| folder);
    let started = match loader.program {
        Program::Shim => esp.loader(&format!("{folder}/grubx64.efi"))?,
        _ => loader,
    };
    match started.program {
        Program::SystemdBoot => {
            why.push(format!(
                "{} on {} is systemd-boot",
                started.path,
                esp.label()
            ));
            Some(Method::SystemdBoot)
        }
        Program::Grub => {
            // proxmox-boot-tool's own rule: a GRUB of Proxmox on an ESP that it keeps reads the ESP's grub.cfg.
            let prefix = started.prefix.as_deref();
            let own = prefix == Some("/grub") || (prefix.is_none() && managed);
            let on_esp = own && esp.grub.known().is_some();
            let to = if on_esp {
                "the ESP's own /grub"
            } else {
                "/boot/grub of the system"
            };
            why.push(format!(
                "{} on {} is GRUB, configured in {to}",
                started.path,
                esp.label()
            ));
            Some(if on_esp {
                Method::GrubOnEsp
            } else {
                Method::GrubUefi
            })
        }
        Program::Shim | Program::Other => None,
    }
}

fn way(
    method: Method,
    esp: Option<usize>,
    why: Vec<String>,
    esps: &[EspState],
    root: &RootGrub,
    loader_choice: Option<&str>,
) -> Way {
    let state = esp.and_then(|index| esps.get(index));
    let next = match (method, state) {
        (Method::SystemdBoot, Some(esp)) => by_systemd_boot(esp, loader_choice),
        (Method::GrubOnEsp, Some(esp)) => by_grub(&esp.grub, &grub_cfg(esp)),
        (Method::GrubBios, _) => by_grub(&root.bios, &root.path),
        (Method::GrubUefi, _) => by_grub(&root.uefi, &root.path),
        (_, None) => Reading::Absent,
    };
    Way {
        method: Reading::Known(method),
        esp,
        why,
        next,
    }
}

pub(super) fn by_bios(esps: &[EspState], managed: bool, root: &RootGrub) -> Way {
    let with_grub = esps.iter().position(|esp| esp.grub_bios.known().is_some());
    if let Some(index) = with_grub.filter(|_| managed)
        && let Some(esp) = esps.get(index)
    {
        return Way {
            method: Reading::Known(Method::GrubOnEsp),
            esp: Some(index),
            why: vec![format!(
                "{} is there, and proxmox-boot-tool keeps the ESPs",
                grub_cfg(esp)
            )],
            next: by_grub(&esp.grub_bios, &grub_cfg(esp)),
        };
    }
    if root.bios.known().is_some() && root.installed_for_bios {
        let why = vec![format!(
            "{} is there, with GRUB's modules for BIOS beside it",
            root.path
        )];
        return way(Method::GrubBios, None, why, esps, root, None);
    }
    Way {
        method: Reading::Absent,
        esp: None,
        why: vec!["GRUB was not installed for BIOS".to_owned()],
        next: Reading::Absent,
    }
}

fn grub_cfg(esp: &EspState) -> String {
    format!("{}: /grub/grub.cfg", esp.label())
}

fn by_grub(menu: &Reading<GrubMenu>, path: &str) -> Reading<NextBoot> {
    menu.as_ref().and_then(|menu| {
        if !menu.certain {
            return Err(format!(
                "{path} sets its default under a condition that only GRUB can judge"
            ));
        }
        let (titles, entry) = menu
            .starts()
            .ok_or_else(|| format!("{path} makes an empty menu"))?;
        let title = titles.join(" > ");
        let linux = entry
            .linux
            .as_ref()
            .ok_or_else(|| format!("{path}:{} starts '{title}', which is no Linux", entry.line))?;
        let titles = titles.into_iter().map(str::to_owned).collect();
        Ok(NextBoot {
            titles,
            kernel: kernel_version(&linux.kernel),
            image: linux.kernel.clone(),
            initrds: linux.initrds.clone(),
            command_line: linux.command_line.clone(),
            place: Place {
                file: path.to_owned(),
                line: linux.line,
            },
            once: menu.once,
        })
    })
}

pub(crate) fn by_systemd_boot(esp: &EspState, choice: Option<&str>) -> Reading<NextBoot> {
    esp.systemd_boot.as_ref().and_then(|menu| {
        let entry = menu
            .starts(choice)
            .ok_or_else(|| format!("{} has no entries", esp.label()))?;
        let image = entry.linux.clone().unwrap_or_default();
        Ok(NextBoot {
            titles: vec![entry.title.clone().unwrap_or_else(|| entry.file.clone())],
            kernel: kernel_version(&image).or_else(|| entry.version.clone()),
            image,
            initrds: entry.initrds.clone(),
            command_line: entry.options.clone(),
            place: Place {
                file: format!("{}: /loader/entries/{}", esp.label(), entry.file),
                line: entry.options_line,
            },
            once: false,
        })
    })
}

/// The version in the name of an image: `vmlinuz-6.8.12-2-pve`.
pub fn kernel_version(image: &str) -> Option<String> {
    let name = image.rsplit('/').next()?;
    let version = name.strip_prefix("vmlinuz-")?;
    (!version.is_empty()).then(|| version.to_owned())
}
