//! A BAR through its `resource` file: sysfs lets memory be mapped, and not be read.
#![expect(unsafe_code, reason = "device memory is mapped and read by pointer")]

use std::fs::OpenOptions;
use std::io;
use std::num::NonZeroUsize;

use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};

const PAGE: u64 = 4096;

/// Reads `length` bytes from `offset` on, four at a time; both are multiples of four.
pub(crate) fn read(path: &str, offset: u64, length: usize) -> io::Result<Vec<u8>> {
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    let start = offset / PAGE * PAGE;
    let skipped = usize::try_from(offset - start).map_err(io::Error::other)?;
    let span =
        NonZeroUsize::new(skipped + length).ok_or_else(|| io::Error::other("nothing to read"))?;
    let at = i64::try_from(start).map_err(io::Error::other)?;
    // SAFETY: a new mapping of a file, at an address that the kernel chooses.
    let base = unsafe {
        mmap(
            None,
            span,
            ProtFlags::PROT_READ,
            MapFlags::MAP_SHARED,
            &file,
            at,
        )?
    };
    let mut bytes = Vec::with_capacity(length);
    for word in (skipped..skipped + length).step_by(4) {
        // SAFETY: `word` is inside the mapping and aligned to four, since the mapping is to a page.
        let value: u32 = unsafe { base.cast::<u8>().add(word).cast().read_volatile() };
        bytes.extend(value.to_le_bytes());
    }
    // SAFETY: the whole mapping, which nothing refers to any more.
    unsafe { munmap(base, span.get())? };
    Ok(bytes)
}
