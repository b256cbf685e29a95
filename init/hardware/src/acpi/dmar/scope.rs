use crate::acpi::cursor::Cursor;
use crate::acpi::problem::TableProblem;
use crate::acpi::structures::{DEVICE_SCOPE, walk};

/// Names a device by the way to it (VT-d specification 4.1, 8.3.1): by ports, which stay where they are when
/// bus numbers change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceScope {
    /// What it names.
    pub kind: ScopeKind,
    /// Flags, for scopes of [`SocProperties`](super::SocProperties) alone.
    pub flags: u8,
    /// Id of an IOAPIC, number of an HPET, or number of an ACPI device; else 0.
    pub enumeration_id: u8,
    /// Bus on which the path starts. IOAPICs and HPETs are often on one that does not exist.
    pub start_bus: u8,
    /// Bridges on the way, the device itself last.
    pub path: Vec<PathHop>,
    /// Offset in the table, bytes.
    pub offset: usize,
}

/// One step of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PathHop {
    /// Device number.
    pub device: u8,
    /// Function number.
    pub function: u8,
}

/// What a scope names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScopeKind {
    /// 1: a PCI endpoint.
    Endpoint,
    /// 2: a bridge and everything behind it.
    SubHierarchy,
    /// 3: an IOAPIC.
    IoApic,
    /// 4: an HPET that interrupts by message.
    Hpet,
    /// 5: a device of the ACPI namespace, declared by [`NamespaceDevice`](super::NamespaceDevice).
    NamespaceDevice,
    /// A type that the specification reserves.
    Other(u8),
}

impl DeviceScope {
    /// Whether it names a PCI function.
    pub fn is_pci(&self) -> bool {
        matches!(self.kind, ScopeKind::Endpoint | ScopeKind::SubHierarchy)
    }

    /// All scopes up to the end of the structure that holds them.
    pub(super) fn list(cursor: &mut Cursor, problems: &mut Vec<TableProblem>) -> Vec<Self> {
        let mut scopes = Vec::new();
        walk(
            cursor,
            &DEVICE_SCOPE,
            "device scope",
            problems,
            |_, cursor, _| {
                scopes.push(Self::read(cursor)?);
                Some(())
            },
        );
        scopes
    }

    fn read(cursor: &mut Cursor) -> Option<Self> {
        let offset = cursor.offset();
        let kind = match cursor.u8("Device Scope Type")? {
            1 => ScopeKind::Endpoint,
            2 => ScopeKind::SubHierarchy,
            3 => ScopeKind::IoApic,
            4 => ScopeKind::Hpet,
            5 => ScopeKind::NamespaceDevice,
            other => ScopeKind::Other(other),
        };
        cursor.u8("Device Scope Length")?;
        let flags = cursor.u8("Device Scope Flags")?;
        cursor.u8("Reserved")?;
        let enumeration_id = cursor.u8("Enumeration ID")?;
        let start_bus = cursor.u8("Start Bus Number")?;
        let mut path = Vec::new();
        while cursor.left() >= 2 {
            if let [device, function] = *cursor.bytes("Path", 2)? {
                path.push(PathHop { device, function });
            }
        }
        Some(Self {
            kind,
            flags,
            enumeration_id,
            start_bus,
            path,
            offset,
        })
    }
}
