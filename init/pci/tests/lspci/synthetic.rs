//! Functions with every typed capability and random registers, for what no dump at hand has.

use std::collections::BTreeMap;

use pci::{Address, ConfigSpace};

/// Marsaglia's xorshift: the same functions in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() >> 8).unwrap() % end
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    fn fill(&mut self, bytes: &mut [u8]) {
        bytes.fill_with(|| self.next().to_be_bytes()[0]);
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let other = self.below(last + 1);
            items.swap(last, other);
        }
    }
}

/// Sets bits of the little-endian word of four bytes at `offset`.
fn set(bytes: &mut [u8], offset: usize, mask: u32, value: u32) {
    let word: &mut [u8; 4] = (&mut bytes[offset..offset + 4]).try_into().unwrap();
    *word = (u32::from_le_bytes(*word) & !mask | value & mask).to_le_bytes();
}

/// Offset and id of each conventional capability; they stand close together.
const CONVENTIONAL: [(usize, u8); 6] = [
    (0x40, 0x01),
    (0x48, 0x05),
    (0x60, 0x13),
    (0x68, 0x09),
    (0x78, 0x10),
    (0xb4, 0x11),
];

/// Id and length of each extended capability.
const EXTENDED: [(u16, usize); 18] = [
    (0x01, 0x48),
    (0x02, 0x70),
    (0x03, 0x0c),
    (0x0b, 0x10),
    (0x0d, 0x28),
    (0x0e, 0x08),
    (0x0f, 0x08),
    (0x10, 0x40),
    (0x13, 0x10),
    (0x15, 0x34),
    (0x18, 0x08),
    (0x19, 0x10),
    (0x1b, 0x08),
    (0x1d, 0x0c),
    (0x1e, 0x10),
    (0x1f, 0x0c),
    (0x23, 0x10),
    (0x24, 0x34),
];

pub fn functions(count: u16) -> BTreeMap<Address, ConfigSpace> {
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    (0..count)
        .map(|number| {
            let [bus, device_function] = number.wrapping_mul(5).to_be_bytes();
            let address = Address {
                domain: 0,
                bus,
                device: device_function >> 3,
                function: device_function & 7,
            };
            (address, function(&mut random))
        })
        .collect()
}

fn function(random: &mut Random) -> ConfigSpace {
    let mut bytes = vec![0; 4096];
    header(random, &mut bytes);
    conventional(random, &mut bytes);
    extended(random, &mut bytes);
    ConfigSpace::new(bytes)
}

fn header(random: &mut Random, bytes: &mut [u8]) {
    random.fill(&mut bytes[..0x40]);
    bytes[0..4].copy_from_slice(&[0x34, 0x12, 0x78, 0x56]);
    bytes[0x06] |= 0x10;
    // lspci leaves out what a running self test makes unreliable.
    bytes[0x0f] = 0;
    let (kind, class): (u8, u8) = random.pick(&[(0, 0x80), (1, 0x04), (2, 0x07)]);
    bytes[0x0b] = 0x06;
    bytes[0x0a] = class;
    bytes[0x0e] = kind | random.pick(&[0x00, 0x80]);
    let registers = [6, 2, 1][usize::from(kind)];
    for register in 0..registers {
        // 64 bits need an upper half, and the types are those that are assigned.
        let types: &[u32] = if register + 1 < registers {
            &[0, 1, 2, 4, 8, 12]
        } else {
            &[0, 1, 2, 8]
        };
        set(bytes, 0x10 + 4 * register, 0xf, random.pick(types));
    }
    match kind {
        0 => set(bytes, 0x30, 1, 0),
        1 => bridge(random, bytes),
        _ => cardbus(random, bytes),
    }
    bytes[if kind == 2 { 0x14 } else { 0x34 }] = 0;
    // Of pins above four lspci prints letters of its own.
    bytes[0x3d] = u8::try_from(random.below(5)).unwrap();
}

fn bridge(random: &mut Random, bytes: &mut [u8]) {
    let io = random.pick(&[0, 0x0101]);
    set(bytes, 0x1c, 0x0f0f, io);
    set(bytes, 0x20, 0x000f_000f, 0);
    let prefetchable = random.pick(&[0, 0x0001_0001]);
    set(bytes, 0x24, 0x000f_000f, prefetchable);
}

fn cardbus(random: &mut Random, bytes: &mut [u8]) {
    for window in [0x1c, 0x24] {
        let base = u32::try_from(random.below(0x8_0000)).unwrap() << 12;
        set(bytes, window, !0, base);
        set(bytes, window + 4, !0, base + 0x10_0000);
    }
    for window in [0x2c, 0x34] {
        let kind = random.pick(&[0, 1]);
        let base = u32::try_from(random.below(0x3000)).unwrap() << 2;
        set(bytes, window, !0, base | kind);
        set(bytes, window + 4, !0, base + 0x100);
    }
}

fn conventional(random: &mut Random, bytes: &mut [u8]) {
    let mut order = CONVENTIONAL;
    random.shuffle(&mut order);
    random.fill(&mut bytes[0x40..0xc0]);
    let mut pointer = if bytes[0x0e] & 0x7f == 2 { 0x14 } else { 0x34 };
    for (offset, id) in order {
        bytes[pointer] = u8::try_from(offset).unwrap() | random.pick(&[0, 3]);
        bytes[offset] = id;
        pointer = offset + 1;
    }
    bytes[pointer] = 0;
    // What has a length of its own, and values that the specification does not assign.
    bytes[0x68 + 2] = 0x10;
    set(bytes, 0x78, 0x000f_0000, random.pick(&[1, 2]) << 16);
    let kind = random.pick(&[0, 1, 4, 5, 6, 7, 8, 9, 10]);
    set(bytes, 0x78, 0x00f0_0000, kind << 20);
    set(bytes, 0x78 + 0x04, 0x7, random.pick(&[0, 1, 5]));
    set(bytes, 0x78 + 0x08, 0x7000, 0x2000);
}

fn extended(random: &mut Random, bytes: &mut [u8]) {
    let mut order = EXTENDED;
    random.shuffle(&mut order);
    let mut offset = 0x100;
    for (number, (id, length)) in order.into_iter().enumerate() {
        let registers = &mut bytes[offset..offset + length];
        random.fill(registers);
        let version = u32::try_from(1 + random.below(15)).unwrap();
        let next = if number + 1 < order.len() {
            offset + length
        } else {
            0
        };
        let header = u32::from(id) | version << 16 | u32::try_from(next).unwrap() << 20;
        set(registers, 0, !0, header);
        restrict(random, id, registers);
        offset += length;
    }
}

/// Keeps lengths to what is there, and values to those that the specification assigns: of others lspci
/// prints what it likes.
fn restrict(random: &mut Random, id: u16, registers: &mut [u8]) {
    match id {
        0x0b => set(registers, 4, 0xfff0_0000, 0x0100_0000),
        0x23 => {
            set(registers, 4, 0xffff, 0x1234);
            set(registers, 4, 0xfff0_0000, 0x0100_0000);
        }
        0x10 => {
            for register in 0..6 {
                let types: &[u32] = if register < 5 {
                    &[0, 4, 8, 12]
                } else {
                    &[0, 8]
                };
                set(registers, 0x24 + 4 * register, 0xf, random.pick(types));
            }
        }
        0x15 | 0x24 => {
            let count = u32::try_from(1 + random.below(6)).unwrap();
            for entry in 0..6 {
                let size = u32::try_from(random.below(44)).unwrap();
                let index = u32::try_from(entry).unwrap();
                set(
                    registers,
                    8 + 8 * entry,
                    0x3fff,
                    size << 8 | count << 5 | index,
                );
            }
        }
        0x18 => {
            set(registers, 4, 0x1c00_1c00, 0);
            let (snoop, no_snoop) = (random.below(6), random.below(6));
            let scales = u32::try_from(snoop << 10 | no_snoop << 26).unwrap();
            set(registers, 4, 0x1c00_1c00, scales);
        }
        _ => {}
    }
}
