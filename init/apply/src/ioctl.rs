#![expect(
    unsafe_code,
    reason = "the ioctls of file systems have no safe wrapper"
)]
#![allow(missing_docs, reason = "nix writes the wrappers")]

use std::fs::File;
use std::os::fd::AsRawFd;

use nix::errno::Errno;
use nix::libc::c_int;

// include/uapi/linux/fs.h
nix::ioctl_readwrite!(fifreeze, b'X', 119, c_int);
nix::ioctl_readwrite!(fithaw, b'X', 120, c_int);
nix::ioctl_readwrite_bad!(fibmap, 1, c_int);

/// Writes the journal of the file system that this is a file of to its places, and lets nobody write until
/// [`thaw`]. `EOPNOTSUPP` where there is no journal to speak of.
pub(crate) fn freeze(file: &File) -> Result<(), Errno> {
    let mut unused: c_int = 0;
    // SAFETY: the descriptor is open, and the kernel does not touch the argument.
    unsafe { fifreeze(file.as_raw_fd(), &raw mut unused) }.map(drop)
}

/// Ends a [`freeze`].
pub(crate) fn thaw(file: &File) -> Result<(), Errno> {
    let mut unused: c_int = 0;
    // SAFETY: the descriptor is open, and the kernel does not touch the argument.
    unsafe { fithaw(file.as_raw_fd(), &raw mut unused) }.map(drop)
}

/// The number of a file's first block; 0 where it has none.
pub(crate) fn first_block(file: &File) -> Result<c_int, Errno> {
    let mut block: c_int = 0;
    // SAFETY: the descriptor is open, and the kernel reads and writes one c_int, which outlives the call.
    unsafe { fibmap(file.as_raw_fd(), &raw mut block) }.map(|_| block)
}
