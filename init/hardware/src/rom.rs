//! Copies of option ROMs, each from one source.
//!
//! The ROM BAR is read through the file `rom` in sysfs (drivers/pci/pci-sysfs.c, `pci_read_rom`), which
//! maps it for each read and unmaps it after. What that needs and does not do itself, memory decode, is
//! switched on and put back here; nothing else of the function is touched.

mod attempt;
mod device;
mod restore;

use pci::{Address, ConfigSpace};
use serde::{Deserialize, Serialize};

use self::device::SysfsDevice;
use crate::source::FUNCTIONS;
use crate::{Bar, Function, Reading, Source};

/// One attempt to read one function's option ROM from one source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RomReading {
    /// Whose ROM.
    pub address: Address,
    /// Where it was read.
    pub source: RomSource,
    /// Why the bytes may not be what the card's flash holds; none when nothing speaks against them.
    pub taint: Option<String>,
    /// The bytes, or what went wrong.
    pub bytes: Result<Vec<u8>, String>,
    /// What could not be put back as it was found. Empty when all was restored.
    pub not_restored: Vec<String>,
}

/// Where a ROM was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RomSource {
    /// The ROM BAR, through sysfs.
    Sysfs,
    /// The legacy copy at 0xC0000, which the kernel substitutes for a boot VGA device.
    Shadow,
}

const SHADOW_TAINT: &str = "this is the legacy copy that firmware made in memory at 0xC0000 for its boot \
    display: the EFI image is not in it, and the code in it may have changed itself while it ran";

impl RomSource {
    /// Where the kernel's file `rom` reads from: for a boot VGA device `pci_fixup_video` replaces the
    /// ROM BAR by the memory at 0xC0000 and flags it `IORESOURCE_ROM_SHADOW`.
    fn of(region: &Reading<Bar>) -> Self {
        const ROM_SHADOW: u64 = 1 << 1;
        match region.known() {
            Some(region) if region.flags & ROM_SHADOW != 0 || region.start == 0xc_0000 => {
                Self::Shadow
            }
            _ => Self::Sysfs,
        }
    }
}

/// Reads the ROM of every function that shows one, in the order given; `progress` is called before each
/// with its address. Each ROM is read twice, and every function is left as it was found or the reading
/// says what is not. Needs root.
///
/// Only the running machine has ROMs: from a folder comes an empty list.
pub fn read_all(
    source: &Source,
    functions: &[Function],
    progress: &mut dyn FnMut(Address),
) -> Vec<RomReading> {
    let Some(sys) = source.sys.as_ref().filter(|_| source.is_live()) else {
        return Vec::new();
    };
    let with_rom = functions.iter().filter(|function| function.has_rom_file);
    with_rom
        .map(|function| {
            progress(function.address);
            let rom = RomSource::of(&function.rom_region);
            let closed = closed_bridge(functions, function).filter(|_| rom == RomSource::Sysfs);
            let outcome = match (
                closed,
                sys.folder(&format!("{FUNCTIONS}/{}", function.address)),
            ) {
                (Some(bridge), _) => attempt::Outcome::failed(format!(
                    "not read: the bridge {bridge} above does not forward memory accesses"
                )),
                (None, Ok(folder)) => attempt::attempt(&SysfsDevice::new(folder), function, rom),
                (None, Err(error)) => {
                    attempt::Outcome::failed(format!("the function is gone: {error}"))
                }
            };
            RomReading {
                address: function.address,
                source: rom,
                taint: (rom == RomSource::Shadow).then(|| SHADOW_TAINT.to_owned()),
                bytes: outcome.bytes,
                not_restored: outcome.not_restored,
            }
        })
        .collect()
}

/// A bridge on the way up that has memory decode off: behind it every read gives all ones.
fn closed_bridge(functions: &[Function], function: &Function) -> Option<Address> {
    let mut at = function;
    // A path has at most one bridge a bus.
    for _ in 0..=u8::MAX {
        let above = *at.parent.known()?;
        at = functions.iter().find(|bridge| bridge.address == above)?;
        if at.config.known().and_then(ConfigSpace::decodes_memory) == Some(false) {
            return Some(above);
        }
    }
    None
}
