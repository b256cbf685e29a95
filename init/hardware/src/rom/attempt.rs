use std::io;

use nix::errno::Errno;
use pci::{ConfigSpace, PowerState};

use super::device::{Device, Signature};
use super::journal::Journal;
use super::restore::Restore;
use super::{FailureKind, RomFailure, RomSource, twice};
use crate::{Bar, Function, Reading};

/// One function to be read.
pub(super) struct Attempt<'a, D> {
    pub device: &'a D,
    pub function: &'a Function,
    pub journal: &'a Journal,
}

/// What came of one function.
pub(super) struct Outcome {
    pub bytes: Result<Vec<u8>, RomFailure>,
    pub not_restored: Vec<String>,
}

impl Outcome {
    /// Nothing was read, and nothing touched.
    pub(super) fn failed(failure: RomFailure) -> Self {
        Self {
            bytes: Err(failure),
            not_restored: Vec::new(),
        }
    }
}

/// Reads one function's ROM twice and leaves the function as it was. `copying` is called when it is ready.
pub(super) fn attempt(
    attempt: &Attempt<'_, impl Device>,
    source: RomSource,
    copying: &mut dyn FnMut(),
) -> Outcome {
    with_restore(attempt, |restore| match source {
        RomSource::Shadow => {
            // The shadow is memory: the function itself is not asked.
            let config = config(restore.device())?;
            restore.note(&config)?;
            copying();
            read_twice(restore, source)
        }
        _ => {
            let config = awake(restore)?;
            has_address(&attempt.function.rom_region)?;
            restore.note(&config)?;
            decode(restore, &config, attempt.function)?;
            copying();
            read_twice(restore, source)
        }
    })
}

/// Does `work` on a function that no driver has, and puts the function back whatever comes of it.
pub(super) fn with_restore<'a, D: Device>(
    attempt: &Attempt<'a, D>,
    work: impl FnOnce(&mut Restore<'a, D>) -> Result<Vec<u8>, RomFailure>,
) -> Outcome {
    if let Err(failure) = without_driver(attempt.device) {
        return Outcome::failed(failure);
    }
    let mut restore = Restore::new(attempt.device, attempt.journal, attempt.function);
    let bytes = work(&mut restore);
    Outcome {
        bytes,
        not_restored: restore.finish(),
    }
}

fn without_driver(device: &impl Device) -> Result<(), RomFailure> {
    let why = match device.driver() {
        Reading::Absent => return Ok(()),
        Reading::Known(driver) => format!(
            "not read: the driver {driver} is bound and may be using the device; boot without it"
        ),
        Reading::Unknown(why) => format!("not read: a driver may be bound: {why}"),
    };
    Err(RomFailure::new(FailureKind::Driver, why))
}

fn config(device: &impl Device) -> Result<ConfigSpace, RomFailure> {
    let bytes = device.config();
    let bytes = bytes.map_err(|error| RomFailure::at("config", &error))?;
    Ok(ConfigSpace::new(bytes))
}

/// In any state but D0 the function does not answer memory reads: it is woken where the kernel lets it
/// sleep. Returns its configuration space as it is then.
pub(super) fn awake<D: Device>(restore: &mut Restore<'_, D>) -> Result<ConfigSpace, RomFailure> {
    let device = restore.device();
    let mut space = config(device)?;
    if let Some(state) = asleep(&device.power_state(), &space) {
        restore.wake(&state)?;
        space = config(device)?;
        if let Some(state) = asleep(&device.power_state(), &space) {
            let why = format!("not read: the function was told to wake and is still in {state}");
            return Err(RomFailure::new(FailureKind::Asleep, why));
        }
    }
    if space.is_gone() {
        return Err(RomFailure::other(
            "the function does not answer: its configuration space reads as all ones",
        ));
    }
    Ok(space)
}

/// The state when it is not D0. The kernel says `unknown` for a function that it has never put into a
/// state; then the function's own register tells.
fn asleep(kernel: &Reading<String>, config: &ConfigSpace) -> Option<String> {
    match kernel {
        Reading::Known(state) if state == "D0" => None,
        Reading::Known(state) if state.starts_with('D') => Some(state.clone()),
        // Gone is told elsewhere.
        _ if config.is_gone() => None,
        _ => match config.power_state() {
            Some(PowerState::D0) => None,
            Some(state) => Some(format!("{state:?}")),
            None => Some("an unknown power state (not root?)".to_owned()),
        },
    }
}

fn has_address(region: &Reading<Bar>) -> Result<(), RomFailure> {
    let why = match region {
        Reading::Known(region) if is_unassigned(region) => {
            "not read: the kernel found no address for the ROM BAR".to_owned()
        }
        Reading::Unknown(why) => format!("not read: {why}"),
        Reading::Known(_) | Reading::Absent => return Ok(()),
    };
    Err(RomFailure::other(why))
}

pub(super) fn is_unassigned(region: &Bar) -> bool {
    const UNSET: u64 = 0x2000_0000;
    region.flags & UNSET != 0 || region.start == 0
}

/// Switches memory decode on where it is off and may be on.
pub(super) fn decode<D: Device>(
    restore: &Restore<'_, D>,
    config: &ConfigSpace,
    function: &Function,
) -> Result<(), RomFailure> {
    if config.decodes_memory() == Some(true) {
        return Ok(());
    }
    safe_to_decode(&function.bars).map_err(RomFailure::other)?;
    restore.decode_memory()
}

/// With decode on, a BAR without an address of its own would answer at somebody else's.
fn safe_to_decode(bars: &Reading<Vec<Bar>>) -> Result<(), String> {
    const MEMORY: u64 = 0x200;
    let Some(bars) = bars.known() else {
        return Err("not read: memory decode is off, and the BARs are unknown".to_owned());
    };
    match bars
        .iter()
        .find(|bar| bar.flags & MEMORY != 0 && is_unassigned(bar))
    {
        Some(bar) => Err(format!(
            "not read: memory decode is off, and BAR {} has no address, so it must stay off",
            bar.index
        )),
        None => Ok(()),
    }
}

/// Two reads, so that a card that answers differently each time is not taken for a copy.
fn read_twice<D: Device>(
    restore: &mut Restore<'_, D>,
    source: RomSource,
) -> Result<Vec<u8>, RomFailure> {
    let device = restore.device();
    let mut once = || {
        restore
            .read_rom()
            .map_err(|error| cause(device, &error, source))
    };
    let first = once()?;
    twice::judge(first, &once()?)
}

/// The kernel answers `EIO` when it could not map the ROM or found no image at its start; its log says
/// what it found there (`pci_get_rom_size`).
fn cause(device: &impl Device, error: &io::Error, source: RomSource) -> RomFailure {
    let failure = |kind, why: &str| RomFailure::new(kind, format!("input/output error: {why}"));
    let is_eio = error.raw_os_error().map(Errno::from_raw) == Some(Errno::EIO);
    let found = device.rejected_signature().filter(|_| is_eio);
    match (is_eio, source, found) {
        (false, _, _) => RomFailure::at("rom", error),
        (true, RomSource::Shadow, _) => failure(
            FailureKind::InputOutput,
            "firmware left no ROM in memory at 0xC0000, where the kernel looks for the boot display's",
        ),
        (true, _, Some(Signature::Image(0xffff))) => failure(
            FailureKind::AllOnes,
            "the kernel found ff ff where a ROM begins: nothing answers behind the ROM BAR",
        ),
        (true, _, Some(Signature::Image(found))) => {
            let [first, second] = found.to_le_bytes();
            failure(
                FailureKind::NoSignature,
                &format!("the kernel found {first:02x} {second:02x} where a ROM begins with 55 aa"),
            )
        }
        (true, _, Some(Signature::Pcir)) => failure(
            FailureKind::NoPcir,
            "the kernel found 55 aa and no PCIR structure behind the ROM BAR",
        ),
        (true, _, None) => failure(
            FailureKind::InputOutput,
            "the kernel could not map the ROM BAR, or found no ROM (55 aa) behind it",
        ),
    }
}

#[cfg(test)]
#[path = "attempt_tests.rs"]
mod tests;
