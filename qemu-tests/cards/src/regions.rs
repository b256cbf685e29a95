use std::io;
use std::mem::size_of;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::unistd::ftruncate;
use vfio_bindings::bindings::vfio::{
    VFIO_IRQ_INFO_AUTOMASKED, VFIO_IRQ_INFO_EVENTFD, VFIO_IRQ_INFO_MASKABLE,
    VFIO_PCI_CONFIG_REGION_INDEX, VFIO_PCI_INTX_IRQ_INDEX, VFIO_PCI_MSI_IRQ_INDEX,
    VFIO_PCI_MSIX_IRQ_INDEX, VFIO_PCI_NUM_IRQS, VFIO_PCI_NUM_REGIONS, VFIO_PCI_REQ_IRQ_INDEX,
    VFIO_PCI_ROM_REGION_INDEX, VFIO_REGION_INFO_FLAG_MMAP, VFIO_REGION_INFO_FLAG_READ,
    VFIO_REGION_INFO_FLAG_WRITE, vfio_region_info, vfio_region_sparse_mmap_area,
};
use vfio_user::{IrqInfo, ServerRegion, SparseArea};

use crate::config::LENGTH;
use crate::{Bar, Capability, CardError, Function, Rom};

/// A function's regions in the words of VFIO, and the memory behind those that the guest maps.
pub(crate) struct Regions {
    pub(crate) table: Vec<ServerRegion>,
    /// Must live as long as the table, which names it by number.
    pub(crate) memory: Vec<OwnedFd>,
}

impl Regions {
    pub(crate) fn new(function: &Function) -> Result<Self, CardError> {
        let mut memory = Vec::new();
        let mut table = Vec::new();
        for index in 0..VFIO_PCI_NUM_REGIONS {
            let bar = u8::try_from(index).ok().and_then(|number| {
                let bar = function.bars.get(&number)?;
                Some((number, bar))
            });
            let region = match (index, bar) {
                (_, Some((number, bar))) if !bar.is_counted() => {
                    let owned = allocate(bar.size()).map_err(|source| CardError::Memory {
                        index: number,
                        source,
                    })?;
                    let region = mapped(index, bar, &owned);
                    memory.push(owned);
                    region
                }
                (_, Some((_, bar))) => plain(index, bar.size(), READ_WRITE),
                (VFIO_PCI_CONFIG_REGION_INDEX, _) => plain(index, LENGTH as u64, READ_WRITE),
                (VFIO_PCI_ROM_REGION_INDEX, _) => {
                    let size = function.rom.as_ref().map_or(0, Rom::bar_length);
                    let readable = if size > 0 { READ } else { 0 };
                    plain(index, size, readable)
                }
                _ => plain(index, 0, 0),
            };
            table.push(region);
        }
        Ok(Self { table, memory })
    }
}

const READ: u32 = VFIO_REGION_INFO_FLAG_READ;
const READ_WRITE: u32 = READ | VFIO_REGION_INFO_FLAG_WRITE;

fn plain(index: u32, size: u64, flags: u32) -> ServerRegion {
    let region_info = vfio_region_info {
        argsz: u32::try_from(size_of::<vfio_region_info>()).unwrap_or(0),
        flags,
        index,
        size,
        ..Default::default()
    };
    ServerRegion {
        region_info,
        sparse_areas: Vec::new(),
        mmap_fd: None,
    }
}

/// The memory's descriptor is sent only along with a list of areas, so one area spans it all.
fn mapped(index: u32, bar: &Bar, memory: &OwnedFd) -> ServerRegion {
    let size = bar.size();
    let mut region = plain(index, size, READ_WRITE | VFIO_REGION_INFO_FLAG_MMAP);
    region.sparse_areas = vec![SparseArea {
        area: vfio_region_sparse_mmap_area { offset: 0, size },
    }];
    region.mmap_fd = Some(memory.as_raw_fd());
    region
}

fn allocate(size: u64) -> io::Result<OwnedFd> {
    let memory = memfd_create(c"bar", MFdFlags::MFD_CLOEXEC)?;
    ftruncate(&memory, i64::try_from(size).map_err(io::Error::other)?)?;
    Ok(memory)
}

/// The interrupts that a function has. None is ever raised.
pub(crate) fn interrupts(function: &Function) -> Vec<IrqInfo> {
    let vectors = |of: fn(&Capability) -> Option<u32>| {
        let mut counts = function.capabilities.iter().filter_map(of);
        counts.next().unwrap_or(0)
    };
    let row = |index| {
        let count = match index {
            VFIO_PCI_INTX_IRQ_INDEX => u32::from(function.interrupt_pin),
            VFIO_PCI_MSI_IRQ_INDEX => vectors(|capability| match capability {
                Capability::Msi { vectors_log2 } => Some(1 << (vectors_log2 & 7)),
                _ => None,
            }),
            VFIO_PCI_MSIX_IRQ_INDEX => vectors(|capability| match capability {
                Capability::MsiX { vectors, .. } => Some((*vectors).into()),
                _ => None,
            }),
            VFIO_PCI_REQ_IRQ_INDEX => 1,
            _ => 0,
        };
        let mut flags = if count > 0 { VFIO_IRQ_INFO_EVENTFD } else { 0 };
        if index == VFIO_PCI_INTX_IRQ_INDEX && count > 0 {
            flags |= VFIO_IRQ_INFO_MASKABLE | VFIO_IRQ_INFO_AUTOMASKED;
        }
        IrqInfo {
            index,
            flags,
            count,
        }
    };
    (0..VFIO_PCI_NUM_IRQS).map(row).collect()
}
