mod arguments;

use std::path::{Path, PathBuf};

use pci::Address;

use crate::chipset::{Chipset, Iommu};
use crate::device::{Device, Port};
use crate::disk::Disk;
use crate::layout::Layout;
use crate::ovmf::Ovmf;
use crate::power_cut::Recording;
use crate::stick::Stick;
use crate::topology::{Slot, numbered};
use crate::usb::UsbTransport;

/// Device numbers on the root bus. QEMU's own choice would move a device when another one is added.
mod number {
    /// The first free one, which QEMU gives the function of an AMD IOMMU.
    pub const AMD_IOMMU: u8 = 0x01;
    pub const DISPLAY: u8 = 0x02;
    pub const XHCI: u8 = 0x03;
    pub const EVENTS: u8 = 0x04;
    pub const FIRST_INTEGRATED: u8 = 0x05;
    pub const FIRST_PORT: u8 = 0x10;
}

/// Bus number of the first root bus beside bus 0, and what lies between each two of them.
const ROOT_BUSES_APART: u8 = 0x40;

/// A PC, as a value. Becomes QEMU arguments in [`Machine::arguments`].
#[derive(Clone, Debug)]
pub struct Machine {
    chipset: Chipset,
    memory_mib: u32,
    processors: u8,
    processor: String,
    iommu: Iommu,
    firmware: Option<Ovmf>,
    debug_console: Option<PathBuf>,
    board: [String; 3],
    seats: Vec<(u8, Slot)>,
    root_buses: Vec<Vec<Slot>>,
    tables: Vec<PathBuf>,
    sata: Vec<PathBuf>,
    /// A controller with a keyboard, and the sticks.
    usb: bool,
    disk_controller: bool,
    events: bool,
    stick: Option<(PathBuf, bool)>,
    recorded_stick: Option<(Recording, UsbTransport)>,
    other_stick: Option<PathBuf>,
}

impl Machine {
    /// A PCI Express machine with SeaBIOS, one AMD-like processor that can virtualise, no IOMMU and no
    /// display.
    pub fn q35() -> Self {
        Self {
            chipset: Chipset::Q35,
            memory_mib: 768,
            processors: 1,
            processor: "qemu64,+svm".to_owned(),
            iommu: Iommu::None,
            firmware: None,
            debug_console: None,
            board: ["Preflight", "Lab Q35", "LAB-0001"].map(str::to_owned),
            seats: Vec::new(),
            root_buses: Vec::new(),
            tables: Vec::new(),
            sata: Vec::new(),
            usb: true,
            disk_controller: true,
            events: true,
            stick: None,
            recorded_stick: None,
            other_stick: None,
        }
    }

    /// A machine with conventional PCI, else like [`Machine::q35`]. It has no ports, so nothing on it is a
    /// [`Machine::card`], and no VT-d.
    pub fn i440fx() -> Self {
        let machine = Self {
            chipset: Chipset::I440fx,
            ..Self::q35()
        };
        machine.board("Preflight", "Lab i440FX", "LAB-0001")
    }

    /// With this IOMMU.
    pub fn iommu(mut self, iommu: Iommu) -> Self {
        self.iommu = iommu;
        self
    }

    /// With UEFI firmware in place of SeaBIOS.
    pub fn firmware(mut self, firmware: Ovmf) -> Self {
        self.firmware = Some(firmware);
        self
    }

    pub(crate) fn is_uefi(&self) -> bool {
        self.firmware.is_some()
    }

    /// With QEMU's debug console, I/O port 0xe9: what is written there goes to this file, as it is.
    pub fn debug_console(mut self, file: &Path) -> Self {
        self.debug_console = Some(file.to_owned());
        self
    }

    /// With the ACPI table in this file, at most 65,535 bytes, beside those of the firmware. To replace one
    /// of those: [`Boot::replace_table`](crate::Boot::replace_table).
    pub fn acpi_table(mut self, file: &Path) -> Self {
        self.tables.push(file.to_owned());
        self
    }

    /// With this processor, in QEMU's words (`qemu64,-svm`).
    pub fn processor(mut self, model: &str) -> Self {
        model.clone_into(&mut self.processor);
        self
    }

    /// With this many processors. Emulated ones mostly wait for each other: one is the fastest machine.
    pub fn processors(mut self, count: u8) -> Self {
        self.processors = count;
        self
    }

    /// With this much memory, MiB.
    pub fn memory(mut self, mib: u32) -> Self {
        self.memory_mib = mib;
        self
    }

    /// With this vendor, name and serial number of the board (SMBIOS type 2).
    pub fn board(mut self, vendor: &str, name: &str, serial: &str) -> Self {
        self.board = [vendor, name, serial].map(str::to_owned);
        self
    }

    /// With this device as the display on the root bus, 00:02.0: firmware makes it the boot VGA.
    pub fn display(mut self, device: Device) -> Self {
        self.seats.push((number::DISPLAY, Slot::device(device)));
        self
    }

    /// Without a display on the root bus.
    pub fn without_display(mut self) -> Self {
        self.seats.retain(|(number, _)| *number != number::DISPLAY);
        self
    }

    /// With this device on the root bus, at 00:05.0 and up.
    pub fn integrated(mut self, device: Device) -> Self {
        let number =
            number::FIRST_INTEGRATED + self.count(number::FIRST_INTEGRATED..number::FIRST_PORT);
        self.seats.push((number, Slot::device(device)));
        self
    }

    /// With this card behind a port of its own. Ports are at 00:10.0 and up, so the first card gets
    /// bus 1, the second bus 2.
    pub fn card(self, port: Port, device: Device) -> Self {
        self.slot(Slot::port(port, device))
    }

    /// With these functions at the next device number that is 00:10 or higher.
    pub fn slot(mut self, slot: Slot) -> Self {
        let number = number::FIRST_PORT + self.count(number::FIRST_PORT..u8::MAX);
        self.seats.push((number, slot));
        self
    }

    /// With another root bus, 40, the next one 80, and these slots at device number 0 and up. The bus hangs
    /// on a function of its own at the next device number that is 00:10 or higher.
    pub fn root_bus(mut self, slots: Vec<Slot>) -> Self {
        self.root_buses.push(slots);
        self
    }

    /// With this disk at the chipset's controller: AHCI, 00:1f.2, or IDE, 00:01.1.
    pub fn sata(mut self, disk: &Disk) -> Self {
        self.sata.push(disk.path().to_owned());
        self
    }

    /// Without the chipset's disk controller; for a q35, whose is a part that can be left out.
    pub fn without_disk_controller(mut self) -> Self {
        self.disk_controller = false;
        self
    }

    /// Without the port of the lab, so that nothing is in the machine that a person's does not have. Milestones are in
    /// the kernel's log all the same.
    pub fn without_events(mut self) -> Self {
        self.events = false;
        self
    }

    /// Without a USB controller, and so without a keyboard.
    pub fn without_usb(mut self) -> Self {
        self.usb = false;
        self
    }

    /// With this USB stick.
    pub fn stick(mut self, stick: &Stick) -> Self {
        self.stick = Some((stick.path().to_owned(), stick.is_read_only()));
        self
    }

    /// With the first disk of this recording as its USB stick.
    pub fn recorded_stick(mut self, recording: &Recording, transport: UsbTransport) -> Self {
        self.recorded_stick = Some((recording.clone(), transport));
        self
    }

    /// With another USB stick, which firmware does not boot from.
    pub fn other_stick(mut self, stick: &Stick) -> Self {
        self.other_stick = Some(stick.path().to_owned());
        self
    }

    /// Where every function of the machine is after power-on, those of the chipset included, sorted.
    /// Virtual functions come later. OVMF may number buses in another way than SeaBIOS.
    pub fn addresses(&self) -> Vec<Address> {
        let mut layout = Layout::default();
        for (device, function) in self.chipset.functions() {
            layout.add(0, *device, *function);
        }
        layout.add(0, number::XHCI, 0);
        layout.add(0, number::EVENTS, 0);
        if matches!(self.iommu, Iommu::Amd { .. }) {
            layout.add(0, number::AMD_IOMMU, 0);
        }
        let mut seats: Vec<_> = self
            .seats
            .iter()
            .map(|(number, slot)| (*number, slot))
            .collect();
        seats.sort_by_key(|(number, _)| *number);
        layout.root(0, seats.into_iter());
        for (root, slots) in self.numbered_roots() {
            layout.add(0, root.device, 0);
            layout.root(root.bus, numbered(0, slots));
        }
        layout.addresses()
    }

    fn count(&self, numbers: std::ops::Range<u8>) -> u8 {
        let seats = self.seats.iter();
        let count = seats.filter(|(number, _)| numbers.contains(number)).count();
        u8::try_from(count).unwrap_or(u8::MAX)
    }

    fn numbered_roots(&self) -> impl Iterator<Item = (Root, &[Slot])> {
        let first = number::FIRST_PORT + self.count(number::FIRST_PORT..u8::MAX);
        (1_u8..).zip(&self.root_buses).map(move |(index, slots)| {
            let root = Root {
                device: first + index - 1,
                bus: index * ROOT_BUSES_APART,
            };
            (root, slots.as_slice())
        })
    }
}

/// Where another root bus hangs, and its number.
struct Root {
    device: u8,
    bus: u8,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_device_has_an_address_of_its_own() {
        let nic = || Device::E1000e { rom: None };
        let machine = Machine::q35()
            .display(Device::StandardVga)
            .integrated(nic())
            .card(Port::RootPort, nic())
            .integrated(nic())
            .card(Port::RootPortWithoutAcs, nic());
        let numbers: Vec<u8> = machine.seats.iter().map(|(number, _)| *number).collect();
        assert_eq!(numbers, [0x02, 0x05, 0x10, 0x06, 0x11]);
    }

    #[test]
    fn a_vt_d_unit_always_has_caching_mode() {
        let machine = Machine::q35().iommu(Iommu::Intel {
            interrupt_remapping: false,
        });
        let words = machine.arguments(false).join(" ");
        assert!(words.contains(r#""caching-mode":true"#), "{words}");
        assert!(words.contains(r#""intremap":"off""#), "{words}");
    }
}
