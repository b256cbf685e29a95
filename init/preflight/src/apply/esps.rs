//! The ESPs that a system keeps its own kernels on.

use proxmox::Installation;
use proxmox::boot::esp::EspState;
use proxmox::boot::way::Method;

use crate::systems::Esp;

/// Whether this system's kernels are started from an ESP: by proxmox-boot-tool's list, or where it has none, because
/// kernels of this system lie there.
pub fn is_of(installation: &Installation, esp: &Esp) -> bool {
    let on_esps = [Method::GrubOnEsp, Method::SystemdBoot];
    let ways = installation.boot.ways();
    let mut methods = ways.iter().filter_map(|(_, way)| way.method.known());
    if !methods.any(|method| on_esps.contains(method)) {
        return false;
    }
    let states = &mut installation.boot.esps.iter();
    let Some(state) = states.find(|state| is_same(state, esp)) else {
        return false;
    };
    let is_own = |version: &str| {
        let kernel = installation.kernel(version);
        kernel.is_some_and(|kernel| kernel.in_boot)
    };
    state
        .listed
        .unwrap_or_else(|| state.kernels.iter().any(|kernel| is_own(&kernel.version)))
}

fn is_same(state: &EspState, esp: &Esp) -> bool {
    match (&state.partition, &esp.partition) {
        (Some(one), Some(other)) => one == other,
        _ => state.name == esp.name,
    }
}
