use crate::{RegisterModel, Scratch};

/// A base address register and what is behind it.
#[derive(Clone, Debug)]
pub struct Bar {
    kind: BarKind,
    size: u64,
    backing: Backing,
}

/// Address space and width of a BAR.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BarKind {
    /// I/O ports.
    Io,
    /// Memory below 4 GiB.
    Memory32,
    /// Memory anywhere; takes two registers.
    Memory64,
    /// Memory anywhere that may be prefetched; takes two registers.
    Prefetchable64,
}

#[derive(Clone, Debug)]
pub(crate) enum Backing {
    /// Every access comes here and is logged.
    Counted(Box<dyn RegisterModel>),
    /// Plain memory that the guest maps: no access is seen.
    Mapped,
}

impl Bar {
    /// So many bytes, a power of two, that remember what is written. Every access is logged.
    pub fn new(kind: BarKind, size: u64) -> Self {
        let backing = Backing::Counted(Box::new(Scratch::new()));
        Self {
            kind,
            size,
            backing,
        }
    }

    /// With these registers behind it. Every access is logged.
    #[must_use]
    pub fn model(mut self, model: impl RegisterModel + 'static) -> Self {
        self.backing = Backing::Counted(Box::new(model));
        self
    }

    /// Memory that the guest maps, as large frame buffers are. Accesses are *not* logged.
    #[must_use]
    pub fn mapped(mut self) -> Self {
        self.backing = Backing::Mapped;
        self
    }

    /// Whether accesses are logged.
    pub const fn is_counted(&self) -> bool {
        matches!(self.backing, Backing::Counted(_))
    }

    /// Address space and width.
    pub const fn kind(&self) -> BarKind {
        self.kind
    }

    /// Size in bytes.
    pub const fn size(&self) -> u64 {
        self.size
    }

    pub(crate) const fn backing(&self) -> &Backing {
        &self.backing
    }

    pub(crate) const fn is_64_bits(&self) -> bool {
        matches!(self.kind, BarKind::Memory64 | BarKind::Prefetchable64)
    }

    /// Size that the register can express.
    pub(crate) const fn has_valid_size(&self) -> bool {
        let (least, most) = match self.kind {
            BarKind::Io => (4, 256),
            BarKind::Memory32 => (16, 1 << 31),
            BarKind::Memory64 | BarKind::Prefetchable64 => (16, 1 << 62),
        };
        self.size.is_power_of_two() && self.size >= least && self.size <= most
    }

    /// The register's read-only type bits (PCI Express Base specification, 7.5.1.2.1).
    pub(crate) const fn type_bits(&self) -> u32 {
        match self.kind {
            BarKind::Io => 0x1,
            BarKind::Memory32 => 0x0,
            BarKind::Memory64 => 0x4,
            BarKind::Prefetchable64 => 0xc,
        }
    }

    /// Address bits that can be written.
    pub(crate) const fn address_bits(&self) -> u64 {
        let own = match self.kind {
            BarKind::Io => 0x3,
            BarKind::Memory32 | BarKind::Memory64 | BarKind::Prefetchable64 => 0xf,
        };
        self.size.wrapping_neg() & !own
    }
}
