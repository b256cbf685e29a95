//! What the running system does with its devices.

use hardware::{HostDevice, HostRole, Machine};

/// How the running system uses a device, where that was read: `holds /, /boot/efi`, `has the default route`.
pub(crate) fn use_now(machine: &Machine, device: &HostDevice) -> Option<String> {
    /// A host has many mounts on one disk; the shortest paths tell enough.
    const SHOWN: usize = 3;
    if leads_out(machine, device) {
        return Some("has the default route".to_owned());
    }
    let mounts = machine.mounts.known()?.iter();
    let mut points: Vec<&str> = mounts
        .filter(|mount| holds(machine, device, &mount.point))
        .map(|mount| mount.point.as_str())
        .collect();
    points.sort_by_key(|point| point.len());
    points.truncate(SHOWN);
    (!points.is_empty()).then(|| format!("holds {}", points.join(", ")))
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

/// Whether the default route leaves through a network interface.
pub(crate) fn leads_out(machine: &Machine, device: &HostDevice) -> bool {
    let routes = machine.default_routes.known();
    device.role == HostRole::Network && routes.is_some_and(|names| names.contains(&device.name))
}
