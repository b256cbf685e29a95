//! Disks over the Network Block Device protocol, as far as QEMU's client needs it: the fixed newstyle negotiation,
//! simple replies, reading alone (NetworkBlockDevice/nbd, doc/proto.md).

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;

/// What is served.
pub(super) trait Disk {
    /// Bytes.
    fn length(&self) -> u64;
    /// Reads what is at `offset`.
    fn read(&self, offset: u64, into: &mut [u8]) -> io::Result<()>;
}

const MAGIC: u64 = u64::from_be_bytes(*b"NBDMAGIC");
const OPTION_MAGIC: u64 = u64::from_be_bytes(*b"IHAVEOPT");
const REPLY_MAGIC: u64 = 0x0003_e889_0455_65a9;
const REQUEST_MAGIC: u32 = 0x2560_9513;
const SIMPLE_REPLY_MAGIC: u32 = 0x6744_6698;

/// Fixed newstyle, and no zeros behind the answer to an export's name.
const HANDSHAKE: u16 = 0b11;
/// There are flags; it is read-only; several connections see the same.
const TRANSMISSION: u16 = 1 | 1 << 1 | 1 << 8;

mod option {
    pub const ABORT: u32 = 2;
    pub const INFO: u32 = 6;
    pub const GO: u32 = 7;
}

mod reply {
    pub const ACK: u32 = 1;
    pub const INFO: u32 = 3;
    pub const UNSUPPORTED: u32 = 1 << 31 | 1;
    pub const UNKNOWN: u32 = 1 << 31 | 6;
}

mod command {
    pub const READ: u16 = 0;
    pub const DISCONNECT: u16 = 2;
}

/// Longest option and longest read that are taken, bytes.
const LONGEST: u32 = 64 << 20;
const EPERM: u32 = 1;
const EIO: u32 = 5;

/// Serves one connection to its end; `disk` finds what a name is for.
pub(super) fn serve<D: Disk>(
    mut stream: UnixStream,
    disk: &dyn Fn(&str) -> Option<D>,
) -> io::Result<()> {
    match negotiate(&mut stream, disk)? {
        Some(disk) => transmit(&mut stream, &disk),
        None => Ok(()),
    }
}

fn negotiate<D: Disk>(
    stream: &mut UnixStream,
    disk: &dyn Fn(&str) -> Option<D>,
) -> io::Result<Option<D>> {
    stream.write_all(&MAGIC.to_be_bytes())?;
    stream.write_all(&OPTION_MAGIC.to_be_bytes())?;
    stream.write_all(&HANDSHAKE.to_be_bytes())?;
    let _flags: [u8; 4] = take(stream)?;
    loop {
        if u64::from_be_bytes(take(stream)?) != OPTION_MAGIC {
            return Err(io::Error::other("not an option of NBD"));
        }
        let option = u32::from_be_bytes(take(stream)?);
        let length = u32::from_be_bytes(take(stream)?);
        let data = bytes(stream, length)?;
        let mut answer = |kind: u32, data: &[u8]| -> io::Result<()> {
            let length = u32::try_from(data.len()).map_err(io::Error::other)?;
            stream.write_all(&REPLY_MAGIC.to_be_bytes())?;
            for word in [option, kind, length] {
                stream.write_all(&word.to_be_bytes())?;
            }
            stream.write_all(data)
        };
        match option {
            option::ABORT => {
                answer(reply::ACK, &[])?;
                return Ok(None);
            }
            option::INFO | option::GO => match name(&data).and_then(disk) {
                None => answer(reply::UNKNOWN, &[])?,
                Some(disk) => {
                    let mut export = 0_u16.to_be_bytes().to_vec();
                    export.extend(disk.length().to_be_bytes());
                    export.extend(TRANSMISSION.to_be_bytes());
                    answer(reply::INFO, &export)?;
                    answer(reply::ACK, &[])?;
                    if option == option::GO {
                        return Ok(Some(disk));
                    }
                }
            },
            _ => answer(reply::UNSUPPORTED, &[])?,
        }
    }
}

fn transmit(stream: &mut UnixStream, disk: &impl Disk) -> io::Result<()> {
    let mut data = Vec::new();
    loop {
        if u32::from_be_bytes(take(stream)?) != REQUEST_MAGIC {
            return Err(io::Error::other("not a request of NBD"));
        }
        let _flags: [u8; 2] = take(stream)?;
        let command = u16::from_be_bytes(take(stream)?);
        let cookie: [u8; 8] = take(stream)?;
        let offset = u64::from_be_bytes(take(stream)?);
        let length = u32::from_be_bytes(take(stream)?);
        data.clear();
        let error = match command {
            command::DISCONNECT => return Ok(()),
            command::READ if length <= LONGEST => {
                data.resize(usize::try_from(length).map_err(io::Error::other)?, 0);
                let inside = offset
                    .checked_add(length.into())
                    .is_some_and(|end| end <= disk.length());
                let read = inside && disk.read(offset, &mut data).is_ok();
                if read { 0 } else { EIO }
            }
            // A write to what is read-only would have data behind it: no client sends one.
            _ => EPERM,
        };
        if error != 0 {
            data.clear();
        }
        stream.write_all(&SIMPLE_REPLY_MAGIC.to_be_bytes())?;
        stream.write_all(&error.to_be_bytes())?;
        stream.write_all(&cookie)?;
        stream.write_all(&data)?;
    }
}

/// The name in an option: its length in front, requests for information behind.
fn name(data: &[u8]) -> Option<&str> {
    let (length, rest) = data.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    std::str::from_utf8(rest.get(..length)?).ok()
}

fn take<const N: usize>(stream: &mut UnixStream) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn bytes(stream: &mut UnixStream, length: u32) -> io::Result<Vec<u8>> {
    if length > LONGEST {
        return Err(io::Error::other("an option of NBD that is too long"));
    }
    let mut bytes = vec![0; usize::try_from(length).map_err(io::Error::other)?];
    stream.read_exact(&mut bytes)?;
    Ok(bytes)
}
