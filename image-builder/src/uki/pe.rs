use super::UkiError;

/// Where the fields are that change: the PE header's place, and from there (Microsoft's PE format, "COFF File
/// Header", "Optional Header (Image Only)", "Section Table").
const PE_HEADER: usize = 0x3c;
const SECTIONS: usize = 6;
const OPTIONAL_LENGTH: usize = 20;
const OPTIONAL: usize = 24;
/// In the optional header of a 64-bit program.
const MAGIC: usize = 0;
const INITIALIZED: usize = 8;
const SECTION_ALIGNMENT: usize = 32;
const FILE_ALIGNMENT: usize = 36;
const IMAGE_LENGTH: usize = 56;
const HEADERS_LENGTH: usize = 60;
const CHECKSUM: usize = 64;
const CERTIFICATES: usize = 144;

/// Firmware gives memory its permissions page by page.
const PAGE: u32 = 0x1000;
const PE32_PLUS: u32 = 0x20b;
const SECTION_HEADER: usize = 40;
/// Initialised data that may be read.
const DATA: u32 = 0x4000_0040;
/// More than any stub has.
const MOST_SECTIONS: usize = 64;

/// A section to be added.
#[derive(Debug, Clone, Copy)]
pub struct Section<'a> {
    /// At most 8 letters.
    pub name: &'a str,
    /// What is in it.
    pub bytes: &'a [u8],
}

/// The program with these sections behind its own, in memory as in the file.
///
/// # Errors
/// When it is no program for 64-bit UEFI, when it is signed already, or its headers have no room.
pub fn with_sections(stub: &[u8], sections: &[Section<'_>]) -> Result<Vec<u8>, UkiError> {
    let mut image = Image::parse(stub)?;
    for section in sections {
        image.add(section)?;
    }
    Ok(image.bytes)
}

struct Image {
    bytes: Vec<u8>,
    /// The optional header's place.
    optional: usize,
    pe: usize,
    /// Of the section table.
    table: usize,
    section_alignment: u32,
    file_alignment: u32,
}

impl Image {
    fn parse(stub: &[u8]) -> Result<Self, UkiError> {
        let wrong = |why| UkiError::Stub { why };
        let field = |at| number(stub, at).ok_or(wrong("it is cut off"));
        let pe = field(PE_HEADER)? as usize;
        let signature = stub.get(pe..).and_then(|rest| rest.first_chunk::<4>());
        if signature != Some(b"PE\0\0") {
            return Err(wrong("it is no program for UEFI"));
        }
        let optional = pe + OPTIONAL;
        if field(optional + MAGIC)? & 0xffff != PE32_PLUS {
            return Err(wrong("it is not for 64 bits"));
        }
        if field(optional + CERTIFICATES)? != 0 {
            return Err(wrong("it is signed, and would not be any more"));
        }
        let aligned = |alignment: u32| alignment.is_power_of_two() && alignment <= 1 << 20;
        let section_alignment = field(optional + SECTION_ALIGNMENT)?.max(PAGE);
        let file_alignment = field(optional + FILE_ALIGNMENT)?;
        if !aligned(section_alignment) || !aligned(file_alignment) {
            return Err(wrong("its alignment is none"));
        }
        let length = (field(pe + OPTIONAL_LENGTH)? & 0xffff) as usize;
        Ok(Self {
            bytes: stub.to_vec(),
            optional,
            pe,
            table: optional + length,
            section_alignment,
            file_alignment,
        })
    }

    fn add(&mut self, section: &Section<'_>) -> Result<(), UkiError> {
        let full = |why| UkiError::Stub { why };
        let cut = full("it is cut off");
        let count = number(&self.bytes, self.pe + SECTIONS).ok_or(cut)? & 0xffff;
        let header = self.table + count as usize * SECTION_HEADER;
        let headers = self.get(HEADERS_LENGTH)? as usize;
        if count as usize >= MOST_SECTIONS
            || header + SECTION_HEADER > headers.min(self.bytes.len())
        {
            return Err(full("its headers have no room for one more section"));
        }
        let length = u32::try_from(section.bytes.len()).map_err(|_| UkiError::TooLarge)?;
        let end = self.end(count as usize)?;
        let address = end
            .checked_next_multiple_of(self.section_alignment)
            .ok_or(UkiError::TooLarge)?;
        let raw = length
            .checked_next_multiple_of(self.file_alignment)
            .ok_or(UkiError::TooLarge)?;
        let start = self
            .bytes
            .len()
            .next_multiple_of(self.file_alignment as usize);
        let pointer = u32::try_from(start).map_err(|_| UkiError::TooLarge)?;
        let image = address
            .checked_add(length)
            .and_then(|end| end.checked_next_multiple_of(self.section_alignment));
        let image = image.ok_or(UkiError::TooLarge)?;

        let mut name = [0; 8];
        for (place, letter) in name.iter_mut().zip(section.name.bytes()) {
            *place = letter;
        }
        let [low, high, ..] = name.as_chunks::<4>().0 else {
            return Err(UkiError::TooLarge);
        };
        let words = [
            u32::from_le_bytes(*low),
            u32::from_le_bytes(*high),
            length,
            address,
            raw,
            pointer,
        ];
        for (number, word) in words.into_iter().enumerate() {
            self.put(header + number * 4, word)?;
        }
        self.put(header + 36, DATA)?;
        let initialized = self.get(INITIALIZED)?.saturating_add(raw);
        let counted = number(&self.bytes, self.pe + SECTIONS).unwrap_or_default();
        self.put(self.pe + SECTIONS, counted & !0xffff | (count + 1))?;
        self.put(self.optional + INITIALIZED, initialized)?;
        self.put(self.optional + IMAGE_LENGTH, image)?;
        // UEFI reads none, and a wrong one is worse.
        self.put(self.optional + CHECKSUM, 0)?;
        self.bytes.resize(start, 0);
        self.bytes.extend_from_slice(section.bytes);
        self.bytes.resize(start + raw as usize, 0);
        Ok(())
    }

    /// The end of the last section in memory.
    fn end(&self, count: usize) -> Result<u32, UkiError> {
        let mut end = 0;
        for section in 0..count {
            let header = self.table + section * SECTION_HEADER;
            let field = |at| number(&self.bytes, header + at);
            let (Some(length), Some(address), Some(raw)) = (field(8), field(12), field(16)) else {
                return Err(UkiError::Stub {
                    why: "it is cut off",
                });
            };
            let last = address
                .checked_add(length.max(raw))
                .ok_or(UkiError::TooLarge)?;
            end = last.max(end);
        }
        Ok(end)
    }

    fn get(&self, at: usize) -> Result<u32, UkiError> {
        number(&self.bytes, self.optional + at).ok_or(UkiError::Stub {
            why: "it is cut off",
        })
    }

    fn put(&mut self, at: usize, word: u32) -> Result<(), UkiError> {
        let place = self
            .bytes
            .get_mut(at..)
            .and_then(|rest| rest.first_chunk_mut::<4>());
        *place.ok_or(UkiError::Stub {
            why: "it is cut off",
        })? = word.to_le_bytes();
        Ok(())
    }
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..)?.first_chunk::<4>()?;
    Some(u32::from_le_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use goblin::pe::PE;
    use proptest::prelude::*;

    use super::*;
    use crate::inspect::{Content, is_unified, recognize};

    /// The smallest of stubs: one section of code and room in the headers.
    fn stub() -> Vec<u8> {
        let mut bytes = vec![0; 0x600];
        let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
        put(0, b"MZ");
        put(PE_HEADER, &0x40_u32.to_le_bytes());
        put(0x40, b"PE\0\0\x64\x86\x01\0");
        put(0x40 + OPTIONAL_LENGTH, &240_u16.to_le_bytes());
        let optional = 0x40 + OPTIONAL;
        for (at, value) in [
            (MAGIC, PE32_PLUS),
            (SECTION_ALIGNMENT, 0x1000),
            (FILE_ALIGNMENT, 0x200),
            (IMAGE_LENGTH, 0x2000),
            (HEADERS_LENGTH, 0x400),
            // For UEFI applications.
            (68, 10),
            (108, 16),
        ] {
            put(optional + at, &value.to_le_bytes());
        }
        let section = optional + 240;
        put(section, b".text\0\0\0");
        for (number, value) in [0x180_u32, 0x1000, 0x200, 0x400].into_iter().enumerate() {
            put(section + 8 + number * 4, &value.to_le_bytes());
        }
        bytes
    }

    #[test]
    fn sections_lie_behind_one_another_in_memory_and_in_the_file() {
        let initrd = vec![7; 5000];
        let sections = [
            Section {
                name: ".cmdline",
                bytes: b"quiet",
            },
            Section {
                name: ".initrd",
                bytes: &initrd,
            },
        ];
        let made = with_sections(&stub(), &sections).unwrap();
        let pe = PE::parse(&made).unwrap();
        let found: Vec<_> = pe
            .sections
            .iter()
            .map(|section| section.name().unwrap())
            .collect();
        assert_eq!(found, [".text", ".cmdline", ".initrd"]);
        let places: Vec<_> = pe
            .sections
            .iter()
            .map(|section| section.virtual_address)
            .collect();
        assert_eq!(places, [0x1000, 0x2000, 0x3000]);
        let at = pe.sections[2].pointer_to_raw_data as usize;
        assert!(made[at..at + 5000] == initrd);
        let optional = pe.header.optional_header.unwrap();
        assert_eq!(optional.windows_fields.size_of_image, 0x5000);
    }

    #[test]
    fn a_stub_without_room_or_with_a_signature_is_refused() {
        let many = [Section {
            name: ".more",
            bytes: b"",
        }; 20];
        assert!(
            with_sections(&stub(), &many)
                .unwrap_err()
                .to_string()
                .contains("room")
        );
        let mut signed = stub();
        signed[0x40 + OPTIONAL + CERTIFICATES] = 1;
        assert!(
            with_sections(&signed, &[])
                .unwrap_err()
                .to_string()
                .contains("signed")
        );
        assert!(with_sections(b"MZ", &[]).is_err());
    }

    #[test]
    fn what_is_put_together_is_seen_again() {
        let cmdline = Section {
            name: ".cmdline",
            bytes: b"quiet\0",
        };
        let linux = Section {
            name: ".linux",
            bytes: b"no kernel",
        };
        let made = with_sections(&stub(), &[cmdline, linux]).unwrap();
        let Some(Content::EfiProgram(program)) = recognize(&made) else {
            panic!("it is a program for UEFI");
        };
        assert!(!is_unified(&made), "there is no kernel in it");
        let unified = program.unified.unwrap();
        assert_eq!(unified.command_line.as_deref(), Some("quiet"));
        assert_eq!(
            (unified.kernel, unified.initramfs, unified.system),
            (None, None, None)
        );
    }

    #[test]
    fn a_program_with_a_kernel_and_an_initramfs_is_a_unified_kernel_image() {
        let mut kernel = vec![0; 0x400];
        kernel[0x202..0x206].copy_from_slice(b"HdrS");
        let [linux, initrd, text] = [
            (".linux", kernel.as_slice()),
            (".initrd", b"070701"),
            (".initrd", b"a text"),
        ]
        .map(|(name, bytes)| Section { name, bytes });
        let is = |sections: &[Section]| is_unified(&with_sections(&stub(), sections).unwrap());
        assert!(is(&[initrd, linux]));
        assert!(!is(&[linux]) && !is(&[initrd]) && !is(&[text, linux]) && !is(&[]));
        assert!(!is_unified(&kernel));
    }

    proptest! {
        #[test]
        fn a_damaged_unified_image_is_shown_or_refused(
            damage in proptest::collection::vec((0_usize..0x1000, any::<u8>()), 0..30),
        ) {
            let section = |name, bytes| Section { name, bytes };
            let sections = [
                section(".sbat", b"sbat,1,SBAT Version\n".as_slice()),
                section(".osrel", b"NAME=x\n"),
                section(".linux", &[1; 700]),
                section(".initrd", b"070701"),
            ];
            let mut made = with_sections(&stub(), &sections).unwrap();
            for (at, byte) in damage {
                if let Some(place) = made.get_mut(at) {
                    *place = byte;
                }
            }
            let _ = recognize(&made);
        }

        #[test]
        fn a_damaged_stub_is_refused_or_taken_and_never_ends_the_program(
            damage in proptest::collection::vec((0_usize..0x600, any::<u8>()), 0..20),
            length in 0_usize..0x600,
        ) {
            let mut bytes = stub();
            for (at, byte) in damage {
                bytes[at] = byte;
            }
            bytes.truncate(length.max(0x100));
            let section = Section { name: ".linux", bytes: &[1; 700] };
            let _ = with_sections(&bytes, &[section, section]);
        }
    }
}
