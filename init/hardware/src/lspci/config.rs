//! What a dumped configuration space says of what sysfs has files for.

use std::borrow::Cow;

use pci::{ConfigSpace, FunctionId, HeaderType, PowerState};

use super::record::Sriov;
use crate::{Link, LinkRate, Reading};

const CAP_EXPRESS: u8 = 0x10;
const CAP_BRIDGE_SUBSYSTEM: u8 = 0x0d;
const EXT_SRIOV: u16 = 0x0010;
const CONVENTIONAL: usize = 256;

/// Subsystem ids: in the header of an endpoint (7.5.1.2.3), in a capability of a bridge (PCI-to-PCI Bridge
/// specification 1.2, 3.2.5.13). Absent where both are zero.
pub(super) fn subsystem(config: &ConfigSpace) -> Reading<FunctionId> {
    if config.is_gone() {
        return gone();
    }
    let offset = match config.header_type() {
        Some(HeaderType::Endpoint) => Some(0x2c),
        Some(HeaderType::CardBus) => Some(0x40),
        Some(_) if config.bytes().len() < CONVENTIONAL => return short(config),
        _ => place(config, CAP_BRIDGE_SUBSYSTEM).map(|offset| offset + 4),
    };
    let Some(offset) = offset else {
        return Reading::Absent;
    };
    match (config.u16(offset), config.u16(offset + 2)) {
        (Some(0), Some(0)) => Reading::Absent,
        (Some(vendor), Some(device)) => Reading::Known(FunctionId::new(vendor, device)),
        _ => short(config),
    }
}

/// Current and greatest link rate from the Express capability (7.5.3.6 and 7.5.3.8); absent inside the
/// root complex and on conventional PCI.
pub(super) fn link(config: &ConfigSpace) -> Reading<Link> {
    if config.is_gone() {
        return gone();
    }
    if config.bytes().len() < CONVENTIONAL {
        return short(config);
    }
    let registers = || {
        let express = place(config, CAP_EXPRESS)?;
        Some((config.u32(express + 0x0c)?, config.u16(express + 0x12)?))
    };
    let Some((capabilities, status)) = registers() else {
        return Reading::Absent;
    };
    let max = rate(capabilities);
    if max.is_unknown() {
        return Reading::Absent;
    }
    Reading::Known(Link {
        current: rate(u32::from(status)),
        max,
    })
}

/// Speed in bits 3:0, width in bits 9:4.
fn rate(register: u32) -> LinkRate {
    const SPEEDS: [f32; 7] = [0.0, 2.5, 5.0, 8.0, 16.0, 32.0, 64.0];
    let speed = usize::try_from(register & 0xf).unwrap_or(0);
    LinkRate {
        speed: SPEEDS.get(speed).copied().unwrap_or(0.0),
        width: u8::try_from(register >> 4 & 0x3f).unwrap_or(0),
    }
}

/// The power state in the kernel's words.
pub(super) fn power_state(config: &ConfigSpace) -> Reading<String> {
    let word = match config.power_state() {
        Some(PowerState::D0) => "D0",
        Some(PowerState::D1) => "D1",
        Some(PowerState::D2) => "D2",
        Some(PowerState::D3Hot) => "D3hot",
        None if config.is_gone() => return gone(),
        None => return short(config),
    };
    Reading::Known(word.to_owned())
}

/// The SR-IOV registers (9.3.3): unknown where the extended space was not dumped.
pub(super) fn sriov(config: &ConfigSpace) -> Reading<Sriov> {
    if config.is_gone() {
        return gone();
    }
    if config.bytes().len() <= CONVENTIONAL {
        let conventional =
            config.bytes().len() == CONVENTIONAL && place(config, CAP_EXPRESS).is_none();
        return if conventional {
            Reading::Absent
        } else {
            short(config)
        };
    }
    let entry = match config.find_extended(EXT_SRIOV) {
        Some(Some(entry)) => entry,
        Some(None) => return Reading::Absent,
        None => {
            return Reading::Unknown("the list of extended capabilities is damaged".into());
        }
    };
    let at = |offset: usize| config.u16(entry.offset + offset);
    Reading::Known(Sriov {
        named: true,
        total: at(0x0e),
        enabled: at(0x10),
        offset: at(0x14),
        stride: at(0x16),
    })
}

fn place(config: &ConfigSpace, id: u8) -> Option<usize> {
    Some(config.find(id)??.offset)
}

fn gone<T>() -> Reading<T> {
    Reading::Unknown("the function answers with all ones".into())
}

macro_rules! missing_space {
    ($length:literal) => {
        Reading::Unknown(Cow::Borrowed(concat!(
            "the lspci text has only ",
            $length,
            " bytes of the configuration space"
        )))
    };
}

fn short<T>(config: &ConfigSpace) -> Reading<T> {
    // Of the two lengths that lspci prints, a machine has thousands.
    match config.bytes().len() {
        64 => missing_space!("64"),
        CONVENTIONAL => missing_space!("256"),
        length => Reading::unknown(format!(
            "the lspci text has only {length} bytes of the configuration space"
        )),
    }
}
