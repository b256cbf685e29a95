use crate::ConfigSpace;

/// A space of zeros of this length, with some bytes written at offsets.
pub(crate) fn space(length: usize, writes: &[(usize, &[u8])]) -> ConfigSpace {
    let mut bytes = vec![0; length];
    for (offset, data) in writes {
        bytes[*offset..offset + data.len()].copy_from_slice(data);
    }
    ConfigSpace::new(bytes)
}

/// A function of 4096 bytes with one extended capability at 0x100, `registers` following its header.
pub(crate) fn extended(id: u16, registers: &[u8]) -> ConfigSpace {
    let [low, high] = id.to_le_bytes();
    space(4096, &[(0x100, &[low, high, 1, 0]), (0x104, registers)])
}

/// A function of 256 bytes with one conventional capability at 0x40, `registers` following id and pointer.
pub(crate) fn conventional(id: u8, registers: &[u8]) -> ConfigSpace {
    space(
        256,
        &[
            (0x06, &[0x10]),
            (0x34, &[0x40]),
            (0x40, &[id, 0]),
            (0x42, registers),
        ],
    )
}
