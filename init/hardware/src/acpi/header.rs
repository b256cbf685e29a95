use super::cursor::{Cursor, Trace};
use super::problem::{TableError, TableProblem};

/// Bytes of the header that every table begins with (ACPI 6.5, 5.2.6).
pub(super) const HEADER: usize = 36;
/// The largest servers have tables of a few kilobytes. The bound keeps a hostile one from costing time.
const MAX_LENGTH: usize = 64 << 10;

/// The header that every table begins with (ACPI 6.5, 5.2.6).
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
    /// Its maker's revision.
    pub oem_revision: u32,
    /// Whose compiler wrote it.
    pub creator_id: String,
    /// The compiler's revision.
    pub creator_revision: u32,
    /// The bytes sum to zero, as they must.
    pub checksum_is_good: bool,
}

impl Header {
    /// Reads the header of a table with a known signature, and gives a cursor behind it that ends with the
    /// table. `least` is what the table's fixed fields take. A table that says it is longer than its bytes
    /// is read as far as they go.
    pub(super) fn parse<'a, 't>(
        bytes: &'a [u8],
        signature: &'static str,
        least: usize,
        trace: Option<&'t mut Trace>,
        problems: &mut Vec<TableProblem>,
    ) -> Result<(Self, Cursor<'a, 't>), TableError> {
        let least = least.max(HEADER);
        let short = TableError::Short {
            signature,
            length: bytes.len(),
        };
        let length = bytes
            .get(4..8)
            .and_then(|field| Some(u32::from_le_bytes(*field.first_chunk()?)));
        let Some(length) = length.filter(|_| bytes.len() >= least) else {
            return Err(short);
        };
        let own = usize::try_from(length).unwrap_or(usize::MAX);
        let table = bytes.get(..own.max(least)).unwrap_or(bytes);
        let read = table.get(..MAX_LENGTH).unwrap_or(table);
        let mut cursor = Cursor::new(read, trace);
        let Some(mut header) = Self::fields(&mut cursor) else {
            return Err(short);
        };
        if header.signature != signature {
            return Err(TableError::Signature {
                wanted: signature,
                found: header.signature,
            });
        }
        let sum = table.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
        header.checksum_is_good = sum == 0;
        problems.extend(header.problems(own, least, bytes.len()));
        if read.len() < table.len() {
            problems.push(TableProblem::TooLong {
                length: table.len(),
                read: read.len(),
            });
        }
        Ok((header, cursor))
    }

    fn fields(cursor: &mut Cursor) -> Option<Self> {
        let padded = |text: String| text.trim_end_matches(' ').to_owned();
        let signature = cursor.text("Signature", 4)?;
        let length = cursor.u32("Length")?;
        let revision = cursor.u8("Revision")?;
        cursor.u8("Checksum")?;
        Some(Self {
            signature,
            length,
            revision,
            oem_id: padded(cursor.text("OEM ID", 6)?),
            oem_table_id: padded(cursor.text("OEM Table ID", 8)?),
            oem_revision: cursor.u32("OEM Revision")?,
            creator_id: padded(cursor.text("Creator ID", 4)?),
            creator_revision: cursor.u32("Creator Revision")?,
            checksum_is_good: false,
        })
    }

    /// What the header itself has wrong. The sum of a cut table says nothing.
    fn problems(&self, own: usize, least: usize, there: usize) -> Option<TableProblem> {
        let says = self.length;
        if own > there {
            return Some(TableProblem::Truncated { says, there });
        }
        if own < least {
            return Some(TableProblem::ShortLength { says });
        }
        (!self.checksum_is_good).then_some(TableProblem::Checksum)
    }
}
