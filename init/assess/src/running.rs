//! What the running system does with its devices, and what installed ones have on its disks.

use hardware::{HostDevice, HostRole, InstalledUse, Machine};

/// How the running system uses a device, where that was read: `holds /, /boot/efi`, `has the default route`.
pub(crate) fn use_now(machine: &Machine, device: &HostDevice) -> Option<String> {
    /// A host has many mounts on one disk; the shortest paths tell enough.
    const SHOWN: usize = 3;
    if leads_out(machine, device) {
        return Some("has the default route".to_owned());
    }
    let mounts = machine.mounts.known().into_iter().flatten();
    let mut points: Vec<&str> = mounts
        .filter(|mount| holds(machine, device, &mount.point))
        .map(|mount| mount.point.as_str())
        .collect();
    points.sort_by_key(|point| point.len());
    points.truncate(SHOWN);
    if !points.is_empty() {
        return Some(format!("holds {}", points.join(", ")));
    }
    let installed: Vec<String> = installed_on(machine, device).map(words).collect();
    (!installed.is_empty()).then(|| format!("holds {}", installed.join("; ")))
}

/// Whether a disk holds the file system that is mounted there.
pub(crate) fn holds(machine: &Machine, device: &HostDevice, point: &str) -> bool {
    let mut mounts = machine.mounts.known().into_iter().flatten();
    device.role == HostRole::Disk
        && mounts.any(|mount| {
            let disks = mount.disks.known();
            mount.point == point && disks.is_some_and(|disks| disks.contains(&device.name))
        })
}

/// What installed systems have on a disk.
pub(crate) fn installed_on<'a>(
    machine: &'a Machine,
    device: &'a HostDevice,
) -> impl Iterator<Item = &'a InstalledUse> {
    let uses = machine.installed_uses.known().into_iter().flatten();
    uses.filter(|used| device.role == HostRole::Disk && used.disk == device.name)
}

fn words(used: &InstalledUse) -> String {
    match &used.system {
        Some(system) => format!("{} of installed system {system}", used.what),
        None => used.what.clone(),
    }
}

/// Whether the default route leaves through a network interface.
pub(crate) fn leads_out(machine: &Machine, device: &HostDevice) -> bool {
    let routes = machine.default_routes.known();
    device.role == HostRole::Network && routes.is_some_and(|names| names.contains(&device.name))
}
