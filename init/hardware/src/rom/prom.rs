use std::io;
use std::time::{Duration, Instant};

use option_rom::{ProblemId, Rom, Trailing};
use pci::VendorId;

use super::attempt::{Attempt, Outcome, awake, decode, is_unassigned, with_restore};
use super::bar0::Registers;
use super::device::Device;
use super::{FailureKind, RomFailure, twice};
use crate::tree::why;
use crate::{Bar, Function};

const NVIDIA: VendorId = VendorId(0x10de);

// Offsets in BAR 0 (kernel: drivers/gpu/drm/nouveau/nvkm/subdev/bios/shadowrom.c, subdev/pci/nv40.c).

/// PMC boot register: what chip it is.
const BOOT_0: u32 = 0;
/// Configuration space.
const MIRROR: u32 = 0x08_8000;
/// The flash.
pub(super) const WINDOW: u32 = 0x30_0000;
/// Bytes of the window.
const WINDOW_LENGTH: usize = 1 << 20;
/// All of BAR 0 that is of use.
const MAPPED: usize = 0x40_0000;

/// Offset in configuration space of the register whose bit 0 puts a copy in memory before the flash.
const ROM_SHADOW: u16 = 0x50;
/// The oldest chip with its configuration space at [`MIRROR`], NV40, as [`BOOT_0`] numbers chips.
const OLDEST_CHIP: u32 = 0x40;

/// What is read between two looks at whether the ROM is whole.
const STEP: usize = 16 << 10;
/// A megabyte from a slow flash takes seconds. A card that answers no more can take milliseconds a word.
const PATIENCE: Duration = Duration::from_secs(60);

/// An NVIDIA display with the registers in BAR 0.
pub(super) fn is_candidate(function: &Function) -> bool {
    function.id.vendor == NVIDIA && function.class.is_display()
}

/// Reads the flash twice through the window and leaves the card as it was.
pub(super) fn attempt(attempt: &Attempt<'_, impl Device>, copying: &mut dyn FnMut()) -> Outcome {
    with_restore(attempt, |restore| {
        let device = restore.device();
        let config = awake(restore)?;
        let bars = attempt.function.bars.known().into_iter().flatten();
        reaches_window(bars.copied().find(|bar| bar.index == 0))?;
        restore.note(&config)?;
        decode(restore, &config, attempt.function)?;
        let registers = device.map_bar0(MAPPED).map_err(|error| refused(&error))?;
        is_known(&registers, config.u32(0))?;
        let mirror = MIRROR + u32::from(ROM_SHADOW);
        let registers = restore.lift_shadow(registers, mirror, usize::from(ROM_SHADOW))?;
        copying();
        let until = Instant::now() + PATIENCE;
        let first = whole_rom(registers, until)?;
        let second = window(registers, 0, first.len(), until)?;
        twice::judge(first, &second)
    })
}

fn reaches_window(bar: Option<Bar>) -> Result<(), RomFailure> {
    const MEMORY: u64 = 0x200;
    let length = |bar: Bar| bar.end.saturating_sub(bar.start).saturating_add(1);
    let enough = u64::try_from(MAPPED).unwrap_or(u64::MAX);
    match bar {
        Some(bar) if bar.flags & MEMORY == 0 => Err("is not memory".to_owned()),
        Some(bar) if is_unassigned(&bar) => Err("has no address".to_owned()),
        Some(bar) if length(bar) < enough => Err(format!("has only {:#x} bytes", length(bar))),
        Some(_) => Ok(()),
        None => Err("is not there".to_owned()),
    }
    .map_err(|why| {
        RomFailure::other(format!(
            "not read: BAR 0, with the window to the flash, {why}"
        ))
    })
}

fn refused(error: &io::Error) -> RomFailure {
    if error.kind() == io::ErrorKind::PermissionDenied {
        RomFailure::new(
            FailureKind::LockedDown,
            "not read: the kernel lets nobody map a card's registers: it is locked down, as with Secure \
             Boot, or this is not root",
        )
    } else {
        RomFailure::other(format!("not read: resource0: {}", why(error)))
    }
}

/// Whether these are the registers that this code knows. Nothing was written before this.
fn is_known(registers: &impl Registers, ids: Option<u32>) -> Result<(), RomFailure> {
    let boot_0 = registers.read(BOOT_0);
    if boot_0 == u32::MAX {
        return Err(RomFailure::other(
            "not read: the card's registers read as all ones",
        ));
    }
    let chip = (boot_0 & 0x1ff0_0000) >> 20;
    if chip < OLDEST_CHIP {
        return Err(RomFailure::other(format!(
            "not read: the card's boot register is {boot_0:#010x}, which is no chip with these registers"
        )));
    }
    let mirrored = registers.read(MIRROR);
    if Some(mirrored) != ids {
        return Err(RomFailure::other(format!(
            "not read: {mirrored:#010x} stands at {MIRROR:#x} in BAR 0 in place of the card's ids, so its \
             configuration space is not there"
        )));
    }
    Ok(())
}

/// The flash from its start to the end of the last image; all of the window when no end is found.
fn whole_rom(registers: &impl Registers, until: Instant) -> Result<Vec<u8>, RomFailure> {
    let mut bytes = Vec::new();
    while bytes.len() < WINDOW_LENGTH {
        bytes.extend(window(registers, bytes.len(), STEP, until)?);
        if let Some(end) = end_of(&Rom::parse(&bytes)) {
            bytes.truncate(end);
            return Ok(bytes);
        }
    }
    // The window is larger than most chips.
    if let Trailing::Padding(length) = Rom::parse(&bytes).trailing {
        bytes.truncate(bytes.len().saturating_sub(length));
    }
    Ok(bytes)
}

/// Where the last image ends, when all images are there.
fn end_of(rom: &Rom) -> Option<usize> {
    const UNFINISHED: [ProblemId; 4] = [
        ProblemId::Truncated,
        ProblemId::ChainBroken,
        ProblemId::LastMissing,
        ProblemId::VendorTailMissing,
    ];
    let is_unfinished = rom
        .problems
        .iter()
        .any(|problem| UNFINISHED.contains(&problem.id));
    let last = rom.images.last().filter(|_| !is_unfinished)?;
    Some(last.end())
}

/// So many bytes of the window, as little-endian words.
fn window(
    registers: &impl Registers,
    offset: usize,
    length: usize,
    until: Instant,
) -> Result<Vec<u8>, RomFailure> {
    const BETWEEN_LOOKS: usize = 256;
    let mut bytes = Vec::with_capacity(length);
    while bytes.len() < length {
        if bytes.len().is_multiple_of(BETWEEN_LOOKS) && Instant::now() > until {
            return Err(RomFailure::other(format!(
                "given up after {} seconds at offset {:#x}: the card answers too slowly",
                PATIENCE.as_secs(),
                offset + bytes.len()
            )));
        }
        let at = u32::try_from(offset + bytes.len()).unwrap_or(u32::MAX);
        bytes.extend(registers.read(WINDOW.saturating_add(at)).to_le_bytes());
    }
    bytes.truncate(length);
    Ok(bytes)
}

#[cfg(test)]
#[path = "prom_tests.rs"]
mod tests;
