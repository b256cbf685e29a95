use std::fmt::Write;

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
        if let Some(file) = ctx
            .choice
            .rom
            .as_ref()
            .filter(|_| function.class.is_display())
        {
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
    let source = format!(
        "bus='0x{:02x}' slot='0x{:02x}'",
        address.bus, address.device
    );
    let script = format!(
        "#!/bin/sh\n# Written by Preflight: {address} is taken away and found again before a guest starts that has it.\n\
         [ \"$2/$3\" = prepare/begin ] || exit 0\n\
         grep -q \"{source}\" || exit 0\n\
         echo 1 > /sys/bus/pci/devices/{address}/remove\n\
         sleep 1\n\
         echo 1 > /sys/bus/pci/rescan\n"
    );
    let why = format!(
        "{address} is taken away and found again before the guest starts: its framebuffer lets go then."
    );
    draft.put(Tree::Root, HOOK, script.into_bytes(), Some(0o755), &why);
}
