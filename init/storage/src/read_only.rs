#![expect(unsafe_code, reason = "BLKROSET and BLKROGET have no safe wrapper")]

use std::fs::OpenOptions;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::libc;

use crate::Error;

mod ioctl {
    nix::ioctl_write_ptr_bad!(set, nix::request_code_none!(0x12, 93), nix::libc::c_int);
    nix::ioctl_read_bad!(get, nix::request_code_none!(0x12, 94), nix::libc::c_int);
}

/// Sets a block device read-only in the kernel, or lifts that again (`BLKROSET`). A first line only: device-mapper and what
/// stands above it writes through this flag.
pub fn set_read_only(node: &Path, on: bool) -> Result<(), Error> {
    let file = open(node)?;
    let on = libc::c_int::from(on);
    // SAFETY: the descriptor is open for the whole call, and BLKROSET reads one int through the pointer.
    unsafe { ioctl::set(file.as_raw_fd(), &raw const on) }
        .map_err(io::Error::from)
        .map_err(Error::io("set read-only", node))?;
    Ok(())
}

/// Whether the kernel holds a block device read-only (`BLKROGET`).
pub fn is_read_only(node: &Path) -> Result<bool, Error> {
    let file = open(node)?;
    let mut value: libc::c_int = 0;
    // SAFETY: the descriptor is open for the whole call, and BLKROGET writes one int through the pointer.
    unsafe { ioctl::get(file.as_raw_fd(), &raw mut value) }
        .map_err(io::Error::from)
        .map_err(Error::io("ask about read-only", node))?;
    Ok(value != 0)
}

/// Opens for an ioctl alone: `O_NONBLOCK` keeps a drive without a medium from failing the open.
fn open(node: &Path) -> Result<std::fs::File, Error> {
    OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_CLOEXEC)
        .open(node)
        .map_err(Error::io("open", node))
}
