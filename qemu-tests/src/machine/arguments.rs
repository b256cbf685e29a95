use serde_json::json;

use super::{Machine, number};
use crate::argument::{Argument, block_node};
use crate::device::Place;
use crate::topology::{Wiring, numbered};

impl Machine {
    /// QEMU arguments for everything but the kernel, the serial lines and the monitor.
    /// `kvm`: for the split interrupt controller that remapping needs there.
    pub(crate) fn arguments(&self, kvm: bool) -> Vec<String> {
        let mut words: Vec<String> = Vec::new();
        let mut add = |word: &str| words.push(word.to_owned());
        for word in "-nodefaults -no-user-config -display none -no-reboot -machine".split(' ') {
            add(word);
        }
        let mut machine = format!("{},usb=off", self.chipset.driver());
        if kvm {
            machine.push_str(",kernel-irqchip=split");
        }
        if !self.disk_controller {
            machine.push_str(",sata=off");
        }
        if let Some(firmware) = &self.firmware {
            machine.push_str(",pflash0=firmware-code,pflash1=firmware-variables");
            if firmware.secure_boot {
                machine.push_str(",smm=on");
            }
        }
        add(&machine);
        add("-cpu");
        add(&self.processor);
        add("-smp");
        add(&self.processors.to_string());
        add("-m");
        add(&self.memory_mib.to_string());
        let [vendor, name, serial] = self.board.each_ref().map(|word| quoted(word));
        for kind in 1..=2 {
            add("-smbios");
            add(&format!(
                "type={kind},manufacturer={vendor},product={name},serial={serial}"
            ));
        }
        for table in &self.tables {
            add("-acpitable");
            add(&format!("file={}", quoted(&table.display().to_string())));
        }
        if let Some(file) = &self.debug_console {
            add("-debugcon");
            add(&format!("file:{}", quoted(&file.display().to_string())));
        }
        if let Some(firmware) = &self.firmware {
            if firmware.secure_boot {
                // Only code in system management mode may write the variables.
                add("-global");
                add("driver=cfi.pflash01,property=secure,value=on");
            }
            words.extend(block_node("firmware-code", &firmware.code, true).words());
            words.extend(block_node("firmware-variables", &firmware.variables, false).words());
        }
        words.extend(self.devices().iter().flat_map(Argument::words));
        words
    }

    fn devices(&self) -> Vec<Argument> {
        let root = self.chipset.root_bus();
        let mut wiring = Wiring::default();
        for (number, slot) in &self.seats {
            wiring.slot(&format!("slot{number:x}"), root, *number, slot);
        }
        for (at, slots) in self.numbered_roots() {
            let bus = format!("root{:x}", at.bus);
            let mut properties = json!({
                "driver": self.chipset.expander(), "id": bus, "bus_nr": at.bus,
            });
            Place::alone(root, at.device).write(&mut properties);
            wiring.arguments.push(Argument::device(properties));
            for (number, slot) in numbered(0, slots) {
                wiring.slot(&format!("{bus}-slot{number:x}"), &bus, number, slot);
            }
        }
        let mut devices: Vec<Argument> = self.iommu.argument().into_iter().collect();
        if self.events {
            devices.extend(events(root));
        }
        devices.extend(wiring.arguments);
        for (index, image) in self.sata.iter().enumerate() {
            let node = format!("sata{index}-disk");
            devices.push(block_node(&node, image, false));
            devices.push(Argument::device(json!({
                "driver": "ide-hd", "bus": format!("ide.{index}"), "drive": node,
                "serial": format!("sata{index}"),
            })));
        }
        if self.usb {
            devices.extend(self.usb());
        }
        devices
    }

    fn usb(&self) -> Vec<Argument> {
        let mut devices = vec![
            Argument::device(json!({
                "driver": "qemu-xhci", "id": "xhci", "bus": self.chipset.root_bus(),
                "addr": format!("{:x}.0", number::XHCI),
            })),
            Argument::device(json!({"driver": "usb-kbd", "bus": "xhci.0", "port": "1"})),
        ];
        if let Some((image, read_only)) = &self.stick {
            devices.push(block_node("stick-disk", image, *read_only));
            devices.push(Argument::device(json!({
                "driver": "usb-storage", "id": "stick", "bus": "xhci.0", "port": "2",
                "drive": "stick-disk", "removable": true, "serial": "preflight-stick",
                // Behind a kernel that QEMU is given, which has 0.
                "bootindex": 1,
            })));
        }
        if let Some((recording, transport)) = &self.recorded_stick
            && let Some((node, arguments)) = recording.node(0)
        {
            devices.extend(arguments);
            devices.extend(transport.stick(&node));
        }
        if let Some(image) = &self.other_stick {
            devices.push(block_node("other-stick-disk", image, false));
            devices.push(Argument::device(json!({
                "driver": "usb-storage", "bus": "xhci.0", "port": "3",
                "drive": "other-stick-disk", "removable": true, "serial": "other-stick",
            })));
        }
        devices
    }
}

/// The port that a session tells its milestones on.
fn events(root: &str) -> [Argument; 2] {
    [
        Argument::device(json!({
            "driver": "virtio-serial-pci", "id": "serial", "bus": root,
            "addr": format!("{:x}.0", number::EVENTS),
        })),
        Argument::device(json!({
            "driver": "virtserialport", "bus": "serial.0",
            "chardev": "events", "name": "org.preflight.events",
        })),
    ]
}

/// A value in QEMU's comma-separated options.
fn quoted(value: &str) -> String {
    value.replace(',', ",,")
}
