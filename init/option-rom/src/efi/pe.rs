use goblin::pe::header::Header;

use crate::fields::u32_at;

/// `PE\0\0`.
const PE_SIGNATURE: u32 = 0x0000_4550;
/// Bytes of the PE signature and the COFF header.
const PE_HEADER_LENGTH: usize = 4 + 20;
/// Bytes of one row of the section table.
const SECTION_LENGTH: usize = 40;
/// The Windows loader takes no more.
const MAX_SECTIONS: u16 = 96;

/// What a PE file says that an EFI image's header says, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PeFacts {
    pub(crate) machine: u16,
    pub(crate) subsystem: u16,
}

impl PeFacts {
    /// Reads the headers and checks what EDK2's loader checks (MdePkg/Library/BasePeCoffLib): headers and
    /// sections lie within the file, and in memory within the image. We go to the PE header and through
    /// the section table by ourselves: goblin's whole-file parser follows more pointers than firmware
    /// does, and refuses files whose DOS stub it does not understand. An error is half a sentence.
    pub(crate) fn read(file: &[u8]) -> Result<Self, String> {
        if !file.starts_with(b"MZ") {
            return Err("the driver does not start with MZ".to_owned());
        }
        let start = u32_at(file, 0x3c).and_then(|start| usize::try_from(start).ok());
        let headers = start
            .and_then(|start| file.get(start..))
            .ok_or("the PE header lies outside the image")?;
        let header = Header::parse_without_dos(headers)
            .map_err(|error| format!("the PE header cannot be read ({error})"))?;
        if header.signature != PE_SIGNATURE {
            return Err("the PE signature is missing".to_owned());
        }
        let optional = header
            .optional_header
            .ok_or("the PE file has no optional header")?;
        let windows = optional.windows_fields;
        let memory = windows.size_of_image;
        if u64::from(windows.size_of_headers) > file.len() as u64
            || windows.size_of_headers >= memory
        {
            return Err(format!(
                "its headers have {:#x} bytes, the driver {:#x} and {memory:#x} in memory",
                windows.size_of_headers,
                file.len()
            ));
        }
        let entry = optional.standard_fields.address_of_entry_point;
        if entry >= memory {
            return Err(format!(
                "the entry point is {entry:#x}, outside the {memory:#x} bytes in memory"
            ));
        }
        let coff = header.coff_header;
        if coff.number_of_sections > MAX_SECTIONS {
            let count = coff.number_of_sections;
            return Err(format!("{count} sections are more than a PE file can have"));
        }
        let table = PE_HEADER_LENGTH + usize::from(coff.size_of_optional_header);
        let length = usize::from(coff.number_of_sections) * SECTION_LENGTH;
        let rows = headers
            .get(table..table + length)
            .ok_or("the section table lies outside the driver")?;
        for row in rows.chunks_exact(SECTION_LENGTH) {
            check_section(row, file.len(), memory)?;
        }
        Ok(Self {
            machine: coff.machine,
            subsystem: windows.subsystem,
        })
    }
}

/// Sizes and places of one section: VirtualSize, VirtualAddress, SizeOfRawData, PointerToRawData.
fn check_section(row: &[u8], file: usize, memory: u32) -> Result<(), String> {
    let field = |offset| u64::from(u32_at(row, offset).unwrap_or(0));
    let memory_end = field(12) + field(8);
    if memory_end > memory.into() {
        return Err(format!(
            "a section ends at {memory_end:#x} in memory, the driver at {memory:#x}"
        ));
    }
    let end = field(20) + field(16);
    if field(16) > 0 && end > file as u64 {
        return Err(format!(
            "a section ends at {end:#x}, the driver at {file:#x}"
        ));
    }
    Ok(())
}
