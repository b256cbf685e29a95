/// Where every field of a table was found, in the order of reading.
pub type Trace = Vec<Field>;

/// One field of a table as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Offset in the table, bytes.
    pub offset: usize,
    /// Bytes.
    pub length: usize,
    /// What it is, in the words of the specification.
    pub name: &'static str,
    /// What was read.
    pub value: Value,
}

/// A field's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A little-endian number.
    Number(u64),
    /// Text up to its first NUL.
    Text(String),
    /// Bytes that are no number: reserved ones, paths, structures of unknown type.
    Bytes(Vec<u8>),
}

/// Reads the fields of a table, or of a part of one, from front to back. Every read gives `None` at the end
/// of the bytes. What a parser does not read stays out of the trace, so a byte that nobody explains shows.
pub(super) struct Cursor<'a, 't> {
    /// What is left.
    rest: &'a [u8],
    /// Offset of `rest` in the table.
    offset: usize,
    trace: Option<&'t mut Trace>,
}

impl<'a, 't> Cursor<'a, 't> {
    pub fn new(bytes: &'a [u8], trace: Option<&'t mut Trace>) -> Self {
        Self {
            rest: bytes,
            offset: 0,
            trace,
        }
    }

    /// Offset in the table of what is read next.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// Bytes that are left.
    pub fn left(&self) -> usize {
        self.rest.len()
    }

    /// The byte `ahead` of the next one, not read.
    pub fn peek(&self, ahead: usize) -> Option<u8> {
        self.rest.get(ahead).copied()
    }

    /// A cursor over the next `length` bytes, which this one then has behind it.
    pub fn part(&mut self, length: usize) -> Option<Cursor<'a, '_>> {
        let offset = self.offset;
        let bytes = self.advance(length)?;
        Some(Cursor {
            rest: bytes,
            offset,
            trace: self.trace.as_deref_mut(),
        })
    }

    pub fn u8(&mut self, name: &'static str) -> Option<u8> {
        let value = *self.advance(1)?.first()?;
        self.note(name, 1, || Value::Number(value.into()));
        Some(value)
    }

    pub fn u16(&mut self, name: &'static str) -> Option<u16> {
        let value = u16::from_le_bytes(*self.advance(2)?.first_chunk()?);
        self.note(name, 2, || Value::Number(value.into()));
        Some(value)
    }

    pub fn u32(&mut self, name: &'static str) -> Option<u32> {
        let value = u32::from_le_bytes(*self.advance(4)?.first_chunk()?);
        self.note(name, 4, || Value::Number(value.into()));
        Some(value)
    }

    pub fn u64(&mut self, name: &'static str) -> Option<u64> {
        let value = u64::from_le_bytes(*self.advance(8)?.first_chunk()?);
        self.note(name, 8, || Value::Number(value));
        Some(value)
    }

    /// Bytes as they are.
    pub fn bytes(&mut self, name: &'static str, length: usize) -> Option<&'a [u8]> {
        let bytes = self.advance(length)?;
        self.note(name, length, || Value::Bytes(bytes.to_vec()));
        Some(bytes)
    }

    /// Text of a fixed length, up to its first NUL. What is not UTF-8 is replaced.
    pub fn text(&mut self, name: &'static str, length: usize) -> Option<String> {
        let bytes = self.advance(length)?;
        let end = bytes.iter().position(|byte| *byte == 0);
        let text = bytes.get(..end.unwrap_or(length)).unwrap_or_default();
        let text = String::from_utf8_lossy(text).into_owned();
        self.note(name, length, || Value::Text(text.clone()));
        Some(text)
    }

    /// Text up to its NUL, which is part of the field. `None` where there is no NUL.
    pub fn terminated_text(&mut self, name: &'static str) -> Option<String> {
        let end = self.rest.iter().position(|byte| *byte == 0)?;
        self.text(name, end + 1)
    }

    fn advance(&mut self, length: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        self.offset += length;
        Some(bytes)
    }

    fn note(&mut self, name: &'static str, length: usize, value: impl FnOnce() -> Value) {
        if length == 0 {
            return;
        }
        if let Some(trace) = &mut self.trace {
            trace.push(Field {
                offset: self.offset - length,
                length,
                name,
                value: value(),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_read_is_in_the_trace_at_its_place_in_the_whole_table() {
        let mut trace = Trace::new();
        let mut cursor = Cursor::new(b"\x01\x02\x03\x04AB\0\0\x09", Some(&mut trace));
        assert_eq!(cursor.u16("first"), Some(0x0201));
        let mut part = cursor.part(6).unwrap();
        assert_eq!(part.u16("second"), Some(0x0403));
        assert_eq!(part.text("name", 4).unwrap(), "AB");
        assert_eq!(part.u8("outside the part"), None);
        assert_eq!((cursor.offset(), cursor.left()), (8, 1));
        let places: Vec<_> = trace.iter().map(|f| (f.offset, f.length, f.name)).collect();
        assert_eq!(places, [(0, 2, "first"), (2, 2, "second"), (4, 4, "name")]);
        assert_eq!(trace[2].value, Value::Text("AB".into()));
    }

    #[test]
    fn a_read_past_the_end_takes_nothing() {
        let mut cursor = Cursor::new(&[1, 2, 3], None);
        assert_eq!(cursor.u32("long"), None);
        assert!(cursor.part(4).is_none());
        assert_eq!((cursor.u8("short"), cursor.left()), (Some(1), 2));
    }
}
