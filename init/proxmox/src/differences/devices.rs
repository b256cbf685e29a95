use assess::{Finding, Severity};
use hardware::{Function, Machine, Reading};
use pci::Address;

use super::{Context, Rule, finding};
use crate::guests::{Guest, HostPci, HostSelector, MappedDevice};

const MISSING: &str = "system.guest-device-missing";
const MAPPING: &str = "system.mapping-differs";
const FAULT: &str = "system.guest-config-fault";
const TAKES: &str = "system.guest-takes-host-device";
const FAULTS: &str = "system.database-fault";
const CLUSTER: &str = "system.cluster";
const NAME: &str = "system.interface-name-by-bus";

/// Guests, and the devices that they name.
pub(super) const RULE: Rule = Rule {
    ids: &[MISSING, MAPPING, FAULT, TAKES, FAULTS, CLUSTER, NAME],
    find,
};

const STORAGE: u8 = 0x01;
const NETWORK: u8 = 0x02;
const BRIDGE: u8 = 0x06;

fn find(context: &Context) -> Vec<Finding> {
    let mut findings = Vec::new();
    let guests = context.system.guests.known();
    for guest in guests.into_iter().flat_map(|guests| &guests.guests) {
        if !is_here(context, &guest.node) {
            continue;
        }
        for device in &guest.hostpci {
            findings.extend(fault(guest, device));
            let selectors = selectors(context, guest, device, &mut findings);
            if let Some(machine) = context.machine {
                findings.extend(absent(guest, device, &selectors, machine));
                findings.extend(takes(guest, device, &selectors, machine));
            }
        }
    }
    findings.extend(domains(context));
    findings.extend(database(context));
    findings.extend(names(context));
    findings
}

/// A cluster's database has the guests of every node; only those of this one can be compared.
fn is_here(context: &Context, node: &str) -> bool {
    context.system.node.known().is_none_or(|name| name == node)
}

fn place(guest: &Guest, device: &HostPci) -> String {
    format!("{}:{} hostpci{}", guest.file(), device.line, device.index)
}

fn called(guest: &Guest) -> String {
    match &guest.name {
        Some(name) => format!("guest {} ({name})", guest.number),
        None => format!("guest {}", guest.number),
    }
}

fn fault(guest: &Guest, device: &HostPci) -> Option<Finding> {
    let why = device.fault.as_ref()?;
    Some(finding(
        FAULT,
        Severity::Caution,
        format!(
            "A device of {} is not written as Proxmox VE wants it.",
            called(guest)
        ),
        vec![format!("{}: {why}", place(guest, device))],
        "Set the device again in the guest's hardware.",
    ))
}

/// The devices that a hostpci stands for, through its mapping when it names one.
fn selectors(
    context: &Context,
    guest: &Guest,
    device: &HostPci,
    findings: &mut Vec<Finding>,
) -> Vec<HostSelector> {
    let Some(name) = &device.mapping else {
        return device.hosts.clone();
    };
    let mappings = context
        .system
        .guests
        .known()
        .map(|guests| guests.mappings.as_slice())
        .unwrap_or_default();
    let mapped: Vec<&MappedDevice> = mappings
        .iter()
        .filter(|mapping| mapping.id == *name)
        .flat_map(|mapping| &mapping.devices)
        .filter(|mapped| mapped.node == guest.node)
        .collect();
    if mapped.is_empty() {
        findings.push(finding(
            MAPPING,
            Severity::Caution,
            format!("{} uses the mapping '{name}', which has no device on this node.", called(guest)),
            vec![place(guest, device), "/etc/pve/mapping/pci.cfg".to_owned()],
            "Make the mapping under Datacenter, Resource Mappings, or give the guest another device.",
        ));
    }
    for mapped in &mapped {
        findings.extend(
            context
                .machine
                .and_then(|machine| differs(guest, device, name, mapped, machine)),
        );
    }
    mapped
        .iter()
        .flat_map(|mapped| mapped.paths.iter().copied())
        .collect()
}

/// What Proxmox VE compares before it starts a guest: ids, subsystem, group of the first path.
fn differs(
    guest: &Guest,
    device: &HostPci,
    name: &str,
    mapped: &MappedDevice,
    machine: &Machine,
) -> Option<Finding> {
    let path = mapped.paths.first()?;
    let function = function(machine, path.address)?;
    let mut evidence = Vec::new();
    if let Some(id) = mapped.id.filter(|id| *id != function.id) {
        evidence.push(format!("{path} is {}, the mapping says {id}", function.id));
    }
    if let (Some(wanted), Reading::Known(found)) = (mapped.subsystem, &function.subsystem)
        && wanted != *found
    {
        evidence.push(format!(
            "{path} has the subsystem {found}, the mapping says {wanted}"
        ));
    }
    if let (Some(wanted), Reading::Known(found)) = (mapped.group, &function.group)
        && wanted != *found
    {
        evidence.push(format!(
            "{path} is in IOMMU group {found}, the mapping says {wanted}"
        ));
    }
    if evidence.is_empty() {
        return None;
    }
    evidence.push(place(guest, device));
    Some(finding(
        MAPPING,
        Severity::Caution,
        format!(
            "{} will not start: its mapping '{name}' does not fit the machine any more.",
            called(guest)
        ),
        evidence,
        "Edit the mapping under Datacenter, Resource Mappings, and choose the device again.",
    ))
}

fn function(machine: &Machine, address: Address) -> Option<&Function> {
    machine
        .functions
        .iter()
        .find(|function| function.address == address)
}

fn absent(
    guest: &Guest,
    device: &HostPci,
    selectors: &[HostSelector],
    machine: &Machine,
) -> Option<Finding> {
    let gone: Vec<String> = selectors
        .iter()
        .filter(|selector| {
            !machine
                .functions
                .iter()
                .any(|function| selector.covers(function.address))
        })
        .map(|selector| format!("{}: nothing is at {selector}", place(guest, device)))
        .collect();
    (!gone.is_empty()).then(|| {
        finding(
            MISSING,
            Severity::Caution,
            format!("{} is given a device that the machine does not have.", called(guest)),
            gone,
            "Was a card added, taken out or moved? Then bus numbers change. Choose the device again, best by a mapping.",
        )
    })
}

/// A start takes every function of the group but bridges from the host.
fn takes(
    guest: &Guest,
    device: &HostPci,
    selectors: &[HostSelector],
    machine: &Machine,
) -> Option<Finding> {
    let given: Vec<&Function> = machine
        .functions
        .iter()
        .filter(|function| {
            selectors
                .iter()
                .any(|selector| selector.covers(function.address))
        })
        .collect();
    let groups: Vec<u32> = given
        .iter()
        .filter_map(|function| function.group.known().copied())
        .collect();
    let taken = machine.functions.iter().filter(|function| {
        given.iter().any(|own| own.address == function.address)
            || function
                .group
                .known()
                .is_some_and(|group| groups.contains(group))
    });
    let evidence: Vec<String> = taken
        .filter(|function| function.class.base() != BRIDGE)
        .filter_map(|function| {
            let what = match function.class.base() {
                STORAGE => "a disk controller",
                NETWORK => "a network card",
                _ if function.boot_vga == Reading::Known(true) => {
                    "the display that the firmware uses"
                }
                _ => return None,
            };
            Some(format!("{} is {what}", function.address))
        })
        .collect();
    if evidence.is_empty() || !guest.starts_itself() {
        return None;
    }
    Some(finding(
        TAKES,
        Severity::Caution,
        format!(
            "{} starts by itself and takes devices that a host usually needs.",
            called(guest)
        ),
        [evidence, vec![place(guest, device)]].concat(),
        "Make sure that the host does without them. When it does not come up any more, start it once with \
         systemd.mask=pve-guests.service on the kernel command line.",
    ))
}

fn domains(context: &Context) -> Vec<Finding> {
    let Some(machine) = context.machine else {
        return Vec::new();
    };
    let mut findings = Vec::new();
    for domain in &context.system.domains {
        let gone: Vec<String> = domain
            .host_devices
            .iter()
            .filter(|device| function(machine, device.address).is_none())
            .map(|device| {
                format!(
                    "{}:{}: nothing is at {}",
                    domain.file, device.line, device.address
                )
            })
            .collect();
        if !gone.is_empty() {
            findings.push(finding(
                MISSING,
                Severity::Caution,
                format!("The domain {} is given a device that the machine does not have.", domain.name),
                gone,
                "Was a card added, taken out or moved? Then bus numbers change. Choose the device again.",
            ));
        }
    }
    findings
}

fn database(context: &Context) -> Vec<Finding> {
    let mut findings = Vec::new();
    let Some(guests) = context.system.guests.known() else {
        return findings;
    };
    if !guests.faults.is_empty() {
        findings.push(finding(
            FAULTS,
            Severity::Blocks,
            "pmxcfs would not start on its database, so /etc/pve would be empty and no guest would start.",
            guests.faults.clone(),
            "Restore /var/lib/pve-cluster/config.db from a backup, with its -wal and -shm files, or repair the entries \
             that are named.",
        ));
    }
    if guests.cluster {
        findings.push(finding(
            CLUSTER,
            Severity::Note,
            "This node is one of a cluster: its guests are changed on a running cluster only.",
            vec!["/etc/pve/corosync.conf".to_owned()],
            "Change guests by the web interface or qm on a node that has quorum.",
        ));
    }
    findings
}

fn names(context: &Context) -> Vec<Finding> {
    let evidence: Vec<String> = context
        .system
        .network
        .iter()
        .filter(|found| !found.pinned)
        .filter_map(|found| {
            let function = found.function?;
            let port = found
                .port_of
                .as_ref()
                .map(|bridge| format!(", a port of {bridge}"));
            Some(format!(
                "{}: {} stands for {function}{}",
                found.place,
                found.name,
                port.unwrap_or_default()
            ))
        })
        .collect();
    if evidence.is_empty() {
        return Vec::new();
    }
    vec![finding(
        NAME,
        Severity::Note,
        "The network is configured by names that are made of bus numbers: they change when a card is added or moved.",
        evidence,
        "Give the interface a name by its MAC address in a .link file (from Proxmox VE 9: pve-network-interface-pinning) \
         before you change cards.",
    )]
}
