use hardware::{RomReading, RomSource};

use super::address;

/// A clean reading of this function's ROM BAR.
pub(crate) fn rom_reading(place: &str, bytes: Vec<u8>) -> RomReading {
    RomReading {
        address: address(place),
        source: RomSource::Sysfs,
        taint: None,
        bytes: Ok(bytes),
        not_restored: Vec::new(),
    }
}

/// An x86 image alone, 1 KiB, whole and with the right sum, for the id of [`super::function`].
pub(crate) fn legacy_rom() -> Vec<u8> {
    image(0, true)
}

/// An x86 image and an EFI image.
pub(crate) fn whole_rom() -> Vec<u8> {
    let mut rom = image(0, false);
    rom.extend(image(3, true));
    rom
}

/// A PE32+ file of headers alone: x64 boot service driver, 0x200 bytes of headers, 0x1000 in memory.
const PE_FILE: [(usize, &[u8]); 9] = [
    (0x00, b"MZ"),
    (0x3c, &[0x40]),
    (0x40, b"PE\0\0\x64\x86"),
    (0x54, &[0xf0]),
    (0x58, &[0x0b, 0x02]),
    (0x90, &[0, 0x10]),
    (0x94, &[0, 0x02]),
    (0x9c, &[0x0b]),
    (0xc4, &[16]),
];

fn image(code_type: u8, last: bool) -> Vec<u8> {
    const PCIR: usize = 0x40;
    let mut bytes = vec![0; 1024];
    let mut put = |offset: usize, data: &[u8]| {
        bytes[offset..offset + data.len()].copy_from_slice(data);
    };
    put(0, &[0x55, 0xaa, 2]);
    put(0x18, &[0x40, 0]);
    put(PCIR, b"PCIR");
    put(PCIR + 4, &[0x02, 0x10, 0x46, 0x50]);
    put(PCIR + 0x0a, &[0x18, 0, 0, 0, 0, 0x03, 2, 0]);
    put(PCIR + 0x14, &[code_type, if last { 0x80 } else { 0 }]);
    if code_type == 3 {
        put(2, &[2, 0, 0xf1, 0x0e, 0, 0, 0x0b, 0, 0x64, 0x86, 0, 0]);
        put(0x16, &[0x80, 0]);
        for (offset, data) in PE_FILE {
            put(0x80 + offset, data);
        }
    } else {
        let sum = bytes.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
        bytes[1023] = sum.wrapping_neg();
    }
    bytes
}
