//! Machines for tests: a good one, and changes to it.

use std::collections::BTreeMap;

use hardware::{
    Board, Cpu, FirmwareKind, Framebuffer, Function, Group, HostDevice, HostRole, InstalledUse,
    Kernel, Machine, Reading, ReservedRegion, RomReading,
};
use pci::Address;

use crate::context::Context;
use crate::rules::Rule;
use crate::{Assessment, Finding, NoNames, Verdict, assess};

mod parts;
mod roms;
mod running;
pub(crate) mod tables;

pub(crate) use parts::function;
use parts::{bar, express, isolating_port, table};
pub(crate) use roms::{legacy_rom, rom_failure, rom_reading, whole_rom};
pub(crate) use running::{express_with, vfct_table};

/// The graphics card of [`Builder::good`], alone in group 1 below a root port.
pub(crate) const GPU: &str = "01:00.0";
/// Where a second function of that card would be.
pub(crate) const AUDIO: &str = "01:00.1";
/// The root port above it.
pub(crate) const PORT: &str = "00:01.0";
/// First address of the graphics card's BAR 0, which has 256 MiB.
pub(crate) const GPU_BAR: u64 = 0xe000_0000;

const GPU_GROUP: u32 = 1;
const BRIDGE: u32 = 0x06_04_00;

pub(crate) fn address(text: &str) -> Address {
    text.parse().unwrap()
}

fn known(text: &str) -> Reading<String> {
    Reading::Known(text.to_owned())
}

fn unread<T>() -> Reading<T> {
    Reading::Unknown("permission denied".into())
}

/// A machine and the ROMs read on it, changed step by step.
#[derive(Clone)]
pub(crate) struct Builder {
    pub machine: Machine,
    pub roms: Option<Vec<RomReading>>,
}

impl Builder {
    /// An Intel machine on which everything is right: a graphics card that can be given away, which is
    /// not the boot display, and no finding at all.
    pub fn good() -> Self {
        let mut port = function(PORT, BRIDGE);
        port.rom_region = Reading::Absent;
        port.has_rom_file = false;
        port.config = Reading::Known(isolating_port(1));
        let machine = Machine {
            kernel: Kernel {
                release: known("6.1.0-28-amd64"),
                command_line: known("intel_iommu=on"),
                log: Reading::Known(vec!["DMAR-IR: Enabled IRQ remapping in x2apic mode".into()]),
            },
            cpu: Cpu {
                vendor: known("GenuineIntel"),
                model: known("Example CPU"),
                virtualization: Reading::Known(true),
                hypervisor: Reading::Known(false),
            },
            board: Board::default(),
            firmware: Reading::Known(FirmwareKind::Uefi),
            tables: Reading::Known(BTreeMap::from([
                ("APIC".to_owned(), table("APIC", 0)),
                ("DMAR".to_owned(), table("DMAR", 1)),
            ])),
            iommu_units: Reading::Known(vec!["dmar0".into()]),
            iommu_unit_registers: Reading::Known(Vec::new()),
            firmware_memory: Reading::Known(Vec::new()),
            functions: vec![function("00:00.0", 0x06_00_00), port],
            groups: Reading::Known(Vec::new()),
            framebuffers: Reading::Known(Vec::new()),
            host_devices: Reading::Known(Vec::new()),
            mounts: Reading::Known(Vec::new()),
            default_routes: Reading::Known(Vec::new()),
            numa_nodes: Reading::Known(vec![0]),
            installed_uses: Reading::Absent,
            board_slots: Reading::Known(Vec::new()),
        };
        let builder = Self {
            machine,
            roms: Some(vec![rom_reading(GPU, whole_rom())]),
        };
        builder
            .put_in_group(101, &["00:00.0"])
            .put_in_group(102, &[PORT])
            .add(GPU, 0x03_00_00)
            .in_group(&[GPU])
    }

    /// A function more, in a group of its own; below the root port when it is on bus 1.
    pub fn add(mut self, place: &str, class: u32) -> Self {
        let mut function = function(place, class);
        if function.address.bus == 1 {
            function.parent = Reading::Known(address(PORT));
        }
        self.machine.functions.push(function);
        self.machine.functions.sort_by_key(|f| f.address);
        let id = 100 + u32::try_from(self.machine.functions.len()).unwrap();
        self.put_in_group(id, &[place])
    }

    /// These functions, and no others, in the graphics card's group.
    pub fn in_group(self, places: &[&str]) -> Self {
        self.put_in_group(GPU_GROUP, places)
    }

    fn put_in_group(mut self, id: u32, places: &[&str]) -> Self {
        let members: Vec<_> = places.iter().map(|place| address(place)).collect();
        if let Reading::Known(groups) = &mut self.machine.groups {
            for group in groups.iter_mut() {
                group.functions.retain(|member| !members.contains(member));
            }
            groups.retain(|group| group.id != id && !group.functions.is_empty());
            groups.push(Group {
                id,
                functions: members.clone(),
                reserved_regions: Reading::Known(Vec::new()),
            });
            groups.sort_by_key(|group| group.id);
        }
        for function in &mut self.machine.functions {
            if members.contains(&function.address) {
                function.group = Reading::Known(id);
            }
        }
        self
    }

    /// Anything about one function.
    pub fn change(mut self, place: &str, change: impl FnOnce(&mut Function)) -> Self {
        let address = address(place);
        let function = self
            .machine
            .functions
            .iter_mut()
            .find(|f| f.address == address);
        change(function.unwrap());
        self
    }

    /// What its `iommu_group` says; no group lists it any more.
    pub fn group(mut self, place: &str, group: Reading<u32>) -> Self {
        if let Reading::Known(groups) = &mut self.machine.groups {
            for listed in groups {
                listed.functions.retain(|member| *member != address(place));
            }
        }
        self.change(place, |function| function.group = group)
    }

    pub fn boot_gpu(self) -> Self {
        self.change(GPU, |gpu| gpu.boot_vga = Reading::Known(true))
    }

    pub fn rom_at(self, start: u64) -> Self {
        self.change(GPU, |gpu| {
            gpu.rom_region = Reading::Known(bar(6, start, start + 0x1_ffff))
        })
    }

    /// The card has a switch of its own: port, upstream port 01:10.0, downstream port 02:00.0, and the
    /// graphics function below that.
    pub fn behind_own_switch(self) -> Self {
        self.add("01:10.0", BRIDGE)
            .add("02:00.0", BRIDGE)
            .change("01:10.0", |port| port.config = Reading::Known(express(5)))
            .change("02:00.0", |port| {
                port.config = Reading::Known(express(6));
                port.parent = Reading::Known(address("01:10.0"));
            })
            .change(GPU, |gpu| gpu.parent = Reading::Known(address("02:00.0")))
    }

    pub fn release(mut self, release: &str) -> Self {
        self.machine.kernel.release = known(release);
        self
    }

    pub fn command_line(mut self, words: &str) -> Self {
        self.machine.kernel.command_line = known(words);
        self
    }

    pub fn log(mut self, lines: &[&str]) -> Self {
        let lines = lines.iter().map(|line| (*line).to_owned());
        self.machine.kernel.log = Reading::Known(lines.collect());
        self
    }

    pub fn log_unread(mut self) -> Self {
        self.machine.kernel.log = unread();
        self
    }

    pub fn cpu_vendor(mut self, vendor: &str) -> Self {
        self.machine.cpu.vendor = known(vendor);
        self
    }

    pub fn virtualization(mut self, virtualization: Reading<bool>) -> Self {
        self.machine.cpu.virtualization = virtualization;
        self
    }

    pub fn guest(mut self) -> Self {
        self.machine.cpu.hypervisor = Reading::Known(true);
        self
    }

    /// The same machine with an AMD processor and IOMMU.
    pub fn amd(mut self) -> Self {
        self.machine.iommu_units = Reading::Known(vec!["ivhd0".into()]);
        let tables = BTreeMap::from([("IVRS".to_owned(), table("IVRS", 0))]);
        self.machine.tables = Reading::Known(tables);
        self.cpu_vendor("AuthenticAMD")
            .command_line("quiet")
            .log(&["AMD-Vi: Interrupt remapping enabled"])
    }

    pub fn dmar_flags(mut self, flags: u8) -> Self {
        if let Reading::Known(tables) = &mut self.machine.tables {
            tables.insert("DMAR".into(), table("DMAR", flags));
        }
        self
    }

    /// Another table, or one more.
    pub fn table(mut self, signature: &str, bytes: Vec<u8>) -> Self {
        if let Reading::Known(tables) = &mut self.machine.tables {
            tables.insert(signature.to_owned(), Reading::Known(bytes));
        }
        self
    }

    pub fn units(mut self, units: &[&str]) -> Self {
        let units = units.iter().map(|unit| (*unit).to_owned());
        self.machine.iommu_units = Reading::Known(units.collect());
        self
    }

    pub fn tables_unread(mut self) -> Self {
        self.machine.tables = unread();
        self
    }

    pub fn without_groups(mut self) -> Self {
        self.machine.groups = Reading::Known(Vec::new());
        self.all_groups(&Reading::Absent)
    }

    pub fn without_iommu(mut self) -> Self {
        self.machine.tables =
            Reading::Known(BTreeMap::from([("APIC".to_owned(), table("APIC", 0))]));
        self.units(&[]).without_groups().log(&[])
    }

    pub fn iommu_unread(mut self) -> Self {
        self.machine.iommu_units = unread();
        self.machine.groups = unread();
        self.all_groups(&unread()).tables_unread()
    }

    fn all_groups(mut self, group: &Reading<u32>) -> Self {
        for function in &mut self.machine.functions {
            function.group = group.clone();
        }
        self
    }

    /// A region of this kind for the graphics card's group.
    pub fn reserved_region(self, kind: &str) -> Self {
        let region = ReservedRegion {
            start: 0x7d80_0000,
            end: 0x7fff_ffff,
            kind: kind.to_owned(),
        };
        self.regions(&Reading::Known(vec![region]))
    }

    pub fn reserved_regions_unread(self) -> Self {
        self.regions(&unread())
    }

    fn regions(mut self, regions: &Reading<Vec<ReservedRegion>>) -> Self {
        if let Reading::Known(groups) = &mut self.machine.groups {
            for group in groups.iter_mut().filter(|group| group.id == GPU_GROUP) {
                group.reserved_regions = regions.clone();
            }
        }
        self
    }

    pub fn framebuffer(mut self, start: u64, end: u64, owner: &str) -> Self {
        let owner = owner.to_owned();
        self.machine.framebuffers = Reading::Known(vec![Framebuffer { start, end, owner }]);
        self
    }

    pub fn framebuffers_unread(mut self) -> Self {
        self.machine.framebuffers = unread();
        self
    }

    /// With these uses of disks by installed systems.
    pub fn installed(mut self, uses: Vec<InstalledUse>) -> Self {
        self.machine.installed_uses = Reading::Known(uses);
        self
    }

    pub fn host_device(mut self, role: HostRole, name: &str, place: &str, detail: &str) -> Self {
        if let Reading::Known(devices) = &mut self.machine.host_devices {
            devices.push(HostDevice {
                role,
                name: name.to_owned(),
                function: address(place),
                detail: detail.to_owned(),
            });
        }
        self
    }

    pub fn host_devices_unread(mut self) -> Self {
        self.machine.host_devices = unread();
        self
    }

    pub fn roms(mut self, roms: Vec<RomReading>) -> Self {
        self.roms = Some(roms);
        self
    }

    pub fn roms_unread(mut self) -> Self {
        self.roms = None;
        self
    }

    pub fn assess(&self) -> Assessment {
        assess(&self.machine, self.roms.as_deref(), &NoNames)
    }

    pub fn findings_of(&self, rule: &Rule) -> Vec<Finding> {
        let options = crate::Options::default();
        let ctx = Context::new(&self.machine, self.roms.as_deref(), &NoNames, &options);
        (rule.judge)(&ctx)
    }

    /// The one finding of this rule.
    pub fn only(&self, rule: &Rule) -> Finding {
        let mut found = self.findings_of(rule);
        assert_eq!(found.len(), 1, "{found:#?}");
        found.remove(0)
    }

    pub fn gpu_verdict(&self) -> Verdict {
        let cards = self.assess().cards;
        let gpu = address(GPU);
        cards
            .iter()
            .find(|card| card.functions.contains(&gpu))
            .unwrap()
            .verdict
    }
}
