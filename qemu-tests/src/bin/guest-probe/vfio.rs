//! A function through VFIO, as a virtual machine's monitor opens it (the kernel's uapi/linux/vfio.h).
#![expect(unsafe_code, reason = "ioctls take pointers")]

use std::ffi::{CString, c_char, c_int};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd};
use std::os::unix::fs::FileExt;

use nix::errno::Errno;
use nix::{ioctl_write_int_bad, ioctl_write_ptr_bad, request_code_none};

use crate::answer::link;

const TYPE: u8 = b';';
/// VFIO_TYPE1v2_IOMMU.
const TYPE1_V2: c_int = 3;
/// VFIO_PCI_INDEX_TO_OFFSET(VFIO_PCI_CONFIG_REGION_INDEX).
const CONFIG: u64 = 7 << 40;

ioctl_write_int_bad!(set_iommu, request_code_none!(TYPE, 102));
ioctl_write_ptr_bad!(set_container, request_code_none!(TYPE, 104), c_int);
ioctl_write_ptr_bad!(get_device, request_code_none!(TYPE, 106), c_char);

/// Vendor and device id of the function at `address`, read through VFIO.
pub(crate) fn ids(address: &str) -> io::Result<Vec<u8>> {
    let group = link(&format!("/sys/bus/pci/devices/{address}/iommu_group"))?;
    let open = |path: &str| OpenOptions::new().read(true).write(true).open(path);
    let container = open("/dev/vfio/vfio").map_err(at("open the container"))?;
    let group = open(&format!("/dev/vfio/{group}")).map_err(at("open the group"))?;
    let number = container.as_raw_fd();
    let name = CString::new(address).map_err(io::Error::other)?;
    // SAFETY: the pointer is to a number that lives through the call.
    let attached = unsafe { set_container(group.as_raw_fd(), &raw const number) };
    attached.map_err(errno("put the group into the container"))?;
    // SAFETY: no pointer.
    let set = unsafe { set_iommu(container.as_raw_fd(), TYPE1_V2) };
    set.map_err(errno("set the IOMMU"))?;
    // SAFETY: the pointer is to a string that ends with a zero and lives through the call.
    let device = unsafe { get_device(group.as_raw_fd(), name.as_ptr()) };
    let device = device.map_err(errno("open the function"))?;
    // SAFETY: a descriptor that the kernel has just made, and nobody else has.
    let device = unsafe { File::from_raw_fd(device) };
    let mut ids = vec![0; 4];
    device.read_exact_at(&mut ids, CONFIG)?;
    Ok(ids)
}

fn errno(doing: &'static str) -> impl Fn(Errno) -> io::Error {
    move |errno| at(doing)(errno.into())
}

/// Says what was being done; the error number stays.
fn at(doing: &'static str) -> impl Fn(io::Error) -> io::Error {
    move |error| {
        println!("guest-probe: cannot {doing}: {error}");
        error
    }
}
