//! Where firmware puts what a machine is made of: the addresses that its functions must have.

use pci::Address;

use crate::device::Device;
use crate::topology::{FIRST_ON_BRIDGE, Function, Slot, numbered};

/// Numbers buses the way SeaBIOS does: each bridge, in the order of addresses, gets the next number, and
/// all that is below it is numbered before its neighbour.
#[derive(Debug, Default)]
pub(crate) struct Layout {
    addresses: Vec<Address>,
    last_bus: u8,
}

impl Layout {
    /// Goes over a root bus with this number. The slots are in the order of their device numbers.
    pub(crate) fn root<'a>(&mut self, bus: u8, slots: impl Iterator<Item = (u8, &'a Slot)>) {
        self.last_bus = bus;
        for (device, slot) in slots {
            self.slot(bus, device, slot);
        }
    }

    /// A function that is no part of a slot.
    pub(crate) fn add(&mut self, bus: u8, device: u8, function: u8) {
        self.addresses.push(Address {
            domain: 0,
            bus,
            device,
            function,
        });
    }

    /// All addresses, sorted.
    pub(crate) fn addresses(mut self) -> Vec<Address> {
        self.addresses.sort();
        self.addresses
    }

    fn slot(&mut self, bus: u8, device: u8, slot: &Slot) {
        for (number, function) in (0_u8..8).zip(&slot.0) {
            match function {
                Function::Device(Device::Card(card)) => {
                    for (number, _) in (0_u8..8).zip(&card.profile().functions) {
                        self.add(bus, device, number);
                    }
                }
                Function::Device(_) => self.add(bus, device, number),
                Function::Port(_, below) => {
                    self.add(bus, device, number);
                    self.port(below.as_ref());
                }
                Function::Switch(ports) => {
                    self.add(bus, device, number);
                    let inner = self.next_bus();
                    for (device, below) in numbered(0, ports) {
                        self.add(inner, device, 0);
                        self.port(below.as_ref());
                    }
                }
                Function::Bridge(_, slots) => {
                    self.add(bus, device, number);
                    let inner = self.next_bus();
                    for (device, slot) in numbered(FIRST_ON_BRIDGE, slots) {
                        self.slot(inner, device, slot);
                    }
                }
            }
        }
    }

    fn port(&mut self, below: Option<&Slot>) {
        let inner = self.next_bus();
        if let Some(slot) = below {
            self.slot(inner, 0, slot);
        }
    }

    fn next_bus(&mut self) -> u8 {
        self.last_bus += 1;
        self.last_bus
    }
}
