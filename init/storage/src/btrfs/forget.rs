#![expect(unsafe_code, reason = "the ioctl of btrfs has no safe wrapper")]

use std::fs::OpenOptions;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

const CONTROL: &str = "/dev/btrfs-control";
/// `BTRFS_PATH_NAME_MAX` and the zero behind it.
const NAME: usize = 4088;

/// `struct btrfs_ioctl_vol_args` (`include/uapi/linux/btrfs.h`).
#[repr(C)]
struct Arguments {
    fd: i64,
    name: [u8; NAME],
}

mod ioctl {
    nix::ioctl_write_ptr!(forget_dev, 0x94, 5, super::Arguments);
}

/// Has the driver forget a device that it has seen and that is not mounted (`BTRFS_IOC_FORGET_DEV`). It keeps
/// of two devices of one identity the one that was written to last: of an overlay it would keep the overlay, and
/// refuse the disk below. A device that it does not know is forgotten already.
pub(crate) fn forget(node: &Path) {
    let mut arguments = Arguments {
        fd: 0,
        name: [0; NAME],
    };
    let path = node.as_os_str().as_bytes();
    let Some(name) = arguments
        .name
        .get_mut(..path.len())
        .filter(|name| name.len() < NAME)
    else {
        return;
    };
    name.copy_from_slice(path);
    // Without the driver nothing is to be forgotten.
    let Ok(control) = OpenOptions::new().read(true).write(true).open(CONTROL) else {
        return;
    };
    // SAFETY: the descriptor is open, and the kernel reads one structure of this layout through the pointer.
    let _ = unsafe { ioctl::forget_dev(control.as_raw_fd(), &raw const arguments) };
}
