use std::collections::BTreeSet;

use hardware::{Function, HostDevice, HostRole};
use pci::Address;
use proxmox::disks::{DiskUse, Purpose};

use super::Step;
use super::guest::named;
use crate::context::Context;
use crate::draft::Draft;

/// What the host itself needs and would lose: each takes more than a yes.
pub(super) const STEP: Step = Step {
    refusals: &[
        "host-disk",
        "host-network",
        "host-keyboard",
        "only-display",
        "cluster",
    ],
    write,
};

fn write(draft: &mut Draft) {
    disks(draft);
    network(draft);
    keyboard(draft);
    display(draft);
    other_guests(draft);
    let guests = draft.ctx.system().guests.known();
    if draft.ctx.choice.guest.is_some() && guests.is_some_and(|guests| guests.cluster) {
        draft.refuse(
            "cluster",
            false,
            "This node is one of a cluster: what is written into its database while it is off is lost, or overwrites the other nodes'.",
            vec!["/etc/pve/corosync.conf".to_owned(), "Plan without --vm, and give the guest its device on the running cluster.".to_owned()],
        );
    }
}

fn roles<'a>(ctx: &Context<'a>, role: HostRole) -> Vec<&'a HostDevice> {
    let devices = ctx.machine().host_devices.known().into_iter().flatten();
    devices.filter(|device| device.role == role).collect()
}

fn is_taken(ctx: &Context, address: Address) -> bool {
    ctx.taken.iter().any(|function| function.address == address)
}

fn disks(draft: &mut Draft) {
    let ctx = draft.ctx;
    let uses = ctx.subject.disks;
    let takes_storage = ctx.taken.iter().any(|function| function.class.is_storage());
    let mut evidence: BTreeSet<String> = BTreeSet::new();
    for used in uses.into_iter().flatten().filter(|used| is_missed(used)) {
        let what = match &used.within {
            Some(within) => format!("{} ({within})", used.purpose),
            None => used.purpose.to_string(),
        };
        match used.function {
            Some(function) if is_taken(ctx, function) => {
                evidence.insert(format!("{function} carries {}: {what}", used.disk));
            }
            None if takes_storage => {
                evidence.insert(format!(
                    "{}: {what}; which controller it hangs on is not known",
                    used.disk
                ));
            }
            _ => {}
        }
    }
    // Where nobody looked at what is on the disks, each counts as used.
    if uses.is_none() {
        let disks = roles(ctx, HostRole::Disk).into_iter();
        evidence.extend(
            disks
                .filter(|disk| is_taken(ctx, disk.function))
                .map(|disk| {
                    format!(
                        "{} carries {} ({}); what is on it was not looked at",
                        disk.function, disk.name, disk.detail
                    )
                }),
        );
        let controllers = ctx
            .taken
            .iter()
            .filter(|function| function.class.is_storage());
        if ctx.machine().host_devices.known().is_none() {
            evidence.extend(controllers.map(|function| {
                format!(
                    "{} is a disk controller; its disks are not known",
                    function.address
                )
            }));
        }
    }
    if !evidence.is_empty() {
        draft.refuse(
            "host-disk",
            true,
            "The guest's start takes a controller from the host that carries disks in use.",
            evidence.into_iter().collect(),
        );
    }
}

/// Whether somebody misses what is there: this system, another one, or whoever made it.
fn is_missed(used: &DiskUse) -> bool {
    match used.purpose {
        Purpose::Nothing | Purpose::BiosBoot => false,
        Purpose::Esp => !used.systems.is_empty(),
        _ => true,
    }
}

fn network(draft: &mut Draft) {
    let ctx = draft.ctx;
    let is_nic = |function: &&Function| {
        function.class.is_network() && function.physical_function.known().is_none()
    };
    let lost: Vec<&Function> = ctx
        .taken
        .iter()
        .copied()
        .filter(|function| function.class.is_network())
        .collect();
    if lost.is_empty() {
        return;
    }
    let left = ctx
        .machine()
        .functions
        .iter()
        .filter(is_nic)
        .any(|function| !is_taken(ctx, function.address));
    let mut evidence = Vec::new();
    if !left {
        evidence.extend(
            lost.iter()
                .map(|function| format!("{} is the only network card", function.address)),
        );
    }
    for named in &ctx.system().network {
        if let Some(function) = named.function.filter(|function| is_taken(ctx, *function)) {
            let port = named
                .port_of
                .as_ref()
                .map(|bridge| format!(", a port of {bridge}"));
            evidence.push(format!(
                "{}: {} is {function}{}",
                named.place,
                named.name,
                port.unwrap_or_default()
            ));
        }
    }
    evidence.extend(unplaced(ctx));
    for device in roles(ctx, HostRole::Network) {
        let routes = ctx.machine().default_routes.known();
        if is_taken(ctx, device.function)
            && routes.is_some_and(|routes| routes.contains(&device.name))
        {
            evidence.push(format!(
                "{} ({}) has the default route",
                device.name, device.function
            ));
        }
    }
    if !evidence.is_empty() {
        draft.refuse(
            "host-network",
            true,
            "The guest's start takes the network card that the host is reached by.",
            evidence,
        );
    }
}

/// Ports that the system is set up to use, and nobody knows on which card they are: it can be the one that goes.
fn unplaced(ctx: &Context) -> Vec<String> {
    let seen = roles(ctx, HostRole::Network);
    // The kernel counts eth0 and so on as it finds them: another one may find them in another order.
    let is_seen =
        |name: &str| !name.starts_with("eth") && seen.iter().any(|device| device.name == name);
    let uses = ctx.system().network.iter();
    let unknown = uses.filter(|named| {
        let physical = named.pinned || PORTS.iter().any(|begin| named.name.starts_with(begin));
        // A VLAN is on the port that its name begins with.
        let port = named.name.split('.').next().unwrap_or(&named.name);
        physical && named.function.is_none() && !is_seen(port)
    });
    unknown
        .map(|named| {
            let port = named.port_of.as_ref();
            let port = port.map(|bridge| format!(", a port of {bridge}"));
            format!(
                "{}: which card has {}{} is not known",
                named.place,
                named.name,
                port.unwrap_or_default()
            )
        })
        .collect()
}

/// How names of network ports begin: those of systemd, the kernel's, and those that Proxmox VE gives.
const PORTS: [&str; 4] = ["en", "eth", "nic", "wl"];

fn keyboard(draft: &mut Draft) {
    let ctx = draft.ctx;
    let keyboards = roles(ctx, HostRole::Keyboard);
    let mut lost: Vec<String> = keyboards
        .iter()
        .filter(|device| is_taken(ctx, device.function))
        .map(|device| format!("{} hangs on {}", device.detail, device.function))
        .collect();
    if ctx.machine().host_devices.known().is_none() {
        let controllers = ctx.taken.iter().filter(|function| function.class.is_usb());
        lost.extend(controllers.map(|function| {
            format!(
                "{} is a USB controller; what hangs on it is not known",
                function.address
            )
        }));
    }
    if !lost.is_empty() {
        draft.refuse(
            "host-keyboard",
            true,
            "The guest's start takes the USB controller that the host's keyboard hangs on.",
            lost,
        );
    }
}

/// Without its only display a host is reached by a serial line or over the network, or not at all.
fn display(draft: &mut Draft) {
    let ctx = draft.ctx;
    let displays: Vec<&Function> = ctx
        .machine()
        .functions
        .iter()
        .filter(|function| function.class.is_display())
        .collect();
    let all_taken = !displays.is_empty()
        && displays
            .iter()
            .all(|display| is_taken(ctx, display.address));
    if !all_taken {
        return;
    }
    let boots = ctx.system().next_boots();
    let serial = boots.iter().any(|(_, next)| {
        let mut consoles = next.command_line.values("console");
        consoles.any(|console| console.starts_with("ttyS") || console.starts_with("hvc"))
    });
    let ssh = ctx.files().root.contains_key("/etc/ssh/sshd_config");
    let mut network = ctx
        .machine()
        .functions
        .iter()
        .filter(|function| function.class.is_network());
    let reached = ssh && network.any(|function| !is_taken(ctx, function.address));
    let shown: Vec<String> = displays
        .iter()
        .map(|display| display.address.to_string())
        .collect();
    if serial || reached {
        draft.warnings.push(format!(
            "{} is the host's only display: its screen ends when the guest starts, and the host is reached {} alone.",
            shown.join(", "),
            if reached { "over the network" } else { "by its serial line" }
        ));
        return;
    }
    draft.refuse(
        "only-display",
        true,
        "The host would be left without a display, and it has no serial console and no way in over the network.",
        vec![
            format!("{} is all there is", shown.join(", ")),
            "no console=ttyS on the kernel command line".to_owned(),
            if ssh { "no network card stays with the host".to_owned() } else { "/etc/ssh/sshd_config is not there".to_owned() },
        ],
    );
}

/// Other guests that name a device of the same group: only one of them can run.
fn other_guests(draft: &mut Draft) {
    let ctx = draft.ctx;
    let guests = ctx
        .system()
        .guests
        .known()
        .into_iter()
        .flat_map(|guests| &guests.guests);
    let mut warnings = Vec::new();
    let own = ctx.system().node.known();
    let guests = guests.filter(|guest| own.is_none_or(|own| *own == guest.node));
    for guest in guests.filter(|guest| Some(guest.number) != ctx.choice.guest && !guest.template) {
        let devices = guest.hostpci.iter();
        let names = devices.flat_map(|device| named(ctx, device, &guest.node));
        let mut shared = names.filter(|host| {
            ctx.taken
                .iter()
                .any(|function| host.covers(function.address))
        });
        if let Some(host) = shared.next() {
            let itself = if guest.starts_itself() {
                ", and it starts with the host"
            } else {
                ""
            };
            warnings.push(format!(
                "Guest {} is given {host} too{itself}: only one of the two can run.",
                guest.number
            ));
        }
    }
    draft.warnings.extend(warnings);
}
