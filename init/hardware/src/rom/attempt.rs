use std::io;

use nix::errno::Errno;
use pci::{ConfigSpace, PowerState};

use super::RomSource;
use super::device::{Device, LIMIT};
use super::restore::{Restore, refusal};
use crate::tree::why;
use crate::{Bar, Function, Reading};

/// What came of one function.
pub(super) struct Outcome {
    pub bytes: Result<Vec<u8>, String>,
    pub not_restored: Vec<String>,
}

impl Outcome {
    /// Nothing was read, and nothing touched.
    pub(super) fn failed(why: String) -> Self {
        Self {
            bytes: Err(why),
            not_restored: Vec::new(),
        }
    }
}

/// Reads one function's ROM twice and leaves the function as it was.
pub(super) fn attempt(device: &impl Device, function: &Function, rom: RomSource) -> Outcome {
    let config = match ready(device, function, rom) {
        Ok(config) => config,
        Err(why) => return Outcome::failed(why),
    };
    let Some(mut restore) = Restore::note(device, &config) else {
        return Outcome::failed("not root: the configuration space cannot be read".to_owned());
    };
    let bytes = read_twice(&mut restore, &config, function, rom);
    Outcome {
        bytes,
        not_restored: restore.finish(),
    }
}

/// Whether the ROM can be asked for at all. Looks only.
fn ready(device: &impl Device, function: &Function, rom: RomSource) -> Result<ConfigSpace, String> {
    match device.driver() {
        Reading::Absent => {}
        Reading::Known(driver) => {
            return Err(format!(
                "not read: the driver {driver} is bound and may be using the device; boot without it"
            ));
        }
        Reading::Unknown(why) => return Err(format!("not read: a driver may be bound: {why}")),
    }
    let config = device
        .config()
        .map_err(|error| format!("config: {}", why(&error)))?;
    let config = ConfigSpace::new(config);
    // The shadow is memory: the function itself is not asked.
    if rom == RomSource::Shadow {
        return Ok(config);
    }
    if config.is_gone() {
        return Err(
            "the function does not answer: its configuration space reads as all ones".into(),
        );
    }
    awake(&device.power_state(), &config)?;
    has_address(&function.rom_region)?;
    Ok(config)
}

/// In any state but D0 the function does not answer memory reads. The kernel says `unknown` for one that
/// it has never put into a state; then the function's own register tells.
fn awake(kernel: &Reading<String>, config: &ConfigSpace) -> Result<(), String> {
    let state = match kernel {
        Reading::Known(state) if state == "D0" => return Ok(()),
        Reading::Known(state) if state.starts_with('D') => state.clone(),
        _ => match config.power_state() {
            Some(PowerState::D0) => return Ok(()),
            Some(state) => format!("{state:?}"),
            None => "an unknown power state (not root?)".to_owned(),
        },
    };
    Err(format!(
        "not read: the function is in {state}, and only one in D0 answers"
    ))
}

fn has_address(region: &Reading<Bar>) -> Result<(), String> {
    match region {
        Reading::Known(region) if is_unassigned(region) => {
            Err("not read: the kernel found no address for the ROM BAR".to_owned())
        }
        Reading::Unknown(why) => Err(format!("not read: {why}")),
        Reading::Known(_) | Reading::Absent => Ok(()),
    }
}

fn is_unassigned(region: &Bar) -> bool {
    const UNSET: u64 = 0x2000_0000;
    region.flags & UNSET != 0 || region.start == 0
}

/// Two reads, so that a card that answers differently each time is not taken for a copy.
fn read_twice(
    restore: &mut Restore<'_, impl Device>,
    config: &ConfigSpace,
    function: &Function,
    rom: RomSource,
) -> Result<Vec<u8>, String> {
    if rom == RomSource::Sysfs && config.decodes_memory() != Some(true) {
        safe_to_decode(&function.bars)?;
        restore.decode_memory().map_err(|error| {
            format!(
                "not read: memory decode is off and cannot be switched on: {}",
                refusal(&error)
            )
        })?;
    }
    let first = restore.read_rom().map_err(|error| cause(&error, rom))?;
    let second = restore.read_rom().map_err(|error| cause(&error, rom))?;
    judge(first, &second)
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

fn judge(first: Vec<u8>, second: &[u8]) -> Result<Vec<u8>, String> {
    if first.len() > LIMIT {
        return Err(format!(
            "it does not end after {LIMIT} bytes, the most that a ROM BAR can hold"
        ));
    }
    if first != second {
        let differing = first
            .iter()
            .zip(second)
            .position(|(one, other)| one != other);
        let at = differing.unwrap_or(first.len().min(second.len()));
        return Err(format!(
            "two reads differ, first at offset {at:#x}: this is no copy"
        ));
    }
    if first.is_empty() {
        return Err("it is empty".to_owned());
    }
    if first.iter().all(|byte| *byte == 0xff) {
        return Err(
            "every byte is 0xff: nothing answers behind the ROM BAR, or a bridge above does \
                    not forward memory"
                .to_owned(),
        );
    }
    Ok(first)
}

/// The kernel answers `EIO` when it could not map the ROM or found no `55 AA` at its start.
fn cause(error: &io::Error, rom: RomSource) -> String {
    match (error.raw_os_error().map(Errno::from_raw), rom) {
        (Some(Errno::EIO), RomSource::Shadow) => {
            "input/output error: firmware left no ROM in memory at 0xC0000, where the kernel looks for \
             the boot display's"
                .to_owned()
        }
        (Some(Errno::EIO), RomSource::Sysfs) => {
            "input/output error: the kernel found no ROM (no 55 AA signature) behind the ROM BAR, or \
             could not map it"
                .to_owned()
        }
        _ => format!("rom: {}", why(error)),
    }
}

#[cfg(test)]
#[path = "attempt_tests.rs"]
mod tests;
