#![expect(
    unsafe_code,
    reason = "registers are memory: mapping and accessing them has no safe form"
)]

use std::fs::File;
use std::io;
use std::num::NonZeroUsize;
use std::ptr::NonNull;

use nix::libc::c_void;
use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};

/// 32-bit registers at offsets that are multiples of four.
pub(super) trait Registers {
    /// All ones where there is no register.
    fn read(&self, offset: u32) -> u32;
    /// Nothing happens where there is no register.
    fn write(&self, offset: u32, value: u32);
}

/// The first bytes of a BAR, mapped through its `resource` file in sysfs (`pci_mmap_resource`). A function
/// that goes away answers with all ones.
pub(super) struct Mapping {
    start: NonNull<c_void>,
    length: usize,
}

impl Mapping {
    /// Maps `length` bytes. The kernel refuses a length beyond the BAR, and everything when it is locked
    /// down.
    pub(super) fn new(file: &File, length: usize) -> io::Result<Self> {
        let size = NonZeroUsize::new(length).ok_or(io::ErrorKind::InvalidInput)?;
        let protection = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: a new mapping at an address of the kernel's choice touches no memory of this process.
        let start = unsafe { mmap(None, size, protection, MapFlags::MAP_SHARED, file, 0)? };
        Ok(Self { start, length })
    }

    /// Where a register is; none outside the mapping.
    fn register(&self, offset: u32) -> Option<*mut u32> {
        let offset = usize::try_from(offset).ok()?;
        let inside = offset.is_multiple_of(4) && offset.checked_add(4)? <= self.length;
        // SAFETY: the offset was just found to lie inside the mapping.
        inside.then(|| unsafe { self.start.as_ptr().byte_add(offset) }.cast())
    }
}

impl Registers for Mapping {
    fn read(&self, offset: u32) -> u32 {
        match self.register(offset) {
            // SAFETY: mapped until `drop`, aligned because mappings start on a page, and every bit
            // pattern is a u32. Volatile: each read goes to the card, in this width.
            Some(register) => unsafe { register.read_volatile() },
            None => u32::MAX,
        }
    }

    fn write(&self, offset: u32, value: u32) {
        if let Some(register) = self.register(offset) {
            // SAFETY: as for reading; nothing in this process relies on what is in the card.
            unsafe { register.write_volatile(value) }
        }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: made by `mmap` with this length, and no reference into it is ever given away.
        let _ = unsafe { munmap(self.start, self.length) };
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn registers_are_read_and_written_inside_the_mapping_only() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&[[0x11; 4], [0x22; 4]].concat()).unwrap();
        file.set_len(4096).unwrap();
        let mapping = Mapping::new(&file, 4096).unwrap();
        assert_eq!(
            (mapping.read(0), mapping.read(4)),
            (0x1111_1111, 0x2222_2222)
        );
        mapping.write(4092, 7);
        assert_eq!(mapping.read(4092), 7);
        for outside in [4096, 4093, 2, u32::MAX] {
            mapping.write(outside, 1);
            assert_eq!(mapping.read(outside), u32::MAX);
        }
        assert!(Mapping::new(&file, 0).is_err());
    }
}
