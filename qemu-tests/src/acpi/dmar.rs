use super::{Table, length16};

/// Where QEMU's only VT-d unit has its registers.
const QEMU_UNIT: u64 = 0xfed9_0000;

/// DMA remapping reporting (VT-d specification 5.0, section 8.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dmar {
    /// Bits of a physical address.
    pub address_width: u8,
    /// Flags of the table.
    pub flags: DmarFlags,
    /// Units. The one for all other functions comes last.
    pub units: Vec<RemappingUnit>,
    /// Memory that must stay mapped for some functions.
    pub reserved: Vec<ReservedMemory>,
}

/// Flags of a DMAR.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DmarFlags {
    /// The platform remaps interrupts.
    pub interrupt_remapping: bool,
    /// Firmware asks the kernel to stay out of x2APIC mode.
    pub x2apic_opt_out: bool,
    /// Firmware asks the kernel to keep DMA protection on.
    pub dma_protection: bool,
}

/// One unit (DRHD).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemappingUnit {
    /// It is for all functions of the segment that no other unit names.
    pub include_all: bool,
    /// Physical address of its registers.
    pub registers: u64,
    /// What it is for.
    pub scopes: Vec<Scope>,
}

/// One range (RMRR).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReservedMemory {
    /// First byte.
    pub base: u64,
    /// Last byte.
    pub limit: u64,
    /// For which functions.
    pub scopes: Vec<Scope>,
}

/// A device scope: by the way to it, which holds whatever numbers the buses between have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// What it names.
    pub kind: ScopeKind,
    /// Enumeration id: the APIC id of an IOAPIC, the number of an HPET.
    pub id: u8,
    /// Bus on which the path starts.
    pub start_bus: u8,
    /// Device and function numbers: ports above, then the function itself.
    pub path: Vec<(u8, u8)>,
}

/// What a scope names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScopeKind {
    /// One function.
    Endpoint = 1,
    /// A bridge and all below it.
    Bridge = 2,
    /// An interrupt controller.
    IoApic = 3,
    /// A timer that interrupts by message.
    Hpet = 4,
}

impl Scope {
    /// One function, by the ports above it, the first of which is on bus 0.
    pub fn endpoint(path: &[(u8, u8)]) -> Self {
        Self {
            kind: ScopeKind::Endpoint,
            id: 0,
            start_bus: 0,
            path: path.to_vec(),
        }
    }

    /// QEMU's IOAPIC.
    pub fn qemu_ioapic() -> Self {
        Self {
            kind: ScopeKind::IoApic,
            id: 0,
            start_bus: 0xff,
            path: vec![(0, 0)],
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let length = u8::try_from(6 + self.path.len() * 2).unwrap_or(u8::MAX);
        let mut bytes = vec![self.kind as u8, length, 0, 0, self.id, self.start_bus];
        bytes.extend(
            self.path
                .iter()
                .flat_map(|(device, function)| [*device, *function]),
        );
        bytes
    }
}

impl RemappingUnit {
    /// QEMU's unit, for everything.
    pub fn qemu() -> Self {
        Self {
            include_all: true,
            registers: QEMU_UNIT,
            scopes: vec![Scope::qemu_ioapic()],
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let mut body = vec![u8::from(self.include_all), 0, 0, 0];
        body.extend(self.registers.to_le_bytes());
        structure(0, body, &self.scopes)
    }
}

impl ReservedMemory {
    fn bytes(&self) -> Vec<u8> {
        let mut body = vec![0; 4];
        body.extend(self.base.to_le_bytes());
        body.extend(self.limit.to_le_bytes());
        structure(1, body, &self.scopes)
    }
}

impl Dmar {
    /// What QEMU itself describes: one unit for everything, with or without interrupt remapping.
    pub fn qemu(interrupt_remapping: bool) -> Self {
        Self {
            address_width: 39,
            flags: DmarFlags {
                interrupt_remapping,
                ..DmarFlags::default()
            },
            units: vec![RemappingUnit::qemu()],
            reserved: Vec::new(),
        }
    }

    /// With this range for the functions of these scopes.
    pub fn reserve(mut self, base: u64, limit: u64, scopes: Vec<Scope>) -> Self {
        self.reserved.push(ReservedMemory {
            base,
            limit,
            scopes,
        });
        self
    }

    /// The table.
    pub fn table(&self) -> Table {
        let flags = u8::from(self.flags.interrupt_remapping)
            | u8::from(self.flags.x2apic_opt_out) << 1
            | u8::from(self.flags.dma_protection) << 2;
        let mut body = vec![self.address_width - 1, flags];
        body.extend([0; 10]);
        body.extend(self.units.iter().flat_map(RemappingUnit::bytes));
        body.extend(self.reserved.iter().flat_map(ReservedMemory::bytes));
        Table::new(*b"DMAR", 1, &body)
    }
}

/// A remapping structure: type, length, `body`, scopes.
fn structure(kind: u16, body: Vec<u8>, scopes: &[Scope]) -> Vec<u8> {
    let scopes: Vec<u8> = scopes.iter().flat_map(Scope::bytes).collect();
    let mut bytes = kind.to_le_bytes().to_vec();
    bytes.extend(length16(4 + body.len() + scopes.len()));
    bytes.extend(body);
    bytes.extend(scopes);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reserved_range_names_its_function_by_the_way_to_it() {
        let scope = Scope::endpoint(&[(0x10, 0), (0, 1)]);
        let table = Dmar::qemu(true)
            .reserve(0x1000, 0x1fff, vec![scope])
            .table();
        let bytes = table.bytes();
        assert_eq!(bytes[36..38], [38, 1]);
        // DRHD with one scope, 16 + 8 bytes, then RMRR, 24 + 10.
        assert_eq!(bytes[48..52], [0, 0, 24, 0]);
        assert_eq!(bytes[72..76], [1, 0, 34, 0]);
        assert_eq!(bytes[96..], [1, 10, 0, 0, 0, 0, 0x10, 0, 0, 1]);
    }
}
