/// Unit of every length in a ROM's headers, and the boundary that images start on.
pub(crate) const BLOCK: usize = 512;

/// Bytes that are written by offset.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bytes(pub(crate) Vec<u8>);

impl Bytes {
    /// Puts `data` at `offset`, and zeros before it where nothing is yet.
    pub(crate) fn put(&mut self, offset: usize, data: &[u8]) {
        let end = offset + data.len();
        if self.0.len() < end {
            self.0.resize(end, 0);
        }
        for (old, new) in self.0.iter_mut().skip(offset).zip(data) {
            *old = *new;
        }
    }

    /// Puts a little-endian 16-bit number at `offset`.
    pub(crate) fn u16(&mut self, offset: usize, value: u16) {
        self.put(offset, &value.to_le_bytes());
    }

    /// Puts a little-endian 32-bit number at `offset`.
    pub(crate) fn u32(&mut self, offset: usize, value: u32) {
        self.put(offset, &value.to_le_bytes());
    }
}

/// `length` in blocks, as header fields have it; what does not fit the field is the largest number.
pub(crate) fn blocks(length: usize) -> u16 {
    u16::try_from(length.div_ceil(BLOCK)).unwrap_or(u16::MAX)
}

/// `value` as a 32-bit field; what does not fit is the largest number.
pub(crate) fn field(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

/// `length` bytes that look like code and are the same for the same seed (xorshift64*). No byte is
/// 0x55, so no signature is among them.
pub(crate) fn filler(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed ^ 0x9e37_79b9_7f4a_7c15;
    if state == 0 {
        state = 1;
    }
    let mut next = || {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        let [.., byte] = state.wrapping_mul(0x2545_f491_4f6c_dd1d).to_le_bytes();
        if byte == 0x55 { 0x5a } else { byte }
    };
    (0..length).map(|_| next()).collect()
}
