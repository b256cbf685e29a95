use pci::{FunctionId, PortType};

/// What a function is, and what it says of itself.
#[derive(Debug, PartialEq, Eq)]
pub struct Kind {
    /// As `lspci` prints class and name.
    pub text: &'static str,
    /// Vendor and device.
    pub id: FunctionId,
    /// Class code.
    pub class: u32,
    /// Revision.
    pub revision: u8,
    /// Kind of PCI Express port or endpoint; none on conventional PCI.
    pub express: Option<PortType>,
    /// It can isolate what is below it (ACS with all bits that the kernel asks for).
    pub isolates: bool,
    /// It can have virtual functions.
    pub virtual_functions: u16,
}

/// A function without anything special.
const PLAIN: Kind = Kind {
    text: "",
    id: FunctionId::new(0, 0),
    class: 0,
    revision: 0,
    express: None,
    isolates: false,
    virtual_functions: 0,
};

pub const HOST_BRIDGE: Kind = Kind {
    text: "Host bridge: Intel Corporation Sky Lake-E DMI3 Registers",
    id: FunctionId::new(0x8086, 0x2020),
    class: 0x06_00_00,
    revision: 4,
    ..PLAIN
};

pub const ROOT_PORT: Kind = Kind {
    text: "PCI bridge: Intel Corporation Sky Lake-E PCI Express Root Port A",
    id: FunctionId::new(0x8086, 0x2030),
    class: 0x06_04_00,
    revision: 4,
    express: Some(PortType::RootPort),
    isolates: true,
    ..PLAIN
};

pub const CHIPSET_PORT: Kind = Kind {
    text: "PCI bridge: Intel Corporation C620 Series Chipset Family PCI Express Root Port #1",
    id: FunctionId::new(0x8086, 0xa190),
    revision: 0xf9,
    ..ROOT_PORT
};

/// On the root bus, in the processor.
pub const PERIPHERAL: Kind = Kind {
    text: "System peripheral: Intel Corporation Sky Lake-E RAS Configuration Registers",
    id: FunctionId::new(0x8086, 0x2036),
    class: 0x08_80_00,
    revision: 4,
    express: Some(PortType::RootComplexEndpoint),
    ..PLAIN
};

pub const UPSTREAM_PORT: Kind = Kind {
    text: "PCI bridge: PLX Technology, Inc. PEX 8747 48-Lane, 5-Port PCI Express Gen 3 (8.0 GT/s) Switch",
    id: FunctionId::new(0x10b5, 0x8747),
    class: 0x06_04_00,
    revision: 0xca,
    express: Some(PortType::UpstreamPort),
    ..PLAIN
};

pub const DOWNSTREAM_PORT: Kind = Kind {
    express: Some(PortType::DownstreamPort),
    isolates: true,
    ..UPSTREAM_PORT
};

pub const CONVENTIONAL_BRIDGE: Kind = Kind {
    text: "PCI bridge: ASMedia Technology Inc. ASM1083/1085 PCIe to PCI Bridge",
    id: FunctionId::new(0x1b21, 0x1080),
    class: 0x06_04_01,
    revision: 4,
    express: Some(PortType::PcieToPciBridge),
    ..PLAIN
};

pub const GRAPHICS: Kind = Kind {
    text: "VGA compatible controller: NVIDIA Corporation GM204 [GeForce GTX 970]",
    id: FunctionId::new(0x10de, 0x13c2),
    class: 0x03_00_00,
    revision: 0xa1,
    express: Some(PortType::Endpoint),
    ..PLAIN
};

pub const AUDIO: Kind = Kind {
    text: "Audio device: NVIDIA Corporation GM204 High Definition Audio Controller",
    id: FunctionId::new(0x10de, 0x0fbb),
    class: 0x04_03_00,
    ..GRAPHICS
};

pub const NVME: Kind = Kind {
    text: "Non-Volatile memory controller: Samsung Electronics Co Ltd NVMe SSD Controller SM981/PM981/PM983",
    id: FunctionId::new(0x144d, 0xa808),
    class: 0x01_08_02,
    express: Some(PortType::Endpoint),
    ..PLAIN
};

pub const NETWORK: Kind = Kind {
    text: "Ethernet controller: Intel Corporation I350 Gigabit Network Connection",
    id: FunctionId::new(0x8086, 0x1521),
    class: 0x02_00_00,
    revision: 1,
    express: Some(PortType::Endpoint),
    isolates: true,
    virtual_functions: 8,
};

pub const SERIAL: Kind = Kind {
    text: "Serial controller: MosChip Semiconductor Technology Ltd. PCI 9835 Multi-I/O Controller",
    id: FunctionId::new(0x9710, 0x9835),
    class: 0x07_00_02,
    revision: 1,
    ..PLAIN
};
