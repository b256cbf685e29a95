use goblin::pe::header::Header;
use serde::{Deserialize, Serialize};

use crate::fields::{u16_at, u32_at, units};
use crate::{Image, Problem, ProblemId};

/// Fields of an EFI image's header (UEFI specification 2.10, 14.4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EfiHeader {
    /// PE machine: 0x8664 x64, 0xaa64 arm64, 0x014c ia32.
    pub machine: u16,
    /// PE subsystem: 0x0b boot service driver, 0x0c runtime driver.
    pub subsystem: u16,
    /// The PE file inside is compressed.
    pub compressed: bool,
    /// Where the PE file starts, in bytes from the start of the image.
    pub pe_offset: usize,
    /// Bytes of the image that hold code, by the header: the PE file ends within them.
    pub initialization_length: usize,
}

/// EFI_PCI_EXPANSION_ROM_HEADER_EFISIGNATURE at offset 4.
const EFI_SIGNATURE: u32 = 0x0ef1;
/// EFI_PCI_EXPANSION_ROM_HEADER_COMPRESSED: the compression of the UEFI specification, chapter 19.
const UEFI_COMPRESSION: u16 = 1;
/// `PE\0\0`.
const PE_SIGNATURE: u32 = 0x0000_4550;
/// The Windows loader takes no more, and each section costs us a look at its name.
const MAX_SECTIONS: u16 = 96;

/// PE machines that firmware is built for.
const MACHINES: [(u16, &str); 7] = [
    (0x014c, "ia32"),
    (0x0200, "ia64"),
    (0x01c2, "arm"),
    (0x0ebc, "ebc"),
    (0x5064, "riscv64"),
    (0x8664, "x64"),
    (0xaa64, "arm64"),
];

/// PE subsystems of EFI.
const SUBSYSTEMS: [(u16, &str); 3] = [
    (0x0a, "application"),
    (0x0b, "boot service driver"),
    (0x0c, "runtime driver"),
];

impl EfiHeader {
    /// The machine as the UEFI specification writes it; none for an unknown number.
    pub fn machine_name(&self) -> Option<&'static str> {
        name_of(&MACHINES, self.machine)
    }

    /// The subsystem in words; none for an unknown number.
    pub fn subsystem_name(&self) -> Option<&'static str> {
        name_of(&SUBSYSTEMS, self.subsystem)
    }

    /// Reads the header of an EFI image, and checks the driver behind it when all of `own`, the
    /// image's bytes, is there. None when the bytes end before the header does.
    pub(crate) fn read(own: &[u8], image: &Image, problems: &mut Vec<Problem>) -> Option<Self> {
        let compression = u16_at(own, 0x0c)?;
        let header = Self {
            subsystem: u16_at(own, 0x08)?,
            machine: u16_at(own, 0x0a)?,
            compressed: compression != 0,
            pe_offset: usize::from(u16_at(own, 0x16)?),
            initialization_length: units(u16_at(own, 0x02)?),
        };
        if own.len() < image.length {
            return Some(header);
        }
        let checked = header
            .driver(own, image, compression)
            .and_then(|driver| header.check_driver(driver));
        if let Err((id, what)) = checked {
            let detail = format!("{}: {what}.", image.place());
            problems.push(Problem { id, detail });
        }
        Some(header)
    }

    /// The bytes that hold the driver, by the checks that EDK2 makes before it loads one
    /// (MdeModulePkg/Bus/Pci/PciBusDxe/PciOptionRomSupport.c).
    fn driver<'a>(&self, own: &'a [u8], image: &Image, compression: u16) -> Checked<&'a [u8]> {
        let bad = |what: String| Err((ProblemId::EfiHeader, what));
        match u32_at(own, 0x04) {
            Some(EFI_SIGNATURE) => {}
            other => {
                let found = other.unwrap_or_default();
                return bad(format!("the EFI signature 0x0ef1 is {found:#06x}"));
            }
        }
        if compression > UEFI_COMPRESSION {
            return bad(format!("compression type {compression:#06x} is unknown"));
        }
        let longest = image.length.max(image.pcir.image_length);
        if self.initialization_length > longest {
            return bad(format!(
                "its header says {} bytes, and the image has {longest}",
                self.initialization_length
            ));
        }
        let end = self.initialization_length.min(own.len());
        match own.get(self.pe_offset..end) {
            Some(driver) if !driver.is_empty() => Ok(driver),
            _ => bad(format!(
                "the driver is said to start at {:#x}, behind the end at {end:#x}",
                self.pe_offset
            )),
        }
    }

    fn check_driver(&self, driver: &[u8]) -> Checked<()> {
        if self.compressed {
            return check_compressed(driver);
        }
        let pe = PeFacts::read(driver).map_err(|what| (ProblemId::EfiPe, what))?;
        if pe.machine != self.machine || pe.subsystem != self.subsystem {
            let what = format!(
                "the header says machine {:#06x} and subsystem {:#04x}, the PE file {:#06x} and \
                 {:#04x}",
                self.machine, self.subsystem, pe.machine, pe.subsystem
            );
            return Err((ProblemId::EfiMismatch, what));
        }
        Ok(())
    }
}

/// A problem is its id and the second half of a sentence.
type Checked<T> = Result<T, (ProblemId, String)>;

fn name_of(names: &[(u16, &'static str)], number: u16) -> Option<&'static str> {
    names
        .iter()
        .find(|(known, _)| *known == number)
        .map(|(_, name)| *name)
}

/// The two sizes that head compressed data (UEFI specification 2.10, 19.2): packed and unpacked.
fn check_compressed(driver: &[u8]) -> Checked<()> {
    let bad = |what: String| Err((ProblemId::EfiCompressed, what));
    let (Some(packed), Some(unpacked)) = (u32_at(driver, 0), u32_at(driver, 4)) else {
        return bad("the compressed driver is shorter than its own header".to_owned());
    };
    let there = driver.len().saturating_sub(8);
    if usize::try_from(packed).map_or(true, |packed| packed > there) {
        return bad(format!(
            "the compressed driver has {packed} bytes, and {there} are there"
        ));
    }
    if packed == 0 || unpacked == 0 {
        return bad("the compressed driver is empty".to_owned());
    }
    Ok(())
}

/// What a PE file says that an EFI header says, too.
struct PeFacts {
    machine: u16,
    subsystem: u16,
}

impl PeFacts {
    /// Reads the headers and checks that every section lies within `file`. We go to the PE header by
    /// ourselves: goblin's whole-file parser follows more pointers than firmware does, and refuses
    /// files whose DOS stub it does not understand.
    fn read(file: &[u8]) -> Result<Self, String> {
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
        let coff = header.coff_header;
        if coff.number_of_sections > MAX_SECTIONS {
            let count = coff.number_of_sections;
            return Err(format!("{count} sections are more than a PE file can have"));
        }
        let mut at = PE_HEADER_LENGTH + usize::from(coff.size_of_optional_header);
        let sections = coff
            .sections(headers, &mut at)
            .map_err(|error| format!("the section table cannot be read ({error})"))?;
        for section in sections {
            let end = u64::from(section.pointer_to_raw_data) + u64::from(section.size_of_raw_data);
            if end > file.len() as u64 {
                let there = file.len();
                return Err(format!(
                    "a section ends at {end:#x}, the driver at {there:#x}"
                ));
            }
        }
        Ok(Self {
            machine: coff.machine,
            subsystem: optional.windows_fields.subsystem,
        })
    }
}

/// The PE signature and the COFF header.
const PE_HEADER_LENGTH: usize = 4 + 20;
