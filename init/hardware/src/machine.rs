use std::collections::BTreeMap;

use pci::{Address, ClassCode, ConfigSpace, FunctionId};
use serde::{Deserialize, Serialize};

use crate::smbios::BoardSlot;
use crate::{FirmwareMemory, InstalledUse, IommuUnit, Listing, Mount, Reading};

/// One machine as it was read, before anything is judged.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// The kernel that did the reading.
    pub kernel: Kernel,
    /// The processor.
    pub cpu: Cpu,
    /// Board and firmware, as DMI names them.
    pub board: Board,
    /// How firmware started the kernel.
    pub firmware: Reading<FirmwareKind>,
    /// ACPI tables by signature as under /sys/firmware/acpi/tables (`DMAR`, `IVRS`, `VFCT`, ...), whole.
    /// `Unknown` when the folder is missing or cannot be read. Tables of machine code (`DSDT`, `SSDT*`)
    /// are left out: nothing in them is judged.
    pub tables: Reading<BTreeMap<String, Reading<Vec<u8>>>>,
    /// IOMMU units that a driver of the running kernel has registered: names under /sys/class/iommu
    /// (`dmar0`, `ivhd0`). An empty list means that no IOMMU is in use; the folder
    /// /sys/kernel/iommu_groups says nothing, it exists when the IOMMU is off, too.
    pub iommu_units: Reading<Vec<String>>,
    /// What the registers of each of those units say.
    #[serde(default)]
    pub iommu_unit_registers: Reading<Vec<IommuUnit>>,
    /// Memory as firmware describes it, by ascending address.
    #[serde(default)]
    pub firmware_memory: Reading<Vec<FirmwareMemory>>,
    /// Every PCI function, by ascending address.
    pub functions: Vec<Function>,
    /// IOMMU groups of the running kernel, by ascending id. Ids can have holes.
    pub groups: Reading<Vec<Group>>,
    /// Address ranges that a firmware framebuffer or its driver holds, from /proc/iomem.
    pub framebuffers: Reading<Vec<Framebuffer>>,
    /// Disks, network interfaces and keyboards, each with the PCI function it hangs on.
    pub host_devices: Reading<Vec<HostDevice>>,
    /// File systems that the running system has mounted from disks.
    pub mounts: Reading<Vec<Mount>>,
    /// What installed systems have on its disks; absent where nobody looked at them.
    #[serde(default)]
    pub installed_uses: Reading<Vec<InstalledUse>>,
    /// Interfaces with a device of their own that the running system's default routes leave through;
    /// empty where there is no such route.
    pub default_routes: Reading<Vec<String>>,
    /// Memory nodes that are online; absent when the kernel knows no NUMA.
    pub numa_nodes: Reading<Vec<u16>>,
    /// Slots as SMBIOS lists them, empty ones included; absent without SMBIOS.
    pub board_slots: Reading<Vec<BoardSlot>>,
}

impl Machine {
    /// Tells the disk that Preflight itself was booted from, by its kernel name, apart from the host's own.
    pub fn mark_boot_stick(&mut self, disk: &str) {
        if let Reading::Known(devices) = &mut self.host_devices {
            for device in devices.iter_mut().filter(|device| device.name == disk) {
                device.role = HostRole::BootStick;
            }
        }
    }
}

/// The kernel that read the machine: verdicts on groups and the IOMMU depend on it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kernel {
    /// `uname -r`.
    pub release: Reading<String>,
    /// /proc/cmdline.
    pub command_line: Reading<String>,
    /// The lines of the kernel log that name IOMMU, DMAR, AMD-Vi, interrupt remapping, VFIO, kvm,
    /// framebuffers, ROMs, lockdown and BAR trouble, in order, without time stamps or levels.
    pub log: Reading<Vec<String>>,
}

/// The processor.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cpu {
    /// `vendor_id` of /proc/cpuinfo: `GenuineIntel`, `AuthenticAMD`, ...
    pub vendor: Reading<String>,
    /// `model name` of /proc/cpuinfo.
    pub model: Reading<String>,
    /// The flag `vmx` or `svm` is there.
    pub virtualization: Reading<bool>,
    /// A hypervisor runs below this kernel (flag `hypervisor`).
    pub hypervisor: Reading<bool>,
}

/// Board and firmware (SMBIOS types 0, 1 and 2) as under /sys/class/dmi/id.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Board {
    /// `sys_vendor`.
    pub system_vendor: Reading<String>,
    /// `product_name`.
    pub product: Reading<String>,
    /// `board_vendor`.
    pub vendor: Reading<String>,
    /// `board_name`.
    pub name: Reading<String>,
    /// `board_serial`: root only.
    pub serial: Reading<String>,
    /// `bios_version`.
    pub bios_version: Reading<String>,
    /// `bios_date`.
    pub bios_date: Reading<String>,
}

/// How firmware started the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FirmwareKind {
    /// Legacy BIOS or CSM: no /sys/firmware/efi.
    Bios,
    /// UEFI.
    Uefi,
}

/// One PCI function as sysfs shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Function {
    /// Its place.
    pub address: Address,
    /// Vendor and device.
    pub id: FunctionId,
    /// Subsystem vendor and device.
    pub subsystem: Reading<FunctionId>,
    /// Class code.
    pub class: ClassCode,
    /// Revision.
    pub revision: Reading<u8>,
    /// Name of the bound driver; absent when none is.
    pub driver: Reading<String>,
    /// NUMA node; absent when firmware does not tell (-1).
    pub numa_node: Reading<u16>,
    /// PCI Express link; absent on conventional PCI and root complex integrated functions.
    pub link: Reading<Link>,
    /// Names in `reset_method`, in the kernel's order of preference; absent when the kernel knows no way
    /// to reset the function.
    pub reset_methods: Reading<Vec<String>>,
    /// `power_state`: `D0`, `D3hot`, `D3cold`, `unknown`.
    pub power_state: Reading<String>,
    /// `d3cold_allowed`: the kernel may cut its power when it idles; absent without power management.
    pub d3cold_allowed: Reading<bool>,
    /// Firmware's boot display; absent on what is no VGA device.
    pub boot_vga: Reading<bool>,
    /// Memory and I/O regions with an address or a size: lines 0 to 5 of `resource`.
    pub bars: Reading<Vec<Bar>>,
    /// Expansion ROM region: line 6 of `resource`; on a boot VGA the kernel may have put the legacy shadow
    /// at 0xC0000 there. Absent when the function has no ROM BAR.
    pub rom_region: Reading<Bar>,
    /// The `rom` file exists.
    pub has_rom_file: bool,
    /// Configuration space, as much as this reader may see.
    pub config: Reading<ConfigSpace>,
    /// What a printed listing says, where that is all there is.
    pub listing: Reading<Listing>,
    /// Name of the physical slot, from /sys/bus/pci/slots or else from SMBIOS; absent when the board does
    /// not name it.
    pub slot: Reading<String>,
    /// Number of its IOMMU group; absent when the kernel made none for it.
    pub group: Reading<u32>,
    /// The bridge directly above; absent on a root bus.
    pub parent: Reading<Address>,
    /// The physical function this virtual function belongs to; absent on all others.
    pub physical_function: Reading<Address>,
    /// `sriov_totalvfs`; absent without SR-IOV.
    pub total_virtual_functions: Reading<u16>,
    /// `sriov_numvfs`: virtual functions that are switched on; absent without SR-IOV.
    pub enabled_virtual_functions: Reading<u16>,
    /// Kinds of mediated devices (parts of a device for guests) that the bound driver offers: names under
    /// `mdev_supported_types`, or the lines of NVIDIA's `creatable_vgpu_types`. Absent when it offers none,
    /// which without a driver says nothing about the device.
    pub mediated_types: Reading<Vec<String>>,
}

impl Function {
    /// A function of which nothing but its place is known, and why.
    pub fn unknown(address: Address, why: &str) -> Self {
        fn unknown<T>(why: &str) -> Reading<T> {
            Reading::unknown(why.to_owned())
        }
        Self {
            address,
            id: FunctionId::new(u16::MAX, u16::MAX),
            subsystem: unknown(why),
            class: ClassCode(0x00ff_ffff),
            revision: unknown(why),
            driver: unknown(why),
            numa_node: unknown(why),
            link: unknown(why),
            reset_methods: unknown(why),
            power_state: unknown(why),
            d3cold_allowed: unknown(why),
            boot_vga: unknown(why),
            bars: unknown(why),
            rom_region: unknown(why),
            has_rom_file: false,
            config: unknown(why),
            listing: Reading::Absent,
            slot: unknown(why),
            group: unknown(why),
            parent: unknown(why),
            physical_function: unknown(why),
            total_virtual_functions: unknown(why),
            enabled_virtual_functions: unknown(why),
            mediated_types: unknown(why),
        }
    }
}

/// State and limits of a PCI Express link as the function reports them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Link {
    /// `current_link_speed` and `current_link_width`. Idle cards train down.
    pub current: LinkRate,
    /// `max_link_speed` and `max_link_width`.
    pub max: LinkRate,
}

/// Speed in GT/s and width in lanes; 0 where the kernel says unknown.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LinkRate {
    /// GT/s per lane: 2.5, 5, 8, 16, 32, 64.
    pub speed: f32,
    /// Lanes.
    pub width: u8,
}

impl LinkRate {
    /// The kernel could say neither speed nor width.
    pub fn is_unknown(&self) -> bool {
        self.speed == 0.0 && self.width == 0
    }
}

/// One region of a function, as a line of `resource`: bounds inclusive, flags as the kernel's
/// `IORESOURCE_*` (0x100 I/O, 0x200 memory, 0x2000 prefetch, 0x100000 64 bit,
/// 0x20000000 unset).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bar {
    /// Line number: 0 to 5 for BARs, 6 for the ROM.
    pub index: u8,
    /// First address.
    pub start: u64,
    /// Last address.
    pub end: u64,
    /// `IORESOURCE_*` flags.
    pub flags: u64,
}

/// One IOMMU group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// Its number.
    pub id: u32,
    /// Members by ascending address.
    pub functions: Vec<Address>,
    /// Lines of `reserved_regions`.
    pub reserved_regions: Reading<Vec<ReservedRegion>>,
}

/// A line of `reserved_regions`: bounds inclusive, kind as the kernel names it (`direct`,
/// `direct-relaxable`, `msi`, `reserved`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReservedRegion {
    /// First address.
    pub start: u64,
    /// Last address.
    pub end: u64,
    /// The kernel's word.
    pub kind: String,
}

/// An address range in /proc/iomem that a firmware framebuffer or its driver holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Framebuffer {
    /// First address. An unprivileged reader sees zeros; that reading is unknown instead.
    pub start: u64,
    /// Last address.
    pub end: u64,
    /// `BOOTFB`, `efifb`, `simplefb`, `simple-framebuffer`, `vesafb`.
    pub owner: String,
}

/// Something the host runs on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostDevice {
    /// What it is.
    pub role: HostRole,
    /// Its kernel name: `nvme0n1`, `enp3s0`, `input4`.
    pub name: String,
    /// The PCI function it hangs on.
    pub function: Address,
    /// A word for people: disk model and size, interface state, keyboard name.
    pub detail: String,
}

/// What a host device is to the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HostRole {
    /// A disk that is not the boot stick.
    Disk,
    /// The stick that Preflight was booted from.
    BootStick,
    /// A network interface.
    Network,
    /// A keyboard.
    Keyboard,
}
