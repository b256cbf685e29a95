//! Hexadecimal digits without the formatting machinery: a report of a large machine holds tens of thousands of
//! addresses and ids.

/// The lower-case digit of a number below 16.
pub(crate) fn digit(value: u8) -> u8 {
    match value {
        0..10 => b'0' + value,
        _ => (b'a' - 10).wrapping_add(value),
    }
}

/// Writes a byte as two digits. A place outside of the text is left alone.
pub(crate) fn put(text: &mut [u8], place: usize, byte: u8) {
    if let Some(pair) = text.get_mut(place..place + 2) {
        pair.copy_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
    }
}
