#![expect(
    unsafe_code,
    reason = "the ioctls of loop devices have no safe wrapper"
)]

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::libc;

use crate::Error;

const CONTROL: &str = "/dev/loop-control";
/// `include/uapi/linux/loop.h`
const GET_FREE: u64 = 0x4c82;
const CONFIGURE: u64 = 0x4c0a;
/// Bytes of `struct loop_config`, and where `info.lo_flags` lies in it.
const CONFIG: usize = 304;
const FLAGS: usize = 60;
/// The device lets go of its file when nobody has it open any more.
const AUTOCLEAR: u32 = 4;

/// Other programs take free loop devices too: one may be gone before it is ours.
const TRIES: usize = 16;

/// A block device over a file. It vanishes when the last user closes it.
pub(super) struct LoopDevice {
    /// Held open until another user has it.
    _device: File,
    /// Its node.
    pub node: PathBuf,
}

impl LoopDevice {
    /// Puts a block device over `file`, whose path is told in errors.
    pub fn over(file: &File, path: &Path) -> Result<Self, Error> {
        let control = open(Path::new(CONTROL))?;
        for _ in 0..TRIES {
            // SAFETY: the descriptor is open, and this request has no argument.
            let number = unsafe { libc::ioctl(control.as_raw_fd(), GET_FREE) };
            let number = Errno::result(number)
                .map_err(io::Error::from)
                .map_err(Error::io("find a free loop device at", CONTROL))?;
            let node = PathBuf::from(format!("/dev/loop{number}"));
            let device = open(&node)?;
            match configure(&device, file) {
                Ok(()) => {
                    return Ok(Self {
                        _device: device,
                        node,
                    });
                }
                Err(Errno::EBUSY) => {}
                Err(errno) => return Err(Error::io("put a loop device over", path)(errno.into())),
            }
        }
        Err(Error::io("find a free loop device for", path)(
            Errno::EBUSY.into(),
        ))
    }
}

fn configure(device: &File, file: &File) -> Result<(), Errno> {
    let mut config = [0_u8; CONFIG];
    let descriptor = file.as_raw_fd().to_ne_bytes();
    for (to, from) in config.iter_mut().zip(descriptor) {
        *to = from;
    }
    for (to, from) in config.iter_mut().skip(FLAGS).zip(AUTOCLEAR.to_ne_bytes()) {
        *to = from;
    }
    // SAFETY: both descriptors are open, and the kernel reads one struct loop_config, which the buffer has
    // the length of.
    let result = unsafe { libc::ioctl(device.as_raw_fd(), CONFIGURE, config.as_ptr()) };
    Errno::result(result).map(drop)
}

fn open(path: &Path) -> Result<File, Error> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .open(path)
        .map_err(Error::io("open", path))
}
