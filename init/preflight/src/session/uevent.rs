use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::Duration;
use std::{io, str};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::sockopt::{RcvBuf, RcvBufForce};
use nix::sys::socket::{
    AddressFamily, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recvfrom, setsockopt,
    socket,
};

/// The kernel's own multicast group; udev's is the second.
const KERNEL_GROUP: u32 = 1;
/// A boot of a large machine makes thousands of events at once.
const BUFFER: usize = 8 << 20;
/// The kernel's limit for one event (`UEVENT_BUFFER_SIZE` is 2048, plus header and name).
const LARGEST_EVENT: usize = 8192;

/// Events about devices, from the kernel only (netlink `NETLINK_KOBJECT_UEVENT`).
pub struct Socket(OwnedFd);

/// What one read brought.
#[derive(Debug, PartialEq, Eq)]
pub enum Received {
    /// Something happened to a device.
    Event(Event),
    /// Nothing within the time.
    Nothing,
    /// The buffer ran over: events are lost, and everything must be looked at again.
    Lost,
}

/// Something that happened to a device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// `add`, `remove`, `change`, `bind`, ...
    pub action: String,
    /// `block`, `usb`, `pci`, ...
    pub subsystem: String,
    /// What modules are found by.
    pub modalias: Option<String>,
    /// Name below /dev.
    pub device_name: Option<String>,
}

impl Socket {
    /// Listens from now on.
    pub fn open() -> io::Result<Self> {
        let socket = socket(
            AddressFamily::Netlink,
            SockType::Datagram,
            SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
            SockProtocol::NetlinkKObjectUEvent,
        )?;
        if setsockopt(&socket, RcvBufForce, &BUFFER).is_err() {
            setsockopt(&socket, RcvBuf, &BUFFER)?;
        }
        bind(socket.as_raw_fd(), &NetlinkAddr::new(0, KERNEL_GROUP))?;
        Ok(Self(socket))
    }

    /// Waits for the next event, at most `limit`.
    pub fn receive(&self, limit: Duration) -> Received {
        let mut wait = [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)];
        let limit = PollTimeout::try_from(limit).unwrap_or(PollTimeout::from(1000_u16));
        let _ = poll(&mut wait, limit);
        let mut buffer = [0; LARGEST_EVENT];
        match recvfrom::<NetlinkAddr>(self.0.as_raw_fd(), &mut buffer) {
            // Any process of the machine may send here; only the kernel has number 0.
            Ok((length, Some(sender))) if sender.pid() == 0 => {
                let message = buffer.get(..length).unwrap_or_default();
                parse(message).map_or(Received::Nothing, Received::Event)
            }
            Err(Errno::ENOBUFS) => Received::Lost,
            Ok(_) | Err(_) => Received::Nothing,
        }
    }
}

/// `ACTION@DEVPATH\0KEY=VALUE\0...`; anything else (udev's own format begins with `libudev`) is none.
fn parse(message: &[u8]) -> Option<Event> {
    let mut fields = message
        .split(|byte| *byte == 0)
        .map(|field| str::from_utf8(field).ok());
    fields.next()??.split_once('@')?;
    let mut event = Event::default();
    for field in fields.flatten() {
        match field.split_once('=') {
            Some(("ACTION", value)) => value.clone_into(&mut event.action),
            Some(("SUBSYSTEM", value)) => value.clone_into(&mut event.subsystem),
            Some(("MODALIAS", value)) => event.modalias = Some(value.to_owned()),
            Some(("DEVNAME", value)) => event.device_name = Some(value.to_owned()),
            _ => {}
        }
    }
    Some(event)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_of_the_kernel_is_read() {
        let message = b"add@/devices/pci0000:00/x\0ACTION=add\0SUBSYSTEM=block\0DEVNAME=sda\0\
                        MODALIAS=scsi:t-0x00\0SEQNUM=7\0";
        assert_eq!(
            parse(message),
            Some(Event {
                action: "add".to_owned(),
                subsystem: "block".to_owned(),
                modalias: Some("scsi:t-0x00".to_owned()),
                device_name: Some("sda".to_owned()),
            })
        );
    }

    #[test]
    fn what_is_no_event_of_the_kernel_is_none() {
        assert_eq!(parse(b"libudev\0\xfe\xed\xca\xfe"), None);
        assert_eq!(parse(b""), None);
        assert_eq!(parse(b"\xff\xff\0ACTION=add\0"), None);
    }
}
