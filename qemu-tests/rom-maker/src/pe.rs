use crate::bytes::{Bytes, field};
use crate::{Machine, Subsystem};

/// Alignment of sections in the file, and bytes that the headers take there.
const FILE_ALIGNMENT: usize = 0x200;
/// Alignment of sections in memory.
const SECTION_ALIGNMENT: usize = 0x1000;
const PE_OFFSET: usize = 0x40;
const DIRECTORIES: usize = 16;

/// A section's name, bytes, and flags (PE format, section flags).
struct Section<'a> {
    name: &'static [u8],
    bytes: &'a [u8],
    flags: u32,
}

/// QEMU's debug console (`isa-debugcon`).
const DEBUG_PORT: u8 = 0xe9;

/// Code that returns EFI_SUCCESS (zero), on x86 after it said `word`.
fn code(machine: Machine, word: &[u8]) -> Vec<u8> {
    match machine {
        Machine::Ia32 | Machine::X64 => {
            // mov al, byte; out port, al
            let say = |byte: &u8| [0xb0, *byte, 0xe6, DEBUG_PORT];
            let mut code: Vec<u8> = word.iter().flat_map(say).collect();
            // xor eax, eax; ret
            code.extend([0x31, 0xc0, 0xc3]);
            code
        }
        // mov x0, #0; ret
        Machine::Arm64 => vec![0x00, 0x00, 0x80, 0xd2, 0xc0, 0x03, 0x5f, 0xd6],
    }
}

/// A PE32+ file (PE32 for ia32) with one section of code and one of data. It has no base relocations
/// and needs none: a loader may put it anywhere.
pub(crate) fn driver(machine: Machine, subsystem: Subsystem, word: &[u8], data: &[u8]) -> Vec<u8> {
    let code = code(machine, word);
    let sections = [
        Section {
            name: b".text",
            bytes: &code,
            flags: 0x6000_0020,
        },
        Section {
            name: b".data",
            bytes: data,
            flags: 0xc000_0040,
        },
    ];
    let wide = machine != Machine::Ia32;
    let mut file = Bytes::default();
    file.put(0, b"MZ");
    file.u32(0x3c, field(PE_OFFSET));
    file.put(PE_OFFSET, b"PE\0\0");
    let coff = PE_OFFSET + 4;
    let optional = coff + 20;
    let directories = optional + if wide { 112 } else { 96 };
    let table = directories + 8 * DIRECTORIES;
    file.u16(coff, machine.number());
    file.u16(coff + 2, 2);
    file.u16(coff + 16, u16::try_from(table - optional).unwrap_or(0));
    // Executable image, line numbers stripped, and large addresses or 32 bits.
    file.u16(coff + 18, if wide { 0x0026 } else { 0x0106 });
    let memory_end = put_sections(&mut file, table, &sections);
    put_optional(&mut file, optional, wide);
    file.u32(
        optional + 0x04,
        field(code.len().next_multiple_of(FILE_ALIGNMENT)),
    );
    file.u32(optional + 0x08, field(data.len()));
    file.u32(optional + 0x38, field(memory_end));
    file.u16(optional + 0x44, subsystem.number());
    file.u32(directories - 4, field(DIRECTORIES));
    file.0
}

/// The fields of the optional header that do not depend on the sections' bytes.
fn put_optional(file: &mut Bytes, at: usize, wide: bool) {
    file.u16(at, if wide { 0x020b } else { 0x010b });
    file.u32(at + 0x10, field(SECTION_ALIGNMENT));
    file.u32(at + 0x14, field(SECTION_ALIGNMENT));
    file.u32(at + 0x20, field(SECTION_ALIGNMENT));
    file.u32(at + 0x24, field(FILE_ALIGNMENT));
    file.u32(at + 0x3c, field(FILE_ALIGNMENT));
}

/// Writes section table and sections; returns the size of the loaded image.
fn put_sections(file: &mut Bytes, table: usize, sections: &[Section<'_>]) -> usize {
    let mut address = SECTION_ALIGNMENT;
    let mut raw = FILE_ALIGNMENT;
    for (index, section) in sections.iter().enumerate() {
        let row = table + 40 * index;
        let stored = section.bytes.len().next_multiple_of(FILE_ALIGNMENT);
        file.put(row, &[0; 40]);
        file.put(row, section.name);
        file.u32(row + 8, field(section.bytes.len()));
        file.u32(row + 12, field(address));
        file.u32(row + 16, field(stored));
        file.u32(row + 20, field(raw));
        file.u32(row + 36, section.flags);
        file.put(raw, section.bytes);
        raw += stored;
        address += section
            .bytes
            .len()
            .max(1)
            .next_multiple_of(SECTION_ALIGNMENT);
    }
    if file.0.len() < raw {
        file.0.resize(raw, 0);
    }
    address
}
