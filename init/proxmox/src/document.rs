use std::collections::BTreeMap;

use assess::Finding;
use hardware::{Machine, Reading};
use serde::{Deserialize, Serialize};
use storage::{DiskWrites, Storage};

use crate::differences::differences;
use crate::disks::{self, DiskUse};
use crate::installation::Installation;

/// Every installed system that was found. Its JSON is the contract of `preflight systems --format json`: a
/// reader may count on the keys that stand here and in the types below, and must bear new ones.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Systems {
    /// `preflight.systems/1`.
    pub schema: String,
    /// In the order that they were found.
    pub systems: Vec<System>,
    /// What a look at the disks brought; null where a folder or the running system was read.
    pub look: Option<DisksSeen>,
    /// What there is to say of the disks as a whole, the worst first; what is to say of one system stands there.
    pub findings: Vec<Finding>,
}

/// What a look at all disks brought beside the systems on them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DisksSeen {
    /// What is on the disks, by identities that outlast a boot; in `troubles`, what could not be read, and in
    /// `overlay_bound` the bytes of memory that overlays may fill.
    pub storage: Storage,
    /// What every partition is used for.
    pub uses: Vec<DiskUse>,
    /// The kernel's write counters of every disk from the beginning of the look to its end.
    pub writes: Vec<DiskWrites>,
    /// Bytes that were written over the disks, all of them in memory.
    pub written_over: u64,
    /// Kernel names of the disks, by what tells each from every other one. They hold until the next boot.
    pub kernel_names: BTreeMap<String, String>,
    /// Milliseconds that the look took.
    pub took_ms: u64,
}

/// Systems that were read and not yet compared with a machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// Where each is, and what was read.
    pub systems: Vec<(String, Installation)>,
    /// What a look at the disks brought.
    pub look: Option<DisksSeen>,
}

/// One installed system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct System {
    /// Counted from 1; what disks are used for names it so.
    pub number: usize,
    /// Where it is: a folder, a volume.
    pub location: String,
    /// What was read.
    pub installation: Installation,
    /// Whether its devices were compared with a machine.
    pub compared: bool,
    /// What there is to say of it, the worst first.
    pub findings: Vec<Finding>,
    /// For each guest that is given devices: which of them the machine has.
    pub devices: Vec<GuestDevice>,
}

/// A device that a guest is given, found on the machine or not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuestDevice {
    /// The guest's number.
    pub guest: u32,
    /// N of hostpciN.
    pub index: u8,
    /// The functions that it stands for and that are there, with ids. Absent where no machine was compared with.
    pub functions: Reading<Vec<(pci::Address, pci::FunctionId)>>,
}

impl Systems {
    /// Judges what was found, against the machine that it is on, when that is known.
    pub fn new(found: Found, machine: Option<&Machine>) -> Self {
        let systems = (1..).zip(found.systems);
        let systems = systems
            .map(|(number, (location, installation))| {
                System::new(number, location, installation, machine)
            })
            .collect();
        Self {
            schema: "preflight.systems/1".to_owned(),
            systems,
            findings: found.look.as_ref().map(disks::findings).unwrap_or_default(),
            look: found.look,
        }
    }
}

impl System {
    fn new(
        number: usize,
        location: String,
        installation: Installation,
        machine: Option<&Machine>,
    ) -> Self {
        let devices = devices(&installation, machine);
        Self {
            number,
            location,
            findings: differences(&installation, machine),
            compared: machine.is_some(),
            installation,
            devices,
        }
    }

    /// As a person calls it: `Proxmox VE 8.2.4 'pve1'`.
    pub fn name(&self) -> String {
        let release = self.installation.release.name();
        match &self.installation.node {
            Reading::Known(node) => format!("{release} '{node}'"),
            Reading::Absent => format!("{release} without a host name"),
            Reading::Unknown(_) => format!("{release} whose host name could not be read"),
        }
    }
}

fn devices(system: &Installation, machine: Option<&Machine>) -> Vec<GuestDevice> {
    let Some(guests) = system.guests.known() else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for guest in &guests.guests {
        for device in &guest.hostpci {
            let mapped = guests
                .mappings
                .iter()
                .filter(|mapping| Some(&mapping.id) == device.mapping.as_ref())
                .flat_map(|mapping| &mapping.devices)
                .filter(|mapped| mapped.node == guest.node)
                .flat_map(|mapped| &mapped.paths);
            let selectors: Vec<_> = device.hosts.iter().chain(mapped).collect();
            let functions = machine.map_or(Reading::Absent, |machine| {
                let there = machine.functions.iter().filter(|function| {
                    selectors
                        .iter()
                        .any(|selector| selector.covers(function.address))
                });
                Reading::Known(
                    there
                        .map(|function| (function.address, function.id))
                        .collect(),
                )
            });
            found.push(GuestDevice {
                guest: guest.number,
                index: device.index,
                functions,
            });
        }
    }
    found
}
