//! What a session says of an installed system, field by field, held against what the system's own tools said.

use std::collections::{BTreeMap, BTreeSet};

use proxmox::boot::way::Method;
use proxmox::disks::{LayoutKind, Purpose};
use proxmox::initrd::InitramfsTool;
use proxmox::system::kernel::Presence;
use proxmox::system::release::Release;
use proxmox::{Installation, System, Systems};
use qemu_tests::golden::{Firmware, Golden, Manifest};
use storage::Trouble;

use crate::host;

/// What no manifest says.
pub struct Expected {
    pub method: Method,
    pub layout: LayoutKind,
    /// Each partition's number and what it is used for; where there are two disks, both have the same.
    pub uses: &'static [(u32, &'static str)],
    /// What is found to differ, sorted.
    pub findings: &'static [&'static str],
}

/// Holds the only system of a session against what is known of it.
pub fn hold(golden: Golden, systems: &Systems, manifest: &Manifest, expected: &Expected) {
    let [system] = systems.systems.as_slice() else {
        panic!("{} systems", systems.systems.len());
    };
    assert_eq!(systems.schema, "preflight.systems/1");
    assert_eq!((system.number, system.compared), (1, true));
    let installation = &system.installation;
    which(golden, installation, manifest);
    layout(systems, installation, manifest, expected);
    firmware(installation, manifest);
    esps(installation, manifest);
    next(installation, manifest, expected.method);
    kernels(golden, installation, manifest);
    uses(systems, expected);
    if golden.is_proxmox() {
        host::proxmox(golden, installation);
    } else {
        host::libvirt(installation);
    }
    findings(systems, system, expected);
}

fn which(golden: Golden, installation: &Installation, manifest: &Manifest) {
    let release = if golden.is_proxmox() {
        let version = manifest.packages["pve-manager"].clone();
        Release::ProxmoxVe { version }
    } else {
        let name = manifest.distribution.clone();
        Release::DebianFamily { name }
    };
    assert_eq!(installation.release, release);
    assert_eq!(installation.node.known(), Some(&manifest.name));
    let packages = installation.packages.known().unwrap();
    assert!(!packages.is_empty());
    for (package, version) in packages {
        assert_eq!(manifest.packages.get(package), Some(version), "{package}");
    }
}

fn layout(
    systems: &Systems,
    installation: &Installation,
    manifest: &Manifest,
    expected: &Expected,
) {
    let layout = installation.layout.known().unwrap();
    assert_eq!((layout.kind, layout.missing), (expected.layout, 0));
    assert_eq!(layout.file_system, manifest.root_kind);
    assert!(!layout.encrypted);
    let (name, uuid) = match (&manifest.volume_group, &manifest.pool) {
        (Some(group), _) => (Some("pve/root".to_owned()), Some(&group.uuid)),
        (_, Some(pool)) => (Some(manifest.root_source.clone()), Some(&pool.guid)),
        _ => {
            let held = manifest.disks[0].partitions[2].holds.as_ref().unwrap();
            (None, held.uuid.as_ref())
        }
    };
    assert_eq!((&layout.name, layout.uuid.as_ref()), (&name, uuid));
    let disks = &systems.look.as_ref().unwrap().storage.disks;
    let all: BTreeSet<&String> = disks.iter().map(|disk| &disk.id.0).collect();
    assert_eq!(layout.disks.iter().collect::<BTreeSet<_>>(), all);
    let serials: BTreeSet<_> = disks
        .iter()
        .filter_map(|disk| disk.serial.as_deref())
        .collect();
    let known: BTreeSet<_> = manifest
        .disks
        .iter()
        .map(|disk| disk.serial.as_str())
        .collect();
    assert_eq!(serials, known);
}

/// The machine is started as the system was: boot entries are those that its boot loaders have made.
fn firmware(installation: &Installation, manifest: &Manifest) {
    let kind = serde_json::to_value(installation.boot.firmware.known().unwrap()).unwrap();
    assert_eq!(kind, serde_json::to_value(manifest.firmware).unwrap());
    let Some(entries) = installation.boot.entries.known() else {
        assert_eq!(manifest.firmware, Firmware::Bios);
        return;
    };
    for wanted in &manifest.boot_entries {
        let number = u16::from_str_radix(&wanted.number, 16).unwrap();
        let same = entries.entries.iter().find(|entry| entry.number == number);
        let same = same.unwrap_or_else(|| panic!("no entry {wanted:?}"));
        assert_eq!(same.description, wanted.label);
        assert_eq!(same.partition.as_ref(), Some(&wanted.partition));
        assert_eq!(same.file.as_ref(), Some(&wanted.file));
    }
}

fn esps(installation: &Installation, manifest: &Manifest) {
    let boot = &installation.boot;
    assert_eq!(boot.esps.len(), manifest.esps.len());
    for wanted in &manifest.esps {
        let same =
            |esp: &&proxmox::boot::esp::EspState| esp.partition.as_ref() == Some(&wanted.partition);
        let esp = boot.esps.iter().find(same).unwrap();
        let held = manifest.disks.iter().flat_map(|disk| &disk.partitions);
        let mut held = held.filter(|partition| partition.uuid == wanted.partition);
        let held = held.next().unwrap().holds.as_ref().unwrap();
        assert_eq!(esp.volume_id, held.uuid);
        let ending = |path: &&String| path.to_lowercase().ends_with(".efi");
        let programs: BTreeSet<String> = wanted
            .files
            .keys()
            .filter(ending)
            .map(|path| format!("/{path}"))
            .collect();
        let loaders: BTreeSet<String> = esp.loaders.iter().map(|one| one.path.clone()).collect();
        assert_eq!(loaders, programs);
        let images: BTreeSet<String> = esp.kernels.iter().map(|one| one.image.clone()).collect();
        let kernels = wanted.files.keys().filter(|path| path.contains("vmlinuz-"));
        assert_eq!(images, kernels.map(|path| format!("/{path}")).collect());
        let menu = wanted.files.contains_key("grub/grub.cfg");
        assert_eq!(esp.grub.known().is_some(), menu);
        let entries = wanted
            .files
            .keys()
            .any(|path| path.starts_with("loader/entries/"));
        assert_eq!(esp.systemd_boot.known().is_some(), entries);
        // Both are in proxmox-boot-uuids where that is used.
        assert_eq!(esp.listed, manifest.pool.as_ref().map(|_| true));
    }
}

/// The kernel and the command line are those that the system had when it started by itself.
fn next(installation: &Installation, manifest: &Manifest, method: Method) {
    let [(found, next)] = installation.next_boots()[..] else {
        panic!("{:?}", installation.boot);
    };
    assert_eq!(found, method);
    assert_eq!(next.kernel.as_ref(), Some(&manifest.next_kernel));
    let given = match method {
        // systemd-boot's stub, which is the kernel itself here, is told its initrd.
        Method::SystemdBoot => format!("initrd={}", next.initrds[0].replace('/', "\\")),
        _ => format!("BOOT_IMAGE={}", next.image),
    };
    assert_eq!(
        format!("{given} {}", next.command_line.as_str()),
        manifest.command_line
    );
    assert!(next.place.line > 0 && !next.once);
    let pin = manifest.files.contains_key("etc/kernel/proxmox-boot-pin");
    assert_eq!(
        installation.boot.pin.known(),
        pin.then_some(&manifest.next_kernel)
    );
}

fn kernels(golden: Golden, installation: &Installation, manifest: &Manifest) {
    let versions: BTreeSet<&String> = installation
        .kernels
        .iter()
        .map(|one| &one.version)
        .collect();
    assert_eq!(versions, manifest.kernels.iter().collect());
    let tool = match golden {
        Golden::DebianDracut => InitramfsTool::Dracut,
        _ => InitramfsTool::InitramfsTools,
    };
    assert_eq!(installation.initramfs_tool.known(), Some(&tool));
    for kernel in &installation.kernels {
        assert!(kernel.in_boot);
        let facts = &kernel.facts;
        assert_eq!(facts.vfio_pci.known(), Some(&Presence::Module));
        // Gone into vfio with Linux 6.2.
        let virqfd = if golden.is_proxmox() {
            Presence::Module
        } else {
            Presence::Missing
        };
        assert_eq!(facts.vfio_virqfd.known(), Some(&virqfd));
        assert_eq!(facts.simpledrm.known(), Some(&Presence::Missing));
        assert_eq!(facts.intel_iommu_default.known(), Some(&false));
        assert_eq!(facts.acs_override.known(), Some(&false));
        let copies: BTreeMap<String, String> = copies(manifest, &kernel.version);
        assert_eq!(kernel.initrds.len(), copies.len());
        for initrd in &kernel.initrds {
            let content = initrd.content.known().unwrap();
            let place = initrd.path.rsplit(": ").next().unwrap();
            let key = match initrd
                .esp
                .and_then(|esp| installation.boot.esps[esp].partition.as_ref())
            {
                Some(partition) => format!("{partition}{place}"),
                None => place.to_owned(),
            };
            let known = copies
                .get(&key)
                .unwrap_or_else(|| panic!("{key} is nowhere"));
            // Only copies are told apart by it.
            let several = copies.len() > 1;
            assert_eq!(content.sha256.as_ref(), several.then_some(known), "{key}");
            assert_eq!(
                (content.holds.tool, &content.holds.broken),
                (Some(tool), &None)
            );
            assert!(
                content.holds.entries > 100,
                "{key}: {}",
                content.holds.entries
            );
        }
    }
}

/// Where this kernel's initrd lies, and the digest there: on the root, and behind a PARTUUID on ESPs.
fn copies(manifest: &Manifest, kernel: &str) -> BTreeMap<String, String> {
    let name = format!("initrd.img-{kernel}");
    let on_root = manifest
        .files
        .iter()
        .map(|(path, digest)| (format!("/{path}"), digest));
    let on_esps = manifest.esps.iter().flat_map(|esp| {
        let files = esp.files.iter();
        files.map(|(path, digest)| (format!("{}/{path}", esp.partition), digest))
    });
    on_root
        .chain(on_esps)
        .filter(|(path, _)| path.ends_with(&format!("/{name}")))
        .map(|(path, digest)| (path, digest.clone()))
        .collect()
}

fn uses(systems: &Systems, expected: &Expected) {
    let look = systems.look.as_ref().unwrap();
    for disk in &look.storage.disks {
        let mine = look.uses.iter().filter(|one| one.disk == disk.id.0);
        let seen: Vec<(u32, String)> = mine
            .map(|one| {
                let within = one.within.as_deref();
                // A data disk in a card would be named with that card.
                assert!(one.function.is_some(), "{one:?}");
                let owned = matches!(one.purpose, Purpose::Root | Purpose::Swap);
                assert!(!owned || one.systems == [1], "{one:?}");
                let words = match within {
                    Some(within) => format!("{} on {within}", one.purpose),
                    None => one.purpose.to_string(),
                };
                (one.partition.unwrap(), words)
            })
            .collect();
        let wanted = expected
            .uses
            .iter()
            .map(|(number, words)| (*number, (*words).to_owned()));
        assert_eq!(seen, wanted.collect::<Vec<_>>());
    }
}

fn findings(systems: &Systems, system: &System, expected: &Expected) {
    let mut ids: Vec<&str> = system.findings.iter().map(|one| &*one.id).collect();
    ids.sort_unstable();
    assert_eq!(ids, expected.findings, "{:#?}", system.findings);
    let look = systems.look.as_ref().unwrap();
    for disk in &look.writes {
        assert!(disk.writes.is_none(), "{disk:?}");
    }
    let closed = |trouble: &Trouble| matches!(trouble, Trouble::LeftAlone { .. });
    assert!(
        look.storage.troubles.iter().all(closed),
        "{:?}",
        look.storage.troubles
    );
}
