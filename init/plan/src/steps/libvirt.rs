use std::fmt::Write;

use pci::Address;
use proxmox::system::release::Release;

use super::{Step, rom};
use crate::context::Context;
use crate::draft::Draft;
use crate::plan::Tree;

/// Guests of libvirt, on hosts that are not Proxmox VE.
pub(super) const STEP: Step = Step {
    refusals: &[],
    write,
};

const HOOK: &str = "/etc/libvirt/hooks/qemu.d/preflight-rescan";
const XML: &str = "libvirt-hostdev.xml";

fn write(draft: &mut Draft) {
    let ctx = draft.ctx;
    if matches!(ctx.system().release, Release::ProxmoxVe { .. })
        || ctx.stays_with_host()
        || ctx.given.is_empty()
    {
        return;
    }
    let packages = ctx.system().packages.known();
    let installed = packages.is_some_and(|packages| packages.contains_key("libvirt-daemon"));
    if !installed && ctx.system().domains.is_empty() {
        return;
    }
    let why =
        "The devices for a domain of libvirt, for 'virsh attach-device DOMAIN FILE --config'.";
    draft.put(Tree::Stick, XML, xml(ctx).into_bytes(), None, why);
    draft.notes.push(format!(
        "The domain itself is not changed: put the elements of {XML} into its <devices>, or attach them with virsh."
    ));
    hook(draft);
}

fn xml(ctx: &Context) -> String {
    let mut text = String::from("<devices>\n");
    for function in &ctx.given {
        let at = function.address;
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "  <hostdev mode='subsystem' type='pci' managed='yes'>\n    <source>\n      \
             <address domain='0x{:04x}' bus='0x{:02x}' slot='0x{:02x}' function='0x{:x}'/>\n    </source>\n",
            at.domain, at.bus, at.device, at.function
        );
        let is_target = rom::target(ctx).is_some_and(|target| target.address == at);
        if let Some(file) = ctx.choice.rom.as_ref().filter(|_| is_target) {
            let _ = writeln!(
                text,
                "    <rom file='{}/{}'/>",
                rom::FOLDER,
                rom::name(&file.path)
            );
        }
        text.push_str("  </hostdev>\n");
    }
    text.push_str("</devices>\n");
    text
}

/// Where the framebuffer still holds the card, it lets go when the card is taken away and found again.
fn hook(draft: &mut Draft) {
    let Some(display) = draft.ctx.boot_display() else {
        return;
    };
    let held = draft
        .options
        .iter()
        .any(|used| used.option == "framebuffer" && used.value == "leave");
    let default = if held {
        (
            "yes",
            "the kernel's framebuffer is left on, and it holds the card's memory until the card is taken away and found again",
        )
    } else {
        ("no", "nothing holds the card when the guest starts")
    };
    if draft.option("libvirt-hook", default) != "yes" {
        return;
    }
    let address = display.address;
    let by_address = draft
        .options
        .iter()
        .any(|used| used.option == "bind" && used.value == "address");
    let script = script(address, by_address);
    let why = format!(
        "{address} is taken away and found again before the guest starts: its framebuffer lets go then."
    );
    draft.put(Tree::Root, HOOK, script.into_bytes(), Some(0o755), &why);
}

/// The domain comes by standard input: an address of the host has no type there, and the guest's own say
/// type='pci'. Bound to vfio-pci is a card from the host's start on, so only who has it open tells whether another
/// guest is using it: taking it away would wait for that one.
fn script(address: Address, by_address: bool) -> String {
    let attributes = [
        ("domain", format!("0x{:04x}", address.domain)),
        ("bus", format!("0x{:02x}", address.bus)),
        ("slot", format!("0x{:02x}", address.device)),
        ("function", format!("0x{:x}", address.function)),
    ];
    let attributes: String = attributes
        .iter()
        .map(|(name, value)| format!(" |\n\tgrep \" {name}=['\\\"]{value}['\\\"]\""))
        .collect();
    let mut script = format!(
        "#!/bin/sh\n# Written by Preflight: {address} is taken away and found again before a guest starts that has it.\n\
         [ \"$2/$3\" = prepare/begin ] || exit 0\n\
         device=/sys/bus/pci/devices/{address}\n\
         # One element a line. The guest's own addresses have a type.\n\
         named=$(tr '\\n\\t>' '  \\n' | grep '<address ' | grep -v ' type='{attributes})\n\
         [ -n \"$named\" ] && [ -e \"$device/remove\" ] || exit 0\n\
         # A guest that runs with it has its group open, or the device itself.\n\
         group=$(basename \"$(readlink \"$device/iommu_group\")\")\n\
         for name in \"$group\" \"devices/$(ls \"$device/vfio-dev\" 2>/dev/null)\"; do\n\
         \t[ -z \"$(find /proc/[0-9]*/fd -lname \"*/vfio/$name\" 2>/dev/null)\" ] || exit 0\n\
         done\n\
         echo 1 > \"$device/remove\"\n\
         sleep 1\n\
         echo 1 > /sys/bus/pci/rescan\n"
    );
    if by_address {
        script.push_str(&format!(
            "# What is found anew has no driver_override, and the host's driver may have it.\n\
             echo vfio-pci > \"$device/driver_override\"\n\
             [ ! -e \"$device/driver\" ] || echo {address} > \"$device/driver/unbind\"\n\
             echo {address} > /sys/bus/pci/drivers_probe\n"
        ));
    }
    script
}
