/// The byte at `offset`.
pub(crate) fn u8_at(bytes: &[u8], offset: usize) -> Option<u8> {
    bytes.get(offset).copied()
}

/// The little-endian 16-bit field at `offset`, if all of it is there.
pub(crate) fn u16_at(bytes: &[u8], offset: usize) -> Option<u16> {
    let field = bytes.get(offset..offset.checked_add(2)?)?;
    Some(u16::from_le_bytes(field.try_into().ok()?))
}

/// The little-endian 32-bit field at `offset`, if all of it is there.
pub(crate) fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    let field = bytes.get(offset..offset.checked_add(4)?)?;
    Some(u32::from_le_bytes(field.try_into().ok()?))
}

/// A length that the specification counts in units of 512 bytes.
pub(crate) fn units(count: u16) -> usize {
    usize::from(count) * 512
}

/// Whether every byte is `fill`. Compares by blocks, which the compiler makes wide: dumps end in
/// megabytes of padding.
pub(crate) fn is_filled(bytes: &[u8], fill: u8) -> bool {
    bytes
        .chunks(4096)
        .all(|block| block.iter().fold(0, |seen, byte| seen | (byte ^ fill)) == 0)
}
