//! Initrds and boot menus, changed without anything of the installed system.

use anyhow::{Context, Result};
use native::entries::grub_cfg;
use native::initrd::update;
use plan::Plan;
use proxmox::initrd::INITRD;
use storage::Root;

use super::boot_files::{LARGEST_MENU, MENU, is_needed};
use super::edits;

/// Puts what the plan changed behind the initrd of each kernel that needs it, and its words into GRUB's menu where
/// the root has the menu. ESPs follow by themselves.
pub fn make(plan: &Plan, root: &Root, say: &mut dyn FnMut(&str)) -> Result<()> {
    for kernel in &plan.needs.initramfs {
        let path = format!("/boot/initrd.img-{kernel}");
        say(&format!("On overlays: what changed goes behind {path}"));
        let initrd = root.read(&path, INITRD)?;
        let updated = update(&initrd, kernel, root).with_context(|| path.clone())?;
        edits::put(root, &path, &updated, None)?;
    }
    if is_needed(plan) && !plan.command_line.is_empty() {
        say(&format!("On overlays: the entries of {MENU}"));
        let menu = root.read(MENU, LARGEST_MENU)?;
        let edited = grub_cfg(&menu, &plan.command_line).context(MENU)?;
        edits::put(root, MENU, &edited, None)?;
    }
    Ok(())
}
