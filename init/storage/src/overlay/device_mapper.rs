#![expect(
    unsafe_code,
    reason = "the ioctls of device-mapper have no safe wrapper"
)]

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;

use nix::errno::Errno;
use nix::libc;

use super::message::{Command, HEADER, Message, Target, flag};
use crate::Error;

const CONTROL: &str = "/dev/mapper/control";

/// Device-mapper's control device (`drivers/md/dm-ioctl.c`).
pub(crate) struct DeviceMapper(File);

impl DeviceMapper {
    /// Opens it. It is there when the module `dm_mod` is loaded.
    pub fn open() -> Result<Self, Error> {
        OpenOptions::new()
            .read(true)
            .write(true)
            .open(CONTROL)
            .map(Self)
            .map_err(Error::io("open", CONTROL))
    }

    /// Makes a device with this one target and gives its minor number. Nothing of it stays after an error.
    pub(super) fn create(&self, name: &str, uuid: &str, target: &Target) -> Result<u32, Error> {
        let failed = |error| Error::Io {
            action: "make the overlay",
            path: Path::new("/dev/mapper").join(name),
            cause: error,
        };
        let message = Message::about(name).and_then(|message| message.uuid(uuid));
        let made = self.ask(Command::Create, message).map_err(failed)?;
        let table = Message::about(name).and_then(|message| message.target(target));
        let started = self
            .ask(Command::Load, table)
            .and_then(|_| self.ask(Command::Resume, Message::about(name)));
        if let Err(error) = started {
            // The device without a table is of no use; the first error is the one to tell.
            let _ = self.ask(Command::Remove, Message::about(name));
            return Err(failed(error));
        }
        made.minor()
            .ok_or_else(|| failed(io::Error::other("the kernel gave no device number")))
    }

    /// Removes a device. One that is still in use goes by itself when it is closed, and that is an error here.
    pub fn remove(&self, name: &str) -> io::Result<()> {
        match self.ask(Command::Remove, Message::about(name)) {
            Err(error) if error.raw_os_error() == Some(libc::EBUSY) => {
                let later =
                    Message::about(name).and_then(|message| message.flags(flag::DEFERRED_REMOVE));
                self.ask(Command::Remove, later)?;
                Err(error)
            }
            other => other.map(drop),
        }
    }

    /// The status line of a device's only target.
    pub fn status(&self, name: &str) -> io::Result<String> {
        self.ask(Command::Status, Message::about(name))?
            .status()
            .ok_or_else(|| io::Error::other("the kernel gave no status"))
    }

    /// Sends a message; `None` stands for one that could not be written down.
    fn ask(&self, command: Command, message: Option<Message>) -> io::Result<Message> {
        let mut message = message.ok_or(io::ErrorKind::InvalidInput)?;
        let request = nix::request_code_readwrite!(0xfd, command as u8, HEADER);
        let pointer = message.bytes_mut().as_mut_ptr();
        // SAFETY: the descriptor is open, the buffer outlives the call, and its field data_size is its
        // length, which the kernel keeps within.
        let result = unsafe { libc::ioctl(self.0.as_raw_fd(), request, pointer) };
        Errno::result(result)?;
        Ok(message)
    }
}
