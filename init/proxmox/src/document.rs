use assess::Finding;
use hardware::Machine;
use serde::{Deserialize, Serialize};

use crate::differences::differences;
use crate::installation::Installation;

/// Every installed system that was found. Its JSON is the contract of `preflight systems --format json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Systems {
    /// `preflight.systems/1`.
    pub schema: String,
    /// In the order that they were found.
    pub systems: Vec<System>,
}

/// One installed system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct System {
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
    pub functions: hardware::Reading<Vec<(pci::Address, pci::FunctionId)>>,
}

impl Systems {
    /// The document.
    pub fn new(systems: Vec<System>) -> Self {
        Self {
            schema: "preflight.systems/1".to_owned(),
            systems,
        }
    }
}

impl System {
    /// Judges what was read, against the machine that the system is on, when that is known.
    pub fn new(location: String, installation: Installation, machine: Option<&Machine>) -> Self {
        let devices = devices(&installation, machine);
        Self {
            location,
            findings: differences(&installation, machine),
            compared: machine.is_some(),
            installation,
            devices,
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
            let functions = machine.map_or(hardware::Reading::Absent, |machine| {
                let there = machine.functions.iter().filter(|function| {
                    selectors
                        .iter()
                        .any(|selector| selector.covers(function.address))
                });
                hardware::Reading::Known(
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
