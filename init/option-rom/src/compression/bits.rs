/// Bits to write, the most significant of each field first.
#[derive(Default)]
pub(super) struct BitWriter {
    bytes: Vec<u8>,
    pending: u32,
    filled: usize,
}

impl BitWriter {
    /// Appends the lowest `width` bits of `value`, at most 16.
    pub(super) fn put(&mut self, value: usize, width: usize) {
        let mask = (1_u32 << width.min(16)) - 1;
        let value = u32::try_from(value & 0xffff).unwrap_or(0) & mask;
        self.pending = (self.pending << width) | value;
        self.filled += width;
        while self.filled >= 8 {
            self.filled -= 8;
            let [low, ..] = (self.pending >> self.filled).to_le_bytes();
            self.bytes.push(low);
        }
    }

    /// All bytes; the last is filled up with zeros.
    pub(super) fn finish(mut self) -> Vec<u8> {
        if self.filled > 0 {
            self.put(0, 8 - self.filled);
        }
        self.bytes
    }
}

/// Bits to read. Behind the end they are zero, and [`BitReader::is_over`] tells.
pub(super) struct BitReader<'a> {
    bytes: &'a [u8],
    /// In bits.
    at: usize,
}

impl<'a> BitReader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// The next 16 bits, which stay.
    pub(super) fn peek(&self) -> usize {
        let rest = self.bytes.get(self.at / 8..).unwrap_or_default();
        let three = match rest {
            [first, second, third, ..] => [0, *first, *second, *third],
            [first, second] => [0, *first, *second, 0],
            [first] => [0, *first, 0, 0],
            [] => [0; 4],
        };
        let ahead = u32::from_be_bytes(three) >> (8 - self.at % 8);
        (ahead & 0xffff) as usize
    }

    /// Leaves out so many bits.
    pub(super) fn skip(&mut self, width: usize) {
        self.at += width;
    }

    /// Reads a field of at most 16 bits.
    pub(super) fn take(&mut self, width: usize) -> usize {
        let value = self.peek() >> (16 - width.min(16));
        self.skip(width);
        value
    }

    /// Whether more was read than is there.
    pub(super) fn is_over(&self) -> bool {
        self.at > self.bytes.len() * 8
    }
}
