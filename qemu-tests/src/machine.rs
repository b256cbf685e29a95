use std::path::PathBuf;

use serde_json::json;

use crate::device::{Argument, Device, Port, block_node};
use crate::disk::Disk;
use crate::stick::Stick;

/// Device numbers on the root bus. QEMU's own choice would move a device when another one is added.
mod number {
    pub const DISPLAY: u8 = 0x02;
    pub const XHCI: u8 = 0x03;
    pub const EVENTS: u8 = 0x04;
    pub const FIRST_INTEGRATED: u8 = 0x05;
    pub const FIRST_PORT: u8 = 0x10;
}

/// The IOMMU of a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Iommu {
    /// None: no table, no unit.
    None,
    /// VT-d.
    Intel {
        /// The unit remaps interrupts.
        interrupt_remapping: bool,
    },
}

/// A PC, as a value. Becomes QEMU arguments in [`Machine::arguments`].
#[derive(Clone, Debug)]
pub struct Machine {
    memory_mib: u32,
    processors: u8,
    processor: String,
    iommu: Iommu,
    board: [String; 3],
    seats: Vec<Seat>,
    sata: Vec<PathBuf>,
    stick: Option<(PathBuf, bool)>,
}

#[derive(Clone, Debug)]
struct Seat {
    number: u8,
    port: Option<Port>,
    device: Device,
}

impl Machine {
    /// A PCI Express machine with SeaBIOS, one AMD-like processor that can virtualise, no IOMMU and no
    /// display.
    pub fn q35() -> Self {
        Self {
            memory_mib: 768,
            processors: 1,
            processor: "qemu64,+svm".to_owned(),
            iommu: Iommu::None,
            board: ["Preflight", "Lab Q35", "LAB-0001"].map(str::to_owned),
            seats: Vec::new(),
            sata: Vec::new(),
            stick: None,
        }
    }

    /// With this IOMMU.
    pub fn iommu(mut self, iommu: Iommu) -> Self {
        self.iommu = iommu;
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
        self.seats.push(Seat {
            number: number::DISPLAY,
            port: None,
            device,
        });
        self
    }

    /// With this device on the root bus, at 00:05.0 and up.
    pub fn integrated(mut self, device: Device) -> Self {
        let number = number::FIRST_INTEGRATED
            + self.count(|seat| seat.port.is_none() && seat.number >= number::FIRST_INTEGRATED);
        self.seats.push(Seat {
            number,
            port: None,
            device,
        });
        self
    }

    /// With this card behind a port of its own. Ports are at 00:10.0 and up, so the first card gets
    /// bus 1, the second bus 2.
    pub fn card(mut self, port: Port, device: Device) -> Self {
        let number = number::FIRST_PORT + self.count(|seat| seat.port.is_some());
        self.seats.push(Seat {
            number,
            port: Some(port),
            device,
        });
        self
    }

    /// With this disk at the chipset's AHCI controller, 00:1f.2.
    pub fn sata(mut self, disk: &Disk) -> Self {
        self.sata.push(disk.path().to_owned());
        self
    }

    /// With this USB stick.
    pub fn stick(mut self, stick: &Stick) -> Self {
        self.stick = Some((stick.path().to_owned(), stick.is_read_only()));
        self
    }

    fn count(&self, of: impl Fn(&Seat) -> bool) -> u8 {
        u8::try_from(self.seats.iter().filter(|seat| of(seat)).count()).unwrap_or(u8::MAX)
    }

    /// QEMU arguments for everything but the kernel, the serial lines and the monitor.
    /// `kvm`: for the split interrupt controller that remapping needs there.
    pub(crate) fn arguments(&self, kvm: bool) -> Vec<String> {
        let mut words: Vec<String> = Vec::new();
        let mut add = |word: &str| words.push(word.to_owned());
        for word in "-nodefaults -no-user-config -display none -no-reboot -machine".split(' ') {
            add(word);
        }
        add(if kvm {
            "q35,usb=off,kernel-irqchip=split"
        } else {
            "q35,usb=off"
        });
        add("-cpu");
        add(&self.processor);
        add("-smp");
        add(&self.processors.to_string());
        add("-m");
        add(&self.memory_mib.to_string());
        let [vendor, name, serial] = self.board.each_ref().map(|word| word.replace(',', ",,"));
        add("-smbios");
        add(&format!(
            "type=1,manufacturer={vendor},product={name},serial={serial}"
        ));
        add("-smbios");
        add(&format!(
            "type=2,manufacturer={vendor},product={name},serial={serial}"
        ));
        words.extend(self.devices().iter().flat_map(Argument::words));
        words
    }

    fn devices(&self) -> Vec<Argument> {
        let mut devices = Vec::new();
        if let Iommu::Intel {
            interrupt_remapping,
        } = self.iommu
        {
            // Without caching-mode QEMU aborts when the guest's kernel takes the unit over.
            devices.push(Argument::device(json!({
                "driver": "intel-iommu", "caching-mode": true,
                "intremap": if interrupt_remapping { "on" } else { "off" },
            })));
        }
        devices.push(Argument::device(json!({
            "driver": "virtio-serial-pci", "id": "serial", "bus": "pcie.0",
            "addr": format!("{:x}.0", number::EVENTS),
        })));
        devices.push(Argument::device(json!({
            "driver": "virtserialport", "bus": "serial.0",
            "chardev": "events", "name": "org.preflight.events",
        })));
        for seat in &self.seats {
            devices.extend(seat.arguments());
        }
        for (index, image) in self.sata.iter().enumerate() {
            let node = format!("sata{index}-disk");
            devices.push(block_node(&node, image, false));
            devices.push(Argument::device(json!({
                "driver": "ide-hd", "bus": format!("ide.{index}"), "drive": node,
                "serial": format!("sata{index}"),
            })));
        }
        devices.extend(self.usb());
        devices
    }

    fn usb(&self) -> Vec<Argument> {
        let mut devices = vec![
            Argument::device(json!({
                "driver": "qemu-xhci", "id": "xhci", "bus": "pcie.0",
                "addr": format!("{:x}.0", number::XHCI),
            })),
            Argument::device(json!({"driver": "usb-kbd", "bus": "xhci.0", "port": "1"})),
        ];
        if let Some((image, read_only)) = &self.stick {
            devices.push(block_node("stick-disk", image, *read_only));
            devices.push(Argument::device(json!({
                "driver": "usb-storage", "id": "stick", "bus": "xhci.0", "port": "2",
                "drive": "stick-disk", "removable": true, "serial": "preflight-stick",
            })));
        }
        devices
    }
}

impl Seat {
    fn arguments(&self) -> Vec<Argument> {
        let id = format!("slot{:x}", self.number);
        let Some(port) = self.port else {
            return self.device.arguments(&id, "pcie.0", self.number);
        };
        let bus = format!("port{:x}", self.number);
        let mut arguments = vec![Argument::device(json!({
            "driver": port.driver(), "id": bus, "bus": "pcie.0",
            "addr": format!("{:x}.0", self.number),
            "chassis": self.number, "slot": self.number,
            // A slot that can be switched off is switched off by a kernel that takes it over itself.
            "hotplug": false,
        }))];
        arguments.extend(self.device.arguments(&id, &bus, 0));
        arguments
    }
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
        let numbers: Vec<u8> = machine.seats.iter().map(|seat| seat.number).collect();
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
