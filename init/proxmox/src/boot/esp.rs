//! What an EFI system partition holds.

use hardware::Reading;
use serde::{Deserialize, Serialize};

use super::grub_menu::GrubMenu;
use super::loader_entries::{LoaderEntry, LoaderMenu, parse_loader_conf};
use super::root_grub::RootGrub;
use crate::files::{Files, Kind};
use crate::reader::Reader;
use crate::system::kernel::contains;

/// An ESP, given by whoever found it.
pub struct EspSource<'a> {
    /// Where it is, for a person: `nvme0n1p2`, a folder.
    pub name: String,
    /// The FAT volume id, `1A2B-3C4D`.
    pub volume_id: Option<String>,
    /// The partition's GUID, lower case.
    pub partition: Option<String>,
    /// Its files.
    pub files: &'a dyn Files,
}

/// What an ESP holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EspState {
    /// Where it is, for a person.
    pub name: String,
    /// The FAT volume id, `1A2B-3C4D`.
    pub volume_id: Option<String>,
    /// The partition's GUID, lower case.
    pub partition: Option<String>,
    /// Whether proxmox-boot-tool keeps it; none where that cannot be told.
    pub listed: Option<bool>,
    /// Programs that the firmware can start.
    pub loaders: Vec<Loader>,
    /// systemd-boot's menu; absent without entries.
    pub systemd_boot: Reading<LoaderMenu>,
    /// The menu of a GRUB whose configuration is on the ESP itself, as UEFI and as BIOS run it.
    pub grub: Reading<GrubMenu>,
    /// The same for a start by BIOS.
    pub grub_bios: Reading<GrubMenu>,
    /// Kernels and initrds: the path of each file.
    pub kernels: Vec<EspKernel>,
}

/// A program on an ESP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loader {
    /// From the ESP's root, with slashes.
    pub path: String,
    /// What it is, by its content.
    pub program: Program,
    /// For a GRUB: the folder its configuration sends it to, `/boot/grub` or `/grub`.
    pub prefix: Option<String>,
}

/// Boot programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Program {
    /// systemd-boot.
    SystemdBoot,
    /// GRUB.
    Grub,
    /// shim, which starts what lies beside it.
    Shim,
    /// Anything else.
    Other,
}

/// A kernel on an ESP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EspKernel {
    /// `6.8.12-2-pve`.
    pub version: String,
    /// Its image.
    pub image: String,
    /// Its initrd, where one lies beside it.
    pub initrd: Option<String>,
}

impl EspKernel {
    /// Whether it lies in a folder, as proxmox-boot-tool has it for systemd-boot; those for GRUB are at the ESP's root.
    pub fn is_for_systemd_boot(&self) -> bool {
        self.image.trim_start_matches('/').contains('/')
    }
}

/// No boot program is larger.
const PROGRAM: u64 = 32 << 20;
/// Programs and kernels looked at on one ESP.
const MOST: usize = 64;

impl EspState {
    pub(crate) fn read(source: &EspSource, reader: &Reader) -> Self {
        let grub = RootGrub::read_below(reader, "/grub");
        Self {
            name: source.name.clone(),
            volume_id: source.volume_id.clone(),
            partition: source.partition.clone(),
            listed: None,
            loaders: loaders(reader),
            systemd_boot: systemd_boot(reader),
            grub: grub.uefi,
            grub_bios: grub.bios,
            kernels: kernels(reader),
        }
    }

    /// How it is called in a text.
    pub fn label(&self) -> String {
        match &self.volume_id {
            Some(id) => format!("ESP {id} ({})", self.name),
            None => format!("ESP {}", self.name),
        }
    }

    /// Kernels that nothing starts any more: those for a systemd-boot that GRUB has taken the place of, as when a host
    /// moved to Secure Boot. proxmox-boot-tool leaves them as they are from then on.
    pub fn left_over(&self) -> impl Iterator<Item = &EspKernel> {
        let by_grub = self.loader("/EFI/proxmox/grubx64.efi").is_some();
        let kernels = self.kernels.iter();
        kernels.filter(move |kernel| by_grub && kernel.is_for_systemd_boot())
    }

    /// The program at a path, whatever the case of its letters: FAT does not tell them apart.
    pub fn loader(&self, path: &str) -> Option<&Loader> {
        let mut loaders = self.loaders.iter();
        loaders.find(|loader| loader.path.eq_ignore_ascii_case(path))
    }
}

/// The real path of a path whose letters may be of another case.
fn on_fat(reader: &Reader, path: &str) -> Option<String> {
    let mut found = String::new();
    for part in path.split('/').filter(|part| !part.is_empty()) {
        let folder = if found.is_empty() { "/" } else { &found };
        let names = reader.names(folder);
        let names = names.known()?;
        let name = names
            .iter()
            .find(|name| *name == part)
            .or_else(|| names.iter().find(|name| name.eq_ignore_ascii_case(part)))?;
        found = format!("{found}/{name}");
    }
    Some(found)
}

fn loaders(reader: &Reader) -> Vec<Loader> {
    let mut loaders = Vec::new();
    let Some(efi) = on_fat(reader, "EFI") else {
        return loaders;
    };
    let vendors = reader.names(&efi).known().cloned().unwrap_or_default();
    for vendor in vendors.iter().take(MOST) {
        let folder = format!("{efi}/{vendor}");
        if reader.kind(&folder) != Some(Kind::Folder) {
            continue;
        }
        let names = reader.names(&folder).known().cloned().unwrap_or_default();
        for name in names.iter().take(MOST) {
            if !name.to_ascii_lowercase().ends_with(".efi") {
                continue;
            }
            let path = format!("{folder}/{name}");
            let Reading::Known(bytes) = reader.bytes(&path, PROGRAM) else {
                continue;
            };
            let program = program(&bytes);
            let prefix = (program == Program::Grub)
                .then(|| prefix(reader, &folder))
                .flatten();
            loaders.push(Loader {
                path,
                program,
                prefix,
            });
        }
    }
    loaders
}

/// Told by texts that each carries: systemd-boot its loader info, GRUB and shim their SBAT lines or messages.
fn program(bytes: &[u8]) -> Program {
    const SIGNS: [(&str, Program); 5] = [
        ("#### LoaderInfo: systemd-boot", Program::SystemdBoot),
        ("\nshim,", Program::Shim),
        ("\ngrub,", Program::Grub),
        ("Welcome to GRUB!", Program::Grub),
        ("grub_", Program::Grub),
    ];
    let sign = SIGNS
        .iter()
        .find(|(sign, _)| contains(bytes, sign.as_bytes()));
    sign.map_or(Program::Other, |(_, program)| *program)
}

/// Where the little grub.cfg beside a GRUB sends it: `set prefix=($root)'/boot/grub'`.
fn prefix(reader: &Reader, folder: &str) -> Option<String> {
    let path = on_fat(reader, &format!("{folder}/grub.cfg"))?;
    let text = reader.text(&path).known().cloned()?;
    let line = text
        .lines()
        .find_map(|line| line.trim().strip_prefix("set prefix="))?;
    let (_, inside) = line.split_once(')')?;
    Some(inside.trim_matches(['\'', '"']).to_owned())
}

fn systemd_boot(reader: &Reader) -> Reading<LoaderMenu> {
    let folder = "/loader/entries";
    let names = reader.names(folder);
    names.map(|names| {
        let conf = reader.text("/loader/loader.conf");
        let default = conf.known().and_then(|text| parse_loader_conf(text));
        let files = names.iter().filter(|name| name.ends_with(".conf"));
        let entries = files.filter_map(|name| {
            let text = reader.text(&format!("{folder}/{name}")).known().cloned()?;
            Some(LoaderEntry::parse(name, &text))
        });
        LoaderMenu::new(default, entries.collect())
    })
}

/// Kernels as proxmox-boot-tool puts them: at the root for GRUB, in EFI/proxmox/<version> for systemd-boot.
fn kernels(reader: &Reader) -> Vec<EspKernel> {
    let mut folders = vec![String::new()];
    if let Some(proxmox) = on_fat(reader, "EFI/proxmox") {
        let names = reader.names(&proxmox).known().cloned().unwrap_or_default();
        let names = names.iter().take(MOST);
        folders.extend(names.map(|name| format!("{proxmox}/{name}")));
    }
    let mut kernels = Vec::new();
    for folder in folders {
        let listed = if folder.is_empty() { "/" } else { &folder };
        if reader.kind(listed) != Some(Kind::Folder) {
            continue;
        }
        let names = reader.names(listed).known().cloned().unwrap_or_default();
        for name in &names {
            if let Some(version) = name.strip_prefix("vmlinuz-") {
                let initrd = format!("initrd.img-{version}");
                kernels.push(EspKernel {
                    version: version.to_owned(),
                    image: format!("{folder}/{name}"),
                    initrd: names
                        .contains(&initrd)
                        .then(|| format!("{folder}/{initrd}")),
                });
            }
        }
    }
    kernels.truncate(MOST);
    kernels
}
