#![expect(unsafe_code, reason = "BLKRRPART has no safe wrapper")]

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;

use crate::Error;

mod ioctl {
    nix::ioctl_none_bad!(reread, nix::request_code_none!(0x12, 95));
}

/// Has the kernel read a disk's partition table again (`BLKRRPART`); none of its partitions may be in use.
pub fn reread_partitions(disk: &Path) -> Result<(), Error> {
    let file = File::open(disk).map_err(Error::io("open", disk))?;
    // SAFETY: the descriptor is open for the whole call, and BLKRRPART takes no argument.
    unsafe { ioctl::reread(file.as_raw_fd()) }
        .map_err(io::Error::from)
        .map_err(Error::io("read the partitions again of", disk))?;
    Ok(())
}
