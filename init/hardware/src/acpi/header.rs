/// Bytes of the header that every table begins with (ACPI 6.5, 5.2.6).
pub(super) const HEADER: usize = 36;

/// The header that every table begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Four letters.
    pub signature: String,
    /// Length of the table in bytes as it says itself.
    pub length: u32,
    /// Revision.
    pub revision: u8,
    /// Who made it.
    pub oem_id: String,
    /// What it was made for.
    pub oem_table_id: String,
    /// The bytes sum to zero, as they must.
    pub checksum_is_good: bool,
}

/// Why bytes are not a table.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    /// Too short for the fields that every such table has.
    #[error("{length} bytes are too short for a {signature} table")]
    Short {
        /// The table that was wanted.
        signature: &'static str,
        /// Bytes there are.
        length: usize,
    },
    /// Another table.
    #[error("signature '{found}' where '{wanted}' belongs")]
    Signature {
        /// The table that was wanted.
        wanted: &'static str,
        /// What is there.
        found: String,
    },
}

impl Header {
    /// Reads the header of a table with a known signature and cuts `bytes` to the table's own length. A
    /// table that says it is longer than its bytes is read as far as they go.
    pub(super) fn parse<'a>(
        bytes: &'a [u8],
        signature: &'static str,
        least: usize,
    ) -> Result<(Self, &'a [u8]), TableError> {
        let length = u32_at(bytes, 4).filter(|_| bytes.len() >= least.max(HEADER));
        let Some(length) = length else {
            return Err(TableError::Short {
                signature,
                length: bytes.len(),
            });
        };
        let text = |from: usize, to: usize| {
            let text = String::from_utf8_lossy(bytes.get(from..to).unwrap_or_default());
            text.trim_end_matches([' ', '\0']).to_owned()
        };
        let found = text(0, 4);
        if found != signature {
            return Err(TableError::Signature {
                wanted: signature,
                found,
            });
        }
        let own = usize::try_from(length).unwrap_or(usize::MAX);
        let table = bytes.get(..own.max(least)).unwrap_or(bytes);
        let sum = table.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
        let header = Self {
            signature: found,
            length,
            revision: bytes.get(8).copied().unwrap_or(0),
            oem_id: text(10, 16),
            oem_table_id: text(16, 24),
            checksum_is_good: sum == 0,
        };
        Ok((header, table))
    }

    /// What the header itself has wrong, given the bytes there are. A cut table's sum says nothing.
    pub(super) fn problems(&self, there: usize) -> Vec<String> {
        if usize::try_from(self.length).is_ok_and(|length| length > there) {
            let length = self.length;
            return vec![format!(
                "the table says it is {length} bytes long and only {there} are there"
            )];
        }
        if self.checksum_is_good {
            vec![]
        } else {
            vec!["the checksum is wrong".to_owned()]
        }
    }
}

/// One structure of a table that is a list of structures.
pub(super) struct Block<'a> {
    /// Offset in the table.
    pub offset: usize,
    /// Its type.
    pub kind: u16,
    /// All of it, its type and length fields included.
    pub bytes: &'a [u8],
}

/// Walks structures by their own lengths, from `offset` to the end. `head` reads type and length from
/// a structure's first bytes. Ends, with a problem, at a length that leads nowhere or outside.
pub(super) fn blocks<'a>(
    table: &'a [u8],
    mut offset: usize,
    head: fn(&[u8]) -> Option<(u16, u16)>,
) -> (Vec<Block<'a>>, Option<String>) {
    let mut found = Vec::new();
    while let Some(rest) = table.get(offset..).filter(|rest| !rest.is_empty()) {
        let Some((kind, length)) = head(rest) else {
            return (
                found,
                Some(format!("{} stray bytes at offset {offset}", rest.len())),
            );
        };
        let length = usize::from(length);
        // A length below its own four bytes would stand still or go back.
        let Some(bytes) = rest.get(..length).filter(|bytes| bytes.len() >= 4) else {
            let problem =
                format!("the structure of type {kind:#x} at offset {offset} has length {length}");
            return (found, Some(problem));
        };
        found.push(Block {
            offset,
            kind,
            bytes,
        });
        offset += length;
    }
    (found, None)
}

/// Little-endian fields; `None` outside the bytes.
pub(super) fn u16_at(bytes: &[u8], offset: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(offset..)?.first_chunk()?))
}

pub(super) fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(offset..)?.first_chunk()?))
}

pub(super) fn u64_at(bytes: &[u8], offset: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(offset..)?.first_chunk()?))
}

/// A well-formed table for tests: header with a good checksum, then `body`.
#[cfg(test)]
pub(super) fn table(signature: &str, revision: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = signature.as_bytes().to_vec();
    bytes.extend_from_slice(&u32::try_from(HEADER + body.len()).unwrap().to_le_bytes());
    bytes.extend_from_slice(&[revision, 0]);
    bytes.resize(HEADER, b' ');
    bytes.extend_from_slice(body);
    let sum = bytes.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
    bytes[9] = 0_u8.wrapping_sub(sum);
    bytes
}
