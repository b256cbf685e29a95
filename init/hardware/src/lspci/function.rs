use pci::{Acs, Address, ClassCode, ConfigSpace, FunctionId, PortType};

use super::config;
use super::header::HeaderText;
use super::record::{Record, Sriov};
use crate::names::Lookup;
use crate::{Function, Link, Listing, Reading};

const DENIED: &str = "lspci was not run as root: <access denied>";
const GONE: &str = "the function answers with all ones";

/// What the whole text tells about what a single function leaves out: where others have a line, none is
/// an answer.
pub(super) struct Evidence {
    /// lspci saw a running kernel, not a dump.
    live: bool,
    groups: bool,
    slots: bool,
    /// Extended capabilities could be read.
    extended: bool,
    virtual_functions: bool,
}

impl Evidence {
    pub fn of<'a>(records: impl Iterator<Item = &'a Record> + Clone) -> Self {
        let any = |holds: fn(&Record) -> bool| records.clone().any(holds);
        Self {
            live: any(|record| record.live),
            groups: any(|record| record.group.is_some()),
            slots: any(|record| record.slot.is_some()),
            extended: any(|record| record.capabilities.extended),
            virtual_functions: any(|record| record.physical_function.is_some()),
        }
    }
}

/// A function from what is printed of it. Words win over the dump where the kernel may have mended what
/// the device says.
pub(super) fn function(
    address: Address,
    mut record: Record,
    evidence: &Evidence,
    names: Option<&Lookup>,
) -> Function {
    let space = record.config.take();
    let answers = space.as_ref().filter(|space| !space.is_gone());
    // A virtual function's own ids are all ones (9.3.4.1.1).
    let own_id = answers.and_then(id_in).filter(|id| id.vendor.0 != u16::MAX);
    // Numbers are better than names, of which two devices can have the same.
    let names = names.filter(|_| own_id.is_none());
    let header = HeaderText::of(&record.header, names);
    let class = answers
        .and_then(class_in)
        .or(header.class)
        .unwrap_or(ClassCode(0x00ff_ffff));
    record.gone |= header.revision == 0xff && !record.capabilities.printed && answers.is_none();
    let sriov = sriov(&record, space.as_ref(), evidence);
    Function {
        address,
        id: header
            .id
            .or(own_id)
            .unwrap_or(FunctionId::new(u16::MAX, u16::MAX)),
        subsystem: subsystem(&record, space.as_ref()),
        class,
        revision: match space.as_ref().and_then(|space| space.u8(8)) {
            Some(revision) => Reading::Known(revision),
            None => Reading::Known(header.revision),
        },
        driver: match record.driver.take().or(header.driver) {
            Some(driver) => Reading::Known(driver),
            None if evidence.live && record.verbose => Reading::Absent,
            None => missing!("the driver"),
        },
        numa_node: match record.numa_node {
            Some(node) => Reading::Known(node),
            None if evidence.live && record.verbose => Reading::Absent,
            None => missing!("the NUMA node"),
        },
        link: link(&record, space.as_ref()),
        power_state: match (record.power_state, &space) {
            (Some(state), _) => Reading::Known(state.to_owned()),
            (None, Some(space)) => config::power_state(space),
            (None, None) => missing!("the power state"),
        },
        boot_vga: boot_vga(&record, class),
        bars: match record.regions.bars() {
            Some(bars) if record.verbose && !record.gone => Reading::Known(bars),
            _ => missing!("the regions and their sizes"),
        },
        rom_region: match record.regions.rom_region() {
            Some(Some(rom)) => Reading::Known(rom),
            None if record.verbose && !record.gone => Reading::Absent,
            _ => missing!("the ROM's region and its size"),
        },
        has_rom_file: matches!(record.regions.rom_region(), Some(Some(_))),
        slot: match record.slot.take() {
            Some(slot) => Reading::Known(slot),
            None if evidence.slots => Reading::Absent,
            None => missing!("the slot"),
        },
        group: match record.group {
            Some(group) => Reading::Known(group),
            None if evidence.groups => Reading::Absent,
            None => missing!("the IOMMU group"),
        },
        physical_function: match (record.physical_function, &sriov) {
            (Some(owner), _) => Reading::Known(owner),
            // With no virtual function anywhere, or on one that could have some itself, it is none.
            (None, _) if record.sriov.named => Reading::Absent,
            (None, Reading::Known(_)) => Reading::Absent,
            (None, _) if evidence.extended || evidence.virtual_functions => Reading::Absent,
            (None, _) => missing!("SR-IOV"),
        },
        enabled_virtual_functions: sriov.as_ref().and_then(|sriov| {
            sriov
                .enabled
                .ok_or_else(|| "the register was cut off".to_owned())
        }),
        total_virtual_functions: sriov.and_then(|sriov| {
            sriov
                .total
                .ok_or_else(|| "the register was cut off".to_owned())
        }),
        listing: if record.verbose {
            Reading::Known(listing(&record, evidence, class))
        } else {
            Reading::Absent
        },
        config: match space {
            Some(space) => Reading::Known(space),
            None if record.gone => Reading::Unknown(GONE.into()),
            None => missing!("the configuration space"),
        },
        // From the bridges' bus numbers, once all functions are there.
        parent: missing!("the bridge above"),
        reset_methods: missing!("the ways to reset it"),
        d3cold_allowed: missing!("whether it may go to D3cold"),
        mediated_types: missing!("its mediated device types"),
    }
}

fn class_in(space: &ConfigSpace) -> Option<ClassCode> {
    Some(ClassCode(space.u32(8)? >> 8))
}

fn id_in(space: &ConfigSpace) -> Option<FunctionId> {
    Some(FunctionId::new(space.u16(0)?, space.u16(2)?))
}

/// lspci prints no line for a subsystem of zeros.
fn subsystem(record: &Record, space: Option<&ConfigSpace>) -> Reading<FunctionId> {
    match (record.subsystem, space) {
        (Some(id), _) => Reading::Known(id),
        (None, Some(space)) => config::subsystem(space),
        (None, None) if record.verbose && !record.has_subsystem_line && !record.gone => {
            Reading::Absent
        }
        (None, None) => missing!("the subsystem's ids"),
    }
}

fn link(record: &Record, space: Option<&ConfigSpace>) -> Reading<Link> {
    if let (Some(current), Some(max)) = (record.link_current, record.link_max) {
        return if max.is_unknown() {
            Reading::Absent
        } else {
            Reading::Known(Link { current, max })
        };
    }
    match (port_type(record), space) {
        (_, Some(space)) => config::link(space),
        (Reading::Absent, None)
        | (Reading::Known(PortType::RootComplexEndpoint | PortType::EventCollector), None) => {
            Reading::Absent
        }
        _ => missing!("the link"),
    }
}

/// Firmware's boot display is the one whose ROM the kernel replaced by the legacy copy at 0xC0000
/// (arch/x86/pci/fixup.c, `pci_fixup_video`).
fn boot_vga(record: &Record, class: ClassCode) -> Reading<bool> {
    const SHADOW: u64 = 0xc_0000;
    match record.regions.rom_region() {
        _ if !class.is_vga() && class.0 != 0x00ff_ffff => Reading::Absent,
        Some(Some(rom)) if rom.start == SHADOW => Reading::Known(true),
        _ => missing!("whether it is the boot display"),
    }
}

/// The SR-IOV registers: absent without SR-IOV.
fn sriov(record: &Record, space: Option<&ConfigSpace>, evidence: &Evidence) -> Reading<Sriov> {
    if record.sriov.total.is_some() {
        return Reading::Known(record.sriov);
    }
    if let Some(space) = space
        && let reading @ (Reading::Known(_) | Reading::Absent) = config::sriov(space)
    {
        return reading;
    }
    if record.sriov.named {
        missing!("the SR-IOV lines of lspci -vvv")
    } else if extended_printed(record, evidence) {
        Reading::Absent
    } else {
        missing!("SR-IOV")
    }
}

/// Whether the extended capabilities were printed in words, all that there are.
fn extended_printed(record: &Record, evidence: &Evidence) -> bool {
    record.capabilities.extended || (evidence.extended && record.capabilities.printed)
}

fn listing(record: &Record, evidence: &Evidence, class: ClassCode) -> Listing {
    let port_type = port_type(record);
    Listing {
        buses: match record.buses {
            Some(buses) => Reading::Known(buses),
            None if record.gone => Reading::Unknown(GONE.into()),
            None if class.is_pci_bridge() || class.0 == 0x00ff_ffff => missing!("the bus numbers"),
            None => Reading::Absent,
        },
        acs: acs(record, evidence, &port_type),
        port_type,
    }
}

fn port_type(record: &Record) -> Reading<PortType> {
    let seen = &record.capabilities;
    match record.port_type {
        Some(kind) => Reading::Known(kind),
        None if record.gone => Reading::Unknown(GONE.into()),
        None if seen.denied => Reading::Unknown(DENIED.into()),
        None if seen.printed || seen.has_list == Some(false) => Reading::Absent,
        None => missing!("the capabilities"),
    }
}

fn acs(record: &Record, evidence: &Evidence, port_type: &Reading<PortType>) -> Reading<Acs> {
    if let (Some(capability), Some(control)) = (record.acs.capability, record.acs.control) {
        return Reading::Known(Acs {
            capability,
            control,
        });
    }
    match port_type {
        Reading::Unknown(why) => Reading::Unknown(why.clone()),
        Reading::Absent => Reading::Absent,
        Reading::Known(_) if record.acs.named => {
            missing!("the ACSCap and ACSCtl lines of lspci -vvv")
        }
        Reading::Known(_) if extended_printed(record, evidence) => Reading::Absent,
        Reading::Known(_) => missing!("the extended capabilities"),
    }
}
