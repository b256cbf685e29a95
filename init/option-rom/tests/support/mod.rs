//! Builds ROM images by the tables of the specifications, apart from the code under test.
#![allow(clippy::indexing_slicing, clippy::cast_possible_truncation)]
#![allow(dead_code, reason = "each test file uses a part of it")]

use option_rom::{ProblemId, Rom};

/// PCIR starts here in every image built.
pub const PCIR: usize = 0x40;
/// The next 16-byte boundary behind a PCIR of 0x1c bytes.
pub const NPDE: usize = 0x60;
/// The PE file of an EFI image starts here.
pub const PE: usize = 0x200;

/// One image, as its bytes.
#[derive(Clone)]
pub struct Built(pub Vec<u8>);

/// An image of type `kind` for 10de:0fc6, `units` times 512 bytes of something, with the last bit.
pub fn image(kind: u8, units: u16) -> Built {
    let length = usize::from(units) * 512;
    let mut bytes: Vec<u8> = (0..length).map(|at| (at * 7 % 251) as u8).collect();
    bytes[..PCIR].fill(0);
    bytes[..2].copy_from_slice(&[0x55, 0xaa]);
    bytes[2] = units.min(255) as u8;
    put16(&mut bytes, 0x18, PCIR as u16);
    bytes[PCIR..NPDE].fill(0);
    bytes[PCIR..PCIR + 4].copy_from_slice(b"PCIR");
    put16(&mut bytes, PCIR + 0x04, 0x10de);
    put16(&mut bytes, PCIR + 0x06, 0x0fc6);
    put16(&mut bytes, PCIR + 0x0a, 0x1c);
    bytes[PCIR + 0x0c] = 3;
    bytes[PCIR + 0x0f] = 3;
    put16(&mut bytes, PCIR + 0x10, units);
    bytes[PCIR + 0x14] = kind;
    bytes[PCIR + 0x15] = 0x80;
    Built(bytes).summed()
}

/// A type 0 image.
pub fn x86(units: u16) -> Built {
    image(0, units)
}

/// An EFI image with a small x64 boot service driver in it, not compressed.
pub fn efi(units: u16) -> Built {
    let mut built = image(3, units);
    let bytes = &mut built.0;
    bytes[4..8].copy_from_slice(&0x0ef1_u32.to_le_bytes());
    put16(bytes, 0x02, units);
    put16(bytes, 0x08, 0x0b);
    put16(bytes, 0x0a, 0x8664);
    put16(bytes, 0x16, PE as u16);
    let pe = pe_file(bytes.len() - PE);
    bytes[PE..].copy_from_slice(&pe);
    built
}

/// A PE32+ file with one section that reaches to its end.
pub fn pe_file(length: usize) -> Vec<u8> {
    let mut pe = vec![0; length];
    pe[..2].copy_from_slice(b"MZ");
    pe[0x3c] = 0x40;
    pe[0x40..0x44].copy_from_slice(b"PE\0\0");
    put16(&mut pe, 0x44, 0x8664);
    put16(&mut pe, 0x46, 1);
    put16(&mut pe, 0x54, 0xf0);
    put16(&mut pe, 0x58, 0x020b);
    let raw = 0x180_u32;
    let put32 = |pe: &mut Vec<u8>, at: usize, value: u32| {
        pe[at..at + 4].copy_from_slice(&value.to_le_bytes());
    };
    put32(&mut pe, 0x58 + 0x10, raw);
    put32(&mut pe, 0x58 + 0x38, length as u32);
    put32(&mut pe, 0x58 + 0x3c, raw);
    put16(&mut pe, 0x58 + 0x44, 0x0b);
    pe[0x58 + 0x6c] = 16;
    let section = 0x58 + 0xf0;
    pe[section..section + 5].copy_from_slice(b".text");
    for (offset, value) in [
        (8, length as u32 - raw),
        (12, raw),
        (16, length as u32 - raw),
        (20, raw),
    ] {
        put32(&mut pe, section + offset, value);
    }
    pe
}

impl Built {
    /// Clears the last bit of PCIR.
    pub fn not_last(mut self) -> Self {
        self.0[PCIR + 0x15] = 0;
        self.summed()
    }

    /// Sets the bytes at `offset`; the sum is left as it then is.
    pub fn with(mut self, offset: usize, bytes: &[u8]) -> Self {
        self.0[offset..offset + bytes.len()].copy_from_slice(bytes);
        self
    }

    /// Adds NVIDIA's extension with its own length and last bit.
    pub fn npde(mut self, units: u16, last: bool) -> Self {
        let length = usize::from(units) * 512;
        self.0[NPDE..NPDE + 0x10].fill(0);
        self.0[NPDE..NPDE + 4].copy_from_slice(b"NPDE");
        self.0[NPDE + 4] = 1;
        self.0[NPDE + 5] = 1;
        self.0[NPDE + 6] = 0x14;
        put16(&mut self.0, NPDE + 8, units);
        self.0[NPDE + 0x0a] = if last { 0x80 } else { 0 };
        self.0.truncate(length);
        self.0[2] = units.min(255) as u8;
        self.summed()
    }

    /// Adds a list of further device ids.
    pub fn devices(mut self, devices: &[u16]) -> Self {
        put16(&mut self.0, PCIR + 8, 0x100);
        let ids = devices.iter().chain(&[0]);
        for (index, id) in ids.enumerate() {
            put16(&mut self.0, PCIR + 0x100 + 2 * index, *id);
        }
        self.summed()
    }

    /// Makes one of NVIDIA's own images of it.
    pub fn vendor(self) -> Self {
        self.with(0, b"VN")
            .with(PCIR, b"NPDS")
            .with(PCIR + 0x14, &[0xe0])
    }

    /// Makes a type 0 image sum to zero by its byte 6, as most vendors do.
    pub fn summed(mut self) -> Self {
        if self.0[PCIR + 0x14] == 0 {
            self.0[6] = 0;
            let sum = self
                .0
                .iter()
                .fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
            self.0[6] = 0_u8.wrapping_sub(sum);
        }
        self
    }
}

pub fn put16(bytes: &mut [u8], offset: usize, value: u16) {
    bytes[offset..offset + 2].copy_from_slice(&value.to_le_bytes());
}

/// Images one behind the other.
pub fn chain(images: &[Built]) -> Vec<u8> {
    images.iter().flat_map(|image| image.0.clone()).collect()
}

/// A ROM as most graphics cards have one: x86, then EFI.
pub fn graphics_card() -> Vec<u8> {
    chain(&[x86(4).not_last(), efi(3)])
}

pub fn ids(rom: &Rom) -> Vec<ProblemId> {
    rom.problems.iter().map(|problem| problem.id).collect()
}
