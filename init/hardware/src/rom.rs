//! Copies of option ROMs, each from one source, with where it was read and what speaks against it.
//!
//! The ROM BAR is read through the file `rom` in sysfs (drivers/pci/pci-sysfs.c, `pci_read_rom`), which
//! maps it for each read and unmaps it after. What that needs and does not do itself, memory decode and a
//! function that is awake, is switched on and put back here; nothing else of the function is touched. What
//! is to be put back is on record before it is changed, so that a later run can do it for one that was
//! killed. The firmware's own copies (EFI stub, VFCT) are plain files.

mod attempt;
mod bar0;
mod device;
mod failure;
mod journal;
mod owner;
mod prom;
mod record;
mod restore;
mod stub;
mod table;
#[cfg(test)]
mod testing;
mod twice;

use pci::{Address, ConfigSpace, FunctionId};
use serde::{Deserialize, Serialize};

use self::attempt::{Attempt, Outcome};
use self::device::SysfsDevice;
pub use self::failure::{FailureKind, RomFailure};
use self::journal::Journal;
use crate::source::FUNCTIONS;
use crate::tree::Tree;
use crate::{Bar, Function, Machine, Reading, Source};

/// One attempt to read one function's option ROM from one source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RomReading {
    /// Whose ROM. With `id`, perhaps that of a function that is not there now.
    pub address: Address,
    /// Vendor and device as the source itself names them, where it does.
    #[serde(default)]
    pub id: Option<FunctionId>,
    /// What it was read from.
    pub source: RomSource,
    /// Where exactly: a path, with an offset or a remark where that says more.
    #[serde(default)]
    pub place: String,
    /// Why the bytes may not be what the card's flash holds; none when nothing speaks against them.
    pub taint: Option<String>,
    /// The bytes, or why there are none.
    pub bytes: Result<Vec<u8>, RomFailure>,
    /// What could not be put back as it was found. Empty when all was restored.
    pub not_restored: Vec<String>,
}

/// What a ROM was read from, in the order of trust.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RomSource {
    /// What firmware read and the kernel's EFI stub kept, before any driver (setup data of type 3).
    EfiStub,
    /// The ROM BAR, through sysfs.
    RomBar,
    /// AMD's ACPI table VFCT.
    Vfct,
    /// NVIDIA's window to the flash in BAR 0.
    NvidiaProm,
    /// The legacy copy at 0xC0000, which the kernel substitutes for a boot VGA device.
    Shadow,
}

/// Something to tell while ROMs are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The function is ready, and its bytes are about to be copied.
    Copying(Address, RomSource),
    /// What a person should know, and what belongs to no single copy.
    Note(String),
}

const SHADOW_TAINT: &str = "this is the legacy copy that firmware made in memory at 0xC0000 for its boot \
    display: the EFI image is not in it, and the code in it may have changed itself while it ran";

impl RomSource {
    /// Its name in JSON and in file names.
    pub const fn name(self) -> &'static str {
        match self {
            Self::EfiStub => "efi-stub",
            Self::RomBar => "rom-bar",
            Self::Vfct => "vfct",
            Self::NvidiaProm => "nvidia-prom",
            Self::Shadow => "shadow",
        }
    }

    /// Its name in the middle of a sentence.
    pub const fn words(self) -> &'static str {
        match self {
            Self::EfiStub => "the EFI stub's copy",
            Self::RomBar => "the ROM BAR",
            Self::Vfct => "the ACPI table VFCT",
            Self::NvidiaProm => "NVIDIA's PROM window",
            Self::Shadow => "the legacy copy at 0xC0000",
        }
    }

    /// Where the kernel's file `rom` reads from: for a boot VGA device `pci_fixup_video` replaces the
    /// ROM BAR by the memory at 0xC0000 and flags it `IORESOURCE_ROM_SHADOW`.
    fn of(region: &Reading<Bar>) -> Self {
        const ROM_SHADOW: u64 = 1 << 1;
        match region.known() {
            Some(region) if region.flags & ROM_SHADOW != 0 || region.start == 0xc_0000 => {
                Self::Shadow
            }
            _ => Self::RomBar,
        }
    }

    fn taint(self) -> Option<String> {
        (self == Self::Shadow).then(|| SHADOW_TAINT.to_owned())
    }
}

/// Reads every copy of every function's ROM that can be had without touching a register of the card's
/// own: EFI stub, ROM BAR or shadow, VFCT. Also what firmware kept for functions that are not there now.
/// Each is read twice, and every function is left as it was found or the reading says what is not. What an
/// earlier run that was killed has left behind is put back first. The running machine needs root; of a
/// folder the files that it has are read.
pub fn read_all(
    source: &Source,
    functions: &[Function],
    progress: &mut dyn FnMut(Progress),
) -> Vec<RomReading> {
    read_some(source, functions, |_| true, progress)
}

/// The same for the functions that are `wanted`, by their address; no other is touched. `functions` are
/// still all that there are.
pub fn read_some(
    source: &Source,
    functions: &[Function],
    wanted: impl Fn(Address) -> bool,
    progress: &mut dyn FnMut(Progress),
) -> Vec<RomReading> {
    let Some(sys) = source.sys.as_ref() else {
        return Vec::new();
    };
    let journal = source.is_live().then(Journal::of_this_machine);
    if let Some(journal) = &journal {
        journal::replay(journal, sys, progress);
    }
    let mut readings = stub::read(sys, functions, progress);
    let with_rom = functions.iter().filter(|function| function.has_rom_file);
    for function in with_rom.filter(|function| wanted(function.address)) {
        match &journal {
            Some(journal) => {
                readings.push(from_device(sys, functions, function, journal, progress));
            }
            None => readings.extend(from_folder(sys, function)),
        }
    }
    readings.extend(table::read(sys, functions, progress));
    readings.retain(|reading| wanted(reading.address));
    readings
}

/// The ROMs that a saved machine holds without anybody having read ROMs on it: those in its VFCT.
pub fn in_tables(machine: &Machine) -> Vec<RomReading> {
    table::of_machine(machine)
}

/// Whether a function is one whose flash [`read_prom`] knows how to reach: an NVIDIA display.
pub fn has_prom(function: &Function) -> bool {
    prom::is_candidate(function)
}

/// Reads the flash of an NVIDIA card through its registers, where [`has_prom`] says so. Writes one register
/// of the card, and puts it back. None for other functions, and where the machine is not the running one.
/// Needs root and a kernel that is not locked down.
pub fn read_prom(
    source: &Source,
    functions: &[Function],
    function: &Function,
    progress: &mut dyn FnMut(Progress),
) -> Option<RomReading> {
    let sys = source.sys.as_ref().filter(|_| source.is_live())?;
    if !has_prom(function) {
        return None;
    }
    let journal = Journal::of_this_machine();
    journal::replay(&journal, sys, progress);
    let rom = RomSource::NvidiaProm;
    let outcome = on_device(sys, functions, function, &journal, |attempt| {
        prom::attempt(attempt, &mut || {
            progress(Progress::Copying(function.address, rom));
        })
    });
    let place = format!(
        "{FUNCTIONS}/{}/resource0, at {:#x}",
        function.address,
        prom::WINDOW
    );
    Some(reading(function, rom, sys.name(&place), outcome))
}

fn from_device(
    sys: &Tree,
    functions: &[Function],
    function: &Function,
    journal: &Journal,
    progress: &mut dyn FnMut(Progress),
) -> RomReading {
    let rom = RomSource::of(&function.rom_region);
    let mut copying = || progress(Progress::Copying(function.address, rom));
    let outcome = on_device(sys, functions, function, journal, |attempt| {
        attempt::attempt(attempt, rom, &mut copying)
    });
    let place = format!("{FUNCTIONS}/{}/rom", function.address);
    reading(function, rom, sys.name(&place), outcome)
}

/// The file `rom` of a copied folder, when somebody has put the bytes there.
fn from_folder(sys: &Tree, function: &Function) -> Option<RomReading> {
    let rom = RomSource::of(&function.rom_region);
    let path = format!("{FUNCTIONS}/{}/rom", function.address);
    let bytes = twice::read(|| sys.bytes(&path, twice::LIMIT + 1));
    if matches!(&bytes, Err(failure) if failure.kind == FailureKind::Empty) {
        return None;
    }
    let outcome = Outcome {
        bytes,
        not_restored: Vec::new(),
    };
    Some(reading(function, rom, sys.name(&path), outcome))
}

fn reading(function: &Function, source: RomSource, place: String, outcome: Outcome) -> RomReading {
    RomReading {
        address: function.address,
        id: None,
        source,
        place,
        taint: source.taint(),
        bytes: outcome.bytes,
        not_restored: outcome.not_restored,
    }
}

/// Carries out `work` on the function's folder in sysfs, when memory accesses reach the function at all.
fn on_device(
    sys: &Tree,
    functions: &[Function],
    function: &Function,
    journal: &Journal,
    work: impl FnOnce(&Attempt<'_, SysfsDevice>) -> Outcome,
) -> Outcome {
    let is_shadow = RomSource::of(&function.rom_region) == RomSource::Shadow;
    if let Some(bridge) = closed_bridge(functions, function).filter(|_| !is_shadow) {
        return Outcome::failed(RomFailure::other(format!(
            "not read: the bridge {bridge} above does not forward memory accesses"
        )));
    }
    match sys.folder(&format!("{FUNCTIONS}/{}", function.address)) {
        Ok(folder) => work(&Attempt {
            device: &SysfsDevice::new(folder, function.address),
            function,
            journal,
        }),
        Err(error) => Outcome::failed(RomFailure::other(format!("the function is gone: {error}"))),
    }
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
