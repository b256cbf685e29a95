use std::collections::BTreeMap;

use hardware::{FirmwareKind, Reading};
use sha2::{Digest, Sha256};

use crate::boot::Boot;
use crate::boot::esp::{EspSource, EspState};
use crate::boot::firmware::BootEntries;
use crate::boot::way::kernel_version;
use crate::disks::Layout;
use crate::files::Files;
use crate::guests::Guests;
use crate::initrd::{INITRD, InitramfsTool, InitrdContent, Unpacking};
use crate::installation::{InitrdCopy, InitrdSeen, Installation, InstalledKernel};
use crate::reader::{Reader, Trouble};
use crate::settings::Settings;
use crate::system::storage;
use crate::system::{kernel, libvirt, logs, network, release};
use crate::version;

/// Where a system is read from. Nothing but these is opened.
pub struct Sources<'a> {
    /// The system's root, with /boot in it.
    pub root: &'a dyn Files,
    /// Every ESP of the machine, also those that the system does not mount.
    pub esps: Vec<EspSource<'a>>,
    /// How the machine was started, when it is this system's machine.
    pub firmware: Reading<FirmwareKind>,
    /// The firmware's boot entries, from [`crate::boot::firmware::read_boot_entries`].
    pub entries: Reading<BootEntries>,
    /// How the root lies on the disks, by whoever opened them.
    pub layout: Reading<Layout>,
    /// What could not be put over the root, so that files in it may be others than the system sees.
    pub troubles: Vec<Trouble>,
}

impl<'a> Sources<'a> {
    /// A root alone, of which nothing else is known.
    pub fn new(root: &'a dyn Files) -> Self {
        let unknown = "a folder does not say how its machine starts";
        Self {
            root,
            esps: Vec::new(),
            firmware: Reading::Unknown(unknown.into()),
            entries: Reading::Unknown(unknown.into()),
            layout: Reading::Absent,
            troubles: Vec::new(),
        }
    }
}

/// Kernels looked at; a host keeps a handful.
const KERNELS: usize = 24;

/// How initrds are named around the version: Debian, Fedora, SUSE.
const INITRD_NAMES: [(&str, &str); 3] =
    [("initrd.img-", ""), ("initramfs-", ".img"), ("initrd-", "")];

/// Reads an installed system. Never fails: what could not be read is unknown, and in `troubles`.
pub fn look(sources: &Sources) -> Installation {
    let root = Reader::new(sources.root, String::new());
    let readers: Vec<(EspState, Reader)> = sources.esps.iter().map(esp).collect();
    let states = readers.iter().map(|(state, _)| state.clone()).collect();
    let packages = release::packages(&root);
    let boot = Boot::read(
        &root,
        states,
        sources.firmware.clone(),
        sources.entries.clone(),
    );
    let kernels = kernels(&root, &readers);
    let mut installation = Installation {
        release: release::release(&root, &packages),
        node: release::node(&root),
        boot,
        kernels,
        initramfs_tool: initramfs_tool(&root),
        settings: Settings::read(&root),
        guests: Guests::read(&root),
        domains: libvirt::read(&root),
        network: network::read(&root),
        fstab: storage::read(&root),
        layout: sources.layout.clone(),
        disk_uses: Reading::Absent,
        logs: logs::read(&root),
        packages,
        troubles: Vec::new(),
    };
    installation.troubles.clone_from(&sources.troubles);
    installation.troubles.extend(root.troubles());
    for (_, reader) in &readers {
        installation.troubles.extend(reader.troubles());
    }
    installation
}

fn esp<'a>(source: &EspSource<'a>) -> (EspState, Reader<'a>) {
    let named = EspState {
        name: source.name.clone(),
        volume_id: source.volume_id.clone(),
        ..EspState::default()
    };
    let reader = Reader::new(source.files, format!("{}: ", named.label()));
    (EspState::read(source, &reader), reader)
}

/// What is there to make them, the one that Debian's kernel packages call first.
fn initramfs_tool(root: &Reader) -> Reading<InitramfsTool> {
    const TOOLS: [(&str, InitramfsTool); 3] = [
        ("/usr/sbin/mkinitramfs", InitramfsTool::InitramfsTools),
        ("/usr/bin/dracut", InitramfsTool::Dracut),
        ("/usr/bin/mkinitcpio", InitramfsTool::Mkinitcpio),
    ];
    let found = TOOLS.iter().find(|(path, _)| root.is_file(path));
    found.map_or(Reading::Absent, |(_, tool)| Reading::Known(*tool))
}

fn kernels(root: &Reader, esps: &[(EspState, Reader)]) -> Vec<InstalledKernel> {
    let mut versions: BTreeMap<String, bool> = BTreeMap::new();
    let names = root.names("/boot").known().cloned().unwrap_or_default();
    for name in &names {
        versions.extend(kernel_version(name).map(|version| (version, true)));
    }
    for (state, _) in esps {
        for kernel in &state.kernels {
            versions.entry(kernel.version.clone()).or_default();
        }
    }
    let mut versions: Vec<_> = versions.into_iter().collect();
    versions.sort_by(|(one, _), (other, _)| version::compare(other, one));
    versions.truncate(KERNELS);
    let mut left = Unpacking::default();
    let kernels = versions
        .into_iter()
        .map(|(version, in_boot)| InstalledKernel {
            facts: kernel::facts(root, &version),
            initrds: initrds(root, esps, &version, &mut left),
            in_boot,
            version,
        });
    kernels.collect()
}

fn initrds(
    root: &Reader,
    esps: &[(EspState, Reader)],
    version: &str,
    left: &mut Unpacking,
) -> Vec<InitrdCopy> {
    let mut places: Vec<(&Reader, String, Option<usize>)> = INITRD_NAMES
        .iter()
        .map(|(before, behind)| (root, format!("/boot/{before}{version}{behind}"), None))
        .collect();
    for (index, (state, reader)) in esps.iter().enumerate() {
        let kernels = state
            .kernels
            .iter()
            .filter(|kernel| kernel.version == version);
        let paths = kernels.filter_map(|kernel| kernel.initrd.clone());
        places.extend(paths.map(|path| (reader, path, Some(index))));
    }
    places.retain(|(reader, path, _)| !reader.is_absent(path));
    let several = places.len() > 1;
    let mut copies: Vec<InitrdCopy> = Vec::new();
    for (reader, path, esp) in places {
        let bytes = reader.bytes(&path, INITRD);
        let content = bytes.map(|bytes| seen(&bytes, several, &copies, left));
        copies.push(InitrdCopy {
            path: reader.shown(&path),
            esp,
            content,
        });
    }
    copies
}

/// Copies on ESPs are mostly the same bytes; those are unpacked once.
fn seen(bytes: &[u8], several: bool, before: &[InitrdCopy], left: &mut Unpacking) -> InitrdSeen {
    let sha256 = several.then(|| {
        let digest = Sha256::digest(bytes);
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    });
    let mut known = before.iter().filter_map(|copy| copy.content.known());
    if let Some(same) = known.find(|seen| seen.sha256 == sha256) {
        return same.clone();
    }
    InitrdSeen {
        size: bytes.len() as u64,
        sha256,
        holds: InitrdContent::parse(bytes, left),
    }
}
