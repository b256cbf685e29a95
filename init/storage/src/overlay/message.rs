//! The messages of device-mapper's control device, as bytes (`include/uapi/linux/dm-ioctl.h`).

/// Bytes of `struct dm_ioctl`, which every message begins with.
pub(super) const HEADER: usize = 312;
/// Bytes of `struct dm_target_spec`, which its parameters follow.
const SPEC: usize = 40;
/// Room for what the kernel answers: one target and its status fit many times.
const ROOM: usize = 4096;

/// Offsets of the fields of `struct dm_ioctl` that are used here.
mod field {
    pub const VERSION: usize = 0;
    pub const DATA_SIZE: usize = 12;
    pub const DATA_START: usize = 16;
    pub const TARGET_COUNT: usize = 20;
    pub const FLAGS: usize = 28;
    pub const DEV: usize = 40;
    pub const NAME: usize = 48;
    pub const UUID: usize = 176;
}

/// `DM_NAME_LEN` and `DM_UUID_LEN`, the closing NUL included.
const NAME_LENGTH: usize = 128;
const UUID_LENGTH: usize = 129;
const TYPE_LENGTH: usize = 16;

/// Flags of a message.
pub(super) mod flag {
    /// Set by the kernel: its answer did not fit into the message and is cut off.
    pub const BUFFER_FULL: u32 = 1 << 8;
    /// Remove the device when its last user has closed it.
    pub const DEFERRED_REMOVE: u32 = 1 << 17;
}

/// What the kernel is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Command {
    /// `DM_DEV_CREATE`
    Create = 3,
    /// `DM_DEV_REMOVE`
    Remove = 4,
    /// `DM_DEV_SUSPEND`, which without a flag resumes and so puts a loaded table in force.
    Resume = 6,
    /// `DM_TABLE_LOAD`
    Load = 9,
    /// `DM_TABLE_STATUS`
    Status = 12,
}

/// A message to the kernel, and after the call its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Message(Vec<u8>);

/// One target of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target<'a> {
    /// Sectors of 512 bytes.
    pub length: u64,
    /// `snapshot`, ...
    pub kind: &'a str,
    /// Its words in the table.
    pub parameters: &'a str,
}

impl Message {
    /// A message about the device of this name. `None` when the name does not fit.
    pub fn about(name: &str) -> Option<Self> {
        let mut message = Self(vec![0; ROOM]);
        // The lowest interface version that has all of this; a newer kernel answers in kind.
        for (index, number) in [4_u32, 0, 0].into_iter().enumerate() {
            message.put(field::VERSION + 4 * index, &number.to_ne_bytes())?;
        }
        let size = u32::try_from(ROOM).ok()?;
        let start = u32::try_from(HEADER).ok()?;
        message.put(field::DATA_SIZE, &size.to_ne_bytes())?;
        message.put(field::DATA_START, &start.to_ne_bytes())?;
        message.put_text(field::NAME, name, NAME_LENGTH)?;
        Some(message)
    }

    /// The same with this UUID.
    pub fn uuid(mut self, uuid: &str) -> Option<Self> {
        self.put_text(field::UUID, uuid, UUID_LENGTH)?;
        Some(self)
    }

    /// The same with these flags.
    pub fn flags(mut self, flags: u32) -> Option<Self> {
        self.put(field::FLAGS, &flags.to_ne_bytes())?;
        Some(self)
    }

    /// The same with a table of one target that begins at sector 0.
    pub fn target(mut self, target: &Target) -> Option<Self> {
        self.put(field::TARGET_COUNT, &1_u32.to_ne_bytes())?;
        self.put(HEADER + 8, &target.length.to_ne_bytes())?;
        self.put_text(HEADER + 24, target.kind, TYPE_LENGTH)?;
        let room = ROOM.checked_sub(HEADER + SPEC)?;
        self.put_text(HEADER + SPEC, target.parameters, room)?;
        Some(self)
    }

    fn put(&mut self, at: usize, bytes: &[u8]) -> Option<()> {
        self.0
            .get_mut(at..at.checked_add(bytes.len())?)?
            .copy_from_slice(bytes);
        Some(())
    }

    /// Puts a text that is closed with NUL within `room` bytes.
    fn put_text(&mut self, at: usize, text: &str, room: usize) -> Option<()> {
        if text.len() >= room || text.contains('\0') {
            return None;
        }
        self.put(at, text.as_bytes())
    }

    fn number(&self, at: usize) -> Option<u32> {
        let bytes = self.0.get(at..at.checked_add(4)?)?;
        Some(u32::from_ne_bytes(bytes.try_into().ok()?))
    }

    /// The bytes that the kernel reads and writes.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }

    /// Minor number of the device, from an answer (`huge_encode_dev`: the low byte, and from bit 20 on).
    pub fn minor(&self) -> Option<u32> {
        let device = self.number(field::DEV)?;
        Some((device & 0xff) | ((device >> 12) & !0xff))
    }

    /// The status of the first target, from an answer to [`Command::Status`].
    pub fn status(&self) -> Option<String> {
        if self.number(field::TARGET_COUNT)? == 0
            || self.number(field::FLAGS)? & flag::BUFFER_FULL != 0
        {
            return None;
        }
        let start = usize::try_from(self.number(field::DATA_START)?).ok()?;
        let text = self.0.get(start.checked_add(SPEC)?..)?;
        let end = text.iter().position(|byte| *byte == 0)?;
        Some(String::from_utf8_lossy(text.get(..end)?).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_table_lies_where_the_kernel_reads_it() {
        let target = Target {
            length: 2048,
            kind: "snapshot",
            parameters: "8:1 7:0 N 8",
        };
        let message = Message::about("overlay-0").unwrap();
        let message = message
            .uuid("PREFLIGHT-0")
            .unwrap()
            .target(&target)
            .unwrap();
        let bytes = &message.0;
        assert_eq!(bytes[48..57], *b"overlay-0");
        assert_eq!(bytes[176..187], *b"PREFLIGHT-0");
        assert_eq!(bytes[320..328], 2048_u64.to_ne_bytes());
        assert_eq!(bytes[336..345], *b"snapshot\0");
        assert_eq!(bytes[352..364], *b"8:1 7:0 N 8\0");
    }

    #[test]
    fn a_name_that_does_not_fit_is_refused() {
        assert!(Message::about(&"x".repeat(127)).is_some());
        assert!(Message::about(&"x".repeat(128)).is_none());
        assert!(Message::about("a\0b").is_none());
    }

    #[test]
    fn a_minor_number_above_255_is_put_together() {
        let mut message = Message::about("x").unwrap();
        message
            .put(field::DEV, &0x0010_fd02_u32.to_ne_bytes())
            .unwrap();
        assert_eq!(message.minor(), Some(0x102));
    }

    proptest! {
        #[test]
        fn no_answer_is_too_odd(bytes in proptest::collection::vec(any::<u8>(), 0..800)) {
            let message = Message(bytes);
            let _ = (message.status(), message.minor());
        }
    }
}
