mod pe;

use serde::{Deserialize, Serialize};

pub(crate) use pe::PeFacts;

use crate::compression::{self, DecompressError, Sizes};
use crate::fields::{u16_at, u32_at, units};
use crate::work::Work;
use crate::{Image, ProblemId};

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
    /// Bytes of the PE file, when it is compressed and could be unpacked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unpacked_length: Option<usize>,
}

/// EFI_PCI_EXPANSION_ROM_HEADER_EFISIGNATURE at offset 4.
const EFI_SIGNATURE: u32 = 0x0ef1;
/// EFI_PCI_EXPANSION_ROM_HEADER_COMPRESSED: the compression of the UEFI specification, chapter 19.
const UEFI_COMPRESSION: u16 = 1;
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
    pub(crate) fn read(own: &[u8], image: &Image, work: &mut Work) -> Option<Self> {
        let compression = u16_at(own, 0x0c)?;
        let mut header = Self {
            subsystem: u16_at(own, 0x08)?,
            machine: u16_at(own, 0x0a)?,
            compressed: compression != 0,
            pe_offset: usize::from(u16_at(own, 0x16)?),
            initialization_length: units(u16_at(own, 0x02)?),
            unpacked_length: None,
        };
        if own.len() < image.length {
            return Some(header);
        }
        let checked = header
            .driver(own, image, compression)
            .and_then(|driver| header.check_driver(driver, work));
        if let Err((id, what)) = checked {
            work.report(id, format!("{}: {what}.", image.place()));
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

    fn check_driver(&mut self, driver: &[u8], work: &mut Work) -> Checked<()> {
        if !self.compressed {
            return self.check_pe(driver);
        }
        let unpacked = unpack(driver, work)?;
        self.unpacked_length = Some(unpacked.len());
        self.check_pe(&unpacked)
    }

    fn check_pe(&self, file: &[u8]) -> Checked<()> {
        let pe = PeFacts::read(file).map_err(|what| (ProblemId::EfiPe, what))?;
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

/// The driver as firmware would unpack it. What it says to need is taken from what this ROM may take,
/// before anything is unpacked: a few bytes can say a lot.
fn unpack(driver: &[u8], work: &mut Work) -> Checked<Vec<u8>> {
    let bad = |error: DecompressError| (ProblemId::EfiCompressed, error.to_string());
    let Sizes { unpacked, .. } = Sizes::read(driver).map_err(bad)?;
    let most = work.unpack_left();
    if unpacked > most {
        let error = DecompressError::Large { unpacked, most };
        return Err((ProblemId::EfiUnchecked, error.to_string()));
    }
    work.spend(unpacked);
    let mut steps = 0;
    let result = compression::decompress_counted(driver, most, &mut steps);
    work.count(steps);
    result.map_err(bad)
}
