use std::cmp::Reverse;

/// Who made the processors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Vendor {
    /// Intel.
    Intel,
    /// AMD.
    Amd,
}

impl Vendor {
    /// Where the kernel looks for it (Documentation/arch/x86/microcode.rst).
    pub fn path(self) -> &'static str {
        match self {
            Self::Intel => "kernel/x86/microcode/GenuineIntel.bin",
            Self::Amd => "kernel/x86/microcode/AuthenticAMD.bin",
        }
    }

    /// As people call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Intel => "Intel",
            Self::Amd => "AMD",
        }
    }
}

/// Updates of one vendor, one behind the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blob {
    /// For whose processors.
    pub vendor: Vendor,
    /// How many updates.
    pub updates: usize,
    /// Year, month and day of the newest one, in binary-coded decimals.
    pub newest: (u16, u8, u8),
    /// The bytes.
    pub content: Vec<u8>,
}

/// Bytes that hold no microcode, or not whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotMicrocode {
    /// They begin as neither vendor's.
    #[error("it begins neither as Intel's microcode nor as AMD's")]
    Unknown,
    /// An update or its header reaches past the end.
    #[error("it is cut off")]
    Cut,
    /// An update's words do not add up to zero.
    #[error("a checksum in it does not hold")]
    Checksum,
    /// There is no update in it.
    #[error("there is no update in it")]
    Empty,
}

impl Blob {
    /// Reads the headers of all updates.
    pub fn parse(content: Vec<u8>) -> Result<Self, NotMicrocode> {
        let (vendor, mut dates) = match (word(&content, 0), word(&content, 20)) {
            (Some(AMD_MAGIC), _) => (Vendor::Amd, amd(&content)?),
            (Some(INTEL_VERSION), Some(INTEL_LOADER)) => (Vendor::Intel, intel(&content)?),
            _ => return Err(NotMicrocode::Unknown),
        };
        dates.sort_by_key(|date| Reverse(*date));
        let newest = *dates.first().ok_or(NotMicrocode::Empty)?;
        let updates = dates.len();
        Ok(Self {
            vendor,
            updates,
            newest,
            content,
        })
    }

    /// What it is, in a few words.
    pub fn summary(&self) -> String {
        let (year, month, day) = self.newest;
        let (name, updates) = (self.vendor.name(), self.updates);
        format!(
            "microcode: {name}, {updates} updates, the newest of {year:04x}-{month:02x}-{day:02x}"
        )
    }
}

type Date = (u16, u8, u8);

const INTEL_VERSION: u32 = 1;
const INTEL_LOADER: u32 = 1;
const AMD_MAGIC: u32 = 0x0041_4d44;

/// Updates as Intel's manual has them (Software Developer's Manual, volume 3, "Microcode Update Facilities").
fn intel(content: &[u8]) -> Result<Vec<Date>, NotMicrocode> {
    const DATE: usize = 8;
    const DATA: usize = 28;
    const TOTAL: usize = 32;
    const HEADER: usize = 48;
    /// Of an update that says no size.
    const USUAL: usize = 2048;
    let mut dates = Vec::new();
    let mut rest = content;
    while !rest.is_empty() {
        let field = |at| word(rest, at).ok_or(NotMicrocode::Cut);
        if (field(0)?, field(20)?) != (INTEL_VERSION, INTEL_LOADER) {
            return Err(NotMicrocode::Unknown);
        }
        let length = match field(DATA)? {
            0 => USUAL,
            _ => field(TOTAL)? as usize,
        };
        if length < HEADER || length % 4 != 0 {
            return Err(NotMicrocode::Cut);
        }
        let (update, behind) = rest.split_at_checked(length).ok_or(NotMicrocode::Cut)?;
        let words = update
            .as_chunks::<4>()
            .0
            .iter()
            .map(|word| u32::from_le_bytes(*word));
        if words.fold(0, u32::wrapping_add) != 0 {
            return Err(NotMicrocode::Checksum);
        }
        dates.push(date(field(DATE)?));
        rest = behind;
    }
    Ok(dates)
}

/// Containers as the kernel reads them (arch/x86/kernel/cpu/microcode/amd.c): each a table of processors and
/// sections with updates.
fn amd(content: &[u8]) -> Result<Vec<Date>, NotMicrocode> {
    const TABLE: u32 = 0;
    const UPDATE: u32 = 1;
    let mut dates = Vec::new();
    let mut rest = content;
    while !rest.is_empty() {
        let field = |at| word(rest, at).ok_or(NotMicrocode::Cut);
        let (kind, header) = match field(0)? {
            AMD_MAGIC if field(4)? == TABLE => (TABLE, 12),
            UPDATE => (UPDATE, 8),
            _ => return Err(NotMicrocode::Unknown),
        };
        let length = field(header - 4)? as usize;
        let section = rest.get(header..).ok_or(NotMicrocode::Cut)?;
        let (section, behind) = section.split_at_checked(length).ok_or(NotMicrocode::Cut)?;
        if kind == UPDATE {
            dates.push(date(word(section, 0).ok_or(NotMicrocode::Cut)?));
        }
        rest = behind;
    }
    Ok(dates)
}

/// `mmddyyyy` in binary-coded decimals, as both vendors write it.
fn date(word: u32) -> Date {
    let [month, day, high, low] = word.to_be_bytes();
    (u16::from_be_bytes([high, low]), month, day)
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::microcode::testing::{amd_container, intel_update};

    #[test]
    fn updates_are_counted_and_the_newest_is_named() {
        let intel = [intel_update(0x0512_2023), intel_update(0x0214_2024)].concat();
        let blob = Blob::parse(intel).unwrap();
        assert_eq!(blob.vendor, Vendor::Intel);
        assert_eq!(
            blob.summary(),
            "microcode: Intel, 2 updates, the newest of 2024-02-14"
        );
        let amd = [
            amd_container(&[0x1231_2022, 0x0101_2021]),
            amd_container(&[0x0607_2023]),
        ];
        let blob = Blob::parse(amd.concat()).unwrap();
        assert_eq!(blob.vendor, Vendor::Amd);
        assert_eq!(
            blob.summary(),
            "microcode: AMD, 3 updates, the newest of 2023-06-07"
        );
    }

    #[test]
    fn what_is_damaged_is_told_apart() {
        let whole = intel_update(0x0512_2023);
        let mut flipped = whole.clone();
        flipped[100] ^= 1;
        let cases = [
            (
                b"letter to a friend, long enough".to_vec(),
                NotMicrocode::Unknown,
            ),
            (flipped, NotMicrocode::Checksum),
            (whole[..whole.len() - 4].to_vec(), NotMicrocode::Cut),
            (
                [whole.clone(), b"more".to_vec()].concat(),
                NotMicrocode::Cut,
            ),
            ([whole, vec![9; 64]].concat(), NotMicrocode::Unknown),
            (amd_container(&[]), NotMicrocode::Empty),
            (amd_container(&[1])[..40].to_vec(), NotMicrocode::Cut),
        ];
        for (bytes, expected) in cases {
            assert_eq!(Blob::parse(bytes), Err(expected));
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken_or_refused(
            start in prop_oneof![Just(AMD_MAGIC), Just(INTEL_VERSION), any::<u32>()],
            words in proptest::collection::vec(prop_oneof![0..3_u32, any::<u32>()], 0..200),
        ) {
            let words = [start].into_iter().chain(words);
            let _ = Blob::parse(words.flat_map(u32::to_le_bytes).collect());
        }
    }
}
