use std::collections::BTreeSet;

use hardware::Reading;
use proxmox::initrd::InitramfsTool;

use super::super::command_line::{is_passed, words};
use super::{ids, virtual_functions};
use crate::draft::Draft;
use crate::edit::{WordEdit, modprobe};
use crate::plan::Tree;

/// Binds by address in an initrd of initramfs-tools.
pub(crate) const INIT_TOP: &str = "/etc/initramfs-tools/scripts/init-top/preflight-vfio";

/// Binds by address, and takes the ids away that another device has too.
pub(super) fn bind(draft: &mut Draft, reason: &str) {
    let ctx = draft.ctx;
    if ctx.system().initramfs_tool == Reading::Known(InitramfsTool::Dracut) {
        draft.refuse(
            "address-with-dracut",
            false,
            "Binding by address needs a script in the initrd, which is made for initramfs-tools only.",
            vec!["the initrds are made by dracut".to_owned()],
        );
        return;
    }
    let unseen = virtual_functions(ctx);
    if !unseen.is_empty() {
        draft.warnings.push(format!(
            "The script in the initrd does not find {}, which the host's driver makes later: it stays with that driver \
             until the guest starts. bind=guest-start says so.",
            unseen.join(", ")
        ));
    }
    let why = format!("vfio-pci takes the card by its address: {reason}.");
    draft.put(
        Tree::Root,
        INIT_TOP,
        script(draft).into_bytes(),
        Some(0o755),
        &why,
    );
    // An id in a list takes a twin as well, if not now then once there is one.
    remove_ids(draft, &ids(ctx), "it is bound by its address alone");
}

/// Takes ids out of every list of vfio-pci.
pub(super) fn remove_ids(draft: &mut Draft, ids: &[String], because: &str) {
    if ids.is_empty() {
        return;
    }
    for path in draft.paths("/etc/modprobe.d/") {
        let content = draft.content(Tree::Root, &path).unwrap_or_default();
        if !content.windows(4).any(|bytes| bytes == b"vfio") {
            continue;
        }
        let why = format!("The card's ids go from the list of vfio-pci: {because}.");
        draft.edit(Tree::Root, &path, &why, |file| {
            modprobe::remove_items(file, "vfio-pci", "ids", ids)
        });
    }
    if is_passed(draft, "vfio-pci.ids", None) {
        let edits: Vec<WordEdit> = ids
            .iter()
            .map(|id| WordEdit::RemoveItem {
                name: "vfio-pci.ids".to_owned(),
                item: id.clone(),
            })
            .collect();
        let why = format!("vfio-pci.ids: the card's ids go, for {because}.");
        words(draft, &edits, &why);
    }
}

/// Whether a line of the script takes the device at this address.
pub(super) fn takes(line: &str, address: &str) -> bool {
    let mut words = line.split_ascii_whitespace();
    words.next() == Some("take") && words.next() == Some(address)
}

/// Runs before udev. A device that is no longer where it was is left alone.
fn script(draft: &Draft) -> String {
    const BEFORE: &str = "#!/bin/sh\n# Written by Preflight: vfio-pci takes these devices by their addresses, before udev finds drivers.\n\
        case \"$1\" in\nprereqs)\n\techo \"\"\n\texit 0\n\t;;\nesac\n\n\
        taken=\ntake() {\n\tdevice=/sys/bus/pci/devices/$1\n\t[ -e \"$device/driver_override\" ] || return 0\n\
        \tif [ \"$(cat \"$device/vendor\"):$(cat \"$device/device\")\" = \"$2\" ]; then\n\
        \t\techo vfio-pci > \"$device/driver_override\"\n\t\ttaken=\"$taken $1\"\n\tfi\n}\n\n";
    const AFTER: &str = "\nmodprobe -q vfio-pci || true\n\
        # A driver that is part of the kernel has looked at the devices already, and looks again only when told.\n\
        for address in $taken; do\n\tdevice=/sys/bus/pci/devices/$address\n\
        \t[ ! -e \"/sys/bus/pci/drivers/vfio-pci/$address\" ] || continue\n\
        \t[ ! -e \"$device/driver\" ] || echo \"$address\" > \"$device/driver/unbind\"\n\
        \techo \"$address\" > /sys/bus/pci/drivers_probe\ndone\nexit 0\n";
    let old = draft.content(Tree::Root, INIT_TOP).unwrap_or_default();
    let old = String::from_utf8_lossy(&old).into_owned();
    let given: Vec<String> = draft
        .ctx
        .given
        .iter()
        .map(|function| function.address.to_string())
        .collect();
    let mut lines: BTreeSet<String> = old
        .lines()
        .filter(|line| {
            line.starts_with("take 0") && !given.iter().any(|address| takes(line, address))
        })
        .map(str::to_owned)
        .collect();
    lines.extend(draft.ctx.given.iter().map(|function| {
        format!(
            "take {} 0x{}:0x{}",
            function.address, function.id.vendor, function.id.device
        )
    }));
    let lines: Vec<String> = lines.into_iter().collect();
    format!("{BEFORE}{}\n{AFTER}", lines.join("\n"))
}
