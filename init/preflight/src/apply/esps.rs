//! The ESPs that a system keeps its own kernels on.

use std::io::{self, Cursor, Read};

use anyhow::{Context, Result};
use native::esp::{Contents, changes};
use plan::Plan;
use proxmox::Installation;
use proxmox::boot::esp::EspState;
use storage::Root;

use crate::systems::Esp;

/// Brings an ESP on an overlay to what the root has now, and its entries to the plan's command line.
pub fn refresh(
    esp: &Esp,
    plan: &Plan,
    installation: &Installation,
    root: &Root,
    say: &mut dyn FnMut(&str),
) -> Result<()> {
    let mut states = installation.boot.esps.iter();
    let state = states
        .find(|state| is_same(state, esp))
        .with_context(|| format!("the ESP {} was not there when the plan was made", esp.name))?;
    for change in changes(state, &esp.files, root, &plan.command_line)? {
        let path = format!("/{}", change.path);
        say(&format!("On overlays: {path} of {}", state.label()));
        match change.contents {
            Contents::CopyOf(from) => write(&esp.files, &path, &mut root.file(&from)?),
            Contents::Bytes(bytes) => write(&esp.files, &path, &mut Cursor::new(bytes)),
        }
        .with_context(|| format!("{path} of {}", state.label()))?;
    }
    Ok(())
}

/// On an overlay, where nothing is lost when it fails: the old file goes first, for an ESP may have no room for both.
fn write(files: &Root, path: &str, bytes: &mut dyn Read) -> Result<()> {
    if let Err(error) = files.remove(path)
        && error.errno != nix::errno::Errno::ENOENT
    {
        return Err(error.into());
    }
    io::copy(bytes, &mut files.create(path, 0o755)?)?;
    Ok(())
}

/// Whether this system's kernels are started from an ESP: by proxmox-boot-tool's list, or where it has none, because
/// kernels of this system lie there.
pub fn is_of(installation: &Installation, esp: &Esp) -> bool {
    let ways = installation.boot.ways();
    let mut methods = ways.iter().filter_map(|(_, way)| way.method.known());
    if !methods.any(|method| method.has_kernels_on_esp()) {
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
