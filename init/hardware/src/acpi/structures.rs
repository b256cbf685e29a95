use super::cursor::Cursor;
use super::problem::TableProblem;

/// A structure of a type that this version does not know, passed over by its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownStructure {
    /// Its type.
    pub kind: u16,
    /// Offset in the table, bytes.
    pub offset: usize,
    /// Bytes, type and length included.
    pub length: usize,
}

/// How the type and the length of a structure stand at its beginning.
pub(super) struct Head {
    /// Bytes that both take; no structure is shorter.
    least: usize,
    /// Reads them, without moving on.
    peek: fn(&Cursor) -> Option<(u16, usize)>,
}

/// Type and length in 16 bits each: DMAR structures (VT-d specification 4.1, 8.2).
pub(super) const DMAR: Head = Head {
    least: 4,
    peek: |cursor| Some((word(cursor, 0)?, word(cursor, 2)?.into())),
};

/// Type and length in a byte each: device scopes (VT-d specification 4.1, 8.3.1).
pub(super) const DEVICE_SCOPE: Head = Head {
    least: 2,
    peek: |cursor| Some((cursor.peek(0)?.into(), cursor.peek(1)?.into())),
};

/// The same: interrupt controllers of the MADT (ACPI 6.5, 5.2.12).
pub(super) const MADT: Head = DEVICE_SCOPE;

/// Type, flags, and length in 16 bits: IVRS blocks (AMD IOMMU specification 3.10, 5.2.2).
pub(super) const IVRS: Head = Head {
    least: 4,
    peek: |cursor| Some((cursor.peek(0)?.into(), word(cursor, 2)?.into())),
};

fn word(cursor: &Cursor, at: usize) -> Option<u16> {
    Some(u16::from_le_bytes([cursor.peek(at)?, cursor.peek(at + 1)?]))
}

/// Walks structures by their own lengths to the end of the bytes, and gives each to `read`: its type, a
/// cursor over all of it (type and length not read yet), and where to put problems. `read` gives `None`
/// where the structure is shorter than its own fields. The walk ends, with a problem, at a length that
/// leads nowhere or outside.
pub(super) fn walk(
    cursor: &mut Cursor,
    head: &Head,
    what: &'static str,
    problems: &mut Vec<TableProblem>,
    mut read: impl FnMut(u16, &mut Cursor, &mut Vec<TableProblem>) -> Option<()>,
) {
    while cursor.left() > 0 {
        let offset = cursor.offset();
        let Some((kind, length)) = (head.peek)(cursor) else {
            let count = cursor.left();
            problems.push(TableProblem::Stray { count, offset });
            return;
        };
        // A length below that of type and length would stand still or go back.
        let part = if length < head.least {
            None
        } else {
            cursor.part(length)
        };
        let Some(mut part) = part else {
            problems.push(TableProblem::Length {
                kind,
                offset,
                length,
            });
            return;
        };
        if read(kind, &mut part, problems).is_none() {
            problems.push(TableProblem::Cut { what, offset });
        } else if part.left() > 0 {
            problems.push(TableProblem::Unexplained {
                what,
                count: part.left(),
                offset: part.offset(),
            });
        }
    }
}
