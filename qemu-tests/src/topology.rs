use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::argument::Argument;
use crate::device::{Device, Place, Port};

/// The functions at one device number of a bus, function 0 first. `D` is what sits in the leaves: a
/// [`Device`] in a machine, a [`Part`](crate::Part) in a description.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slot<D = Device>(pub Vec<Function<D>>);

/// One function: a device, or something with buses behind it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Function<D = Device> {
    /// A device.
    Device(D),
    /// A root port. Its bus has device number 0 alone. Only on a root bus.
    Port(Port, Option<Slot<D>>),
    /// An upstream port with a downstream port for each entry, none of them with ACS. Only behind a port.
    Switch(Vec<Option<Slot<D>>>),
    /// A bridge to a conventional bus. What is on that bus has the device numbers 1 and up.
    Bridge(Bridge, Vec<Slot<D>>),
}

/// A bridge to a conventional bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bridge {
    /// From PCI Express: behind a port.
    FromExpress,
    /// From conventional PCI: on a conventional bus.
    Conventional,
}

/// First device number on a conventional bus: QEMU keeps 0 for the hot-plug controller of the bridge.
pub(crate) const FIRST_ON_BRIDGE: u8 = 1;

/// Device numbers for what follows each other on one bus.
pub(crate) fn numbered<T>(first: u8, things: &[T]) -> impl Iterator<Item = (u8, &T)> {
    (first..32).zip(things)
}

impl<D> Slot<D> {
    /// One device alone.
    pub fn device(device: impl Into<D>) -> Self {
        Self(vec![Function::Device(device.into())])
    }

    /// One port with this device behind it.
    pub fn port(port: Port, device: impl Into<D>) -> Self {
        Self(vec![Function::Port(port, Some(Self::device(device)))])
    }

    /// One function with what is behind it.
    pub fn function(function: Function<D>) -> Self {
        Self(vec![function])
    }

    /// The same with other leaves.
    pub fn map<T>(&self, leaf: &impl Fn(&D) -> T) -> Slot<T> {
        Slot(self.0.iter().map(|function| function.map(leaf)).collect())
    }
}

impl<D> Function<D> {
    fn map<T>(&self, leaf: &impl Fn(&D) -> T) -> Function<T> {
        let slot = |slot: &Option<Slot<D>>| slot.as_ref().map(|slot| slot.map(leaf));
        match self {
            Self::Device(device) => Function::Device(leaf(device)),
            Self::Port(port, below) => Function::Port(*port, slot(below)),
            Self::Switch(ports) => Function::Switch(ports.iter().map(slot).collect()),
            Self::Bridge(bridge, slots) => {
                Function::Bridge(*bridge, slots.iter().map(|slot| slot.map(leaf)).collect())
            }
        }
    }
}

/// Turns slots into QEMU's arguments.
#[derive(Debug, Default)]
pub(crate) struct Wiring {
    pub(crate) arguments: Vec<Argument>,
    /// Chassis and bridge numbers given so far: the pair of chassis and slot must be unique.
    chassis: u8,
}

impl Wiring {
    /// `slot` with the id `id`, at device number `device` of `bus`.
    pub(crate) fn slot(&mut self, id: &str, bus: &str, device: u8, slot: &Slot) {
        let multifunction = slot.0.len() > 1;
        for (function, what) in (0_u8..8).zip(&slot.0) {
            let id = if function == 0 {
                id.to_owned()
            } else {
                format!("{id}.{function}")
            };
            let place = Place {
                bus: bus.to_owned(),
                device,
                function,
                multifunction,
            };
            self.function(&id, &place, what);
        }
    }

    fn function(&mut self, id: &str, place: &Place, function: &Function) {
        match function {
            Function::Device(device) => self.arguments.extend(device.arguments(id, place)),
            Function::Port(port, below) => {
                let bus = self.port(id, place, port.driver());
                if let Some(slot) = below {
                    self.slot(&format!("{id}-0"), &bus, 0, slot);
                }
            }
            Function::Switch(ports) => {
                let bus = format!("{id}-bus");
                self.add(place, json!({"driver": "x3130-upstream", "id": bus}));
                for (device, below) in numbered(0, ports) {
                    let id = format!("{id}-{device:x}");
                    let place = Place::alone(&bus, device);
                    let bus = self.port(&id, &place, "xio3130-downstream");
                    if let Some(slot) = below {
                        self.slot(&format!("{id}-0"), &bus, 0, slot);
                    }
                }
            }
            Function::Bridge(bridge, slots) => {
                let bus = format!("{id}-bus");
                let mut properties = json!({"driver": bridge.driver(), "id": bus});
                if *bridge == Bridge::Conventional {
                    self.chassis += 1;
                    properties["chassis_nr"] = json!(self.chassis);
                }
                self.add(place, properties);
                for (device, slot) in numbered(FIRST_ON_BRIDGE, slots) {
                    self.slot(&format!("{id}-{device:x}"), &bus, device, slot);
                }
            }
        }
    }

    /// Adds a port; the name of its bus.
    fn port(&mut self, id: &str, place: &Place, driver: &str) -> String {
        self.chassis += 1;
        let bus = format!("{id}-bus");
        let mut properties = json!({
            "driver": driver, "id": bus, "chassis": self.chassis, "slot": self.chassis,
        });
        if driver != "xio3130-downstream" {
            // A slot that can be switched off is switched off by a kernel that takes it over itself.
            properties["hotplug"] = json!(false);
        }
        self.add(place, properties);
        bus
    }

    fn add(&mut self, place: &Place, mut properties: serde_json::Value) {
        place.write(&mut properties);
        self.arguments.push(Argument::device(properties));
    }
}

impl Bridge {
    /// Name of QEMU's device.
    fn driver(self) -> &'static str {
        match self {
            Self::FromExpress => "pcie-pci-bridge",
            Self::Conventional => "pci-bridge",
        }
    }
}
