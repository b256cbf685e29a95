//! A machine from what `lspci` prints: hex dumps (`-x`, `-xxx`, `-xxxx`), words (`-v` to `-vvv`), both
//! together, and listings of IOMMU groups with an `lspci` line for each function. Pure.
//!
//! Such a text went through a terminal and a forum before it comes here: indentation may be lost, lines
//! quoted or wrapped, parts cut away. So no line is understood by where it stands, only by what it says,
//! and a line that says nothing known is passed over. What the text does not say is unknown, with that
//! reason.

mod attribute;
mod config;
mod function;
mod header;
mod hex;
mod line;
mod record;
mod region;
mod virtual_function;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use pci::Address;

use self::function::Evidence;
use self::line::{Heading, Line};
use self::record::Record;
use crate::kernel_log::{messages, relevant};
use crate::{Cpu, Group, Kernel, Machine, Names, Reading};

/// No honest machine has more functions.
const MAX_FUNCTIONS: usize = 1 << 16;

/// A text that no machine can be read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LspciError {
    /// There is no function in it.
    #[error(
        "no line begins with a PCI address such as 01:00.0, so this is not the output of lspci; best is \
         what 'lspci -nnvvvxxxx' prints, run as root"
    )]
    NoFunctions,
    /// More functions than a machine has.
    #[error("it lists more than {MAX_FUNCTIONS} functions, which no machine has")]
    TooManyFunctions,
}

/// Reads a machine from what `lspci` printed, in time proportional to the text. `names` turns class and
/// device names back into ids where the text has no ids.
///
/// # Errors
/// [`LspciError`] when there is no function in the text, or far too many.
pub fn parse(text: &str, names: Option<&Names>) -> Result<Machine, LspciError> {
    let mut records = records(text)?;
    let log = log(text);
    virtual_function::resolve(&mut records);
    let evidence = Evidence::of(records.values());
    let lookup = names.map(Names::lookup);
    let mut functions: Vec<_> = records
        .into_iter()
        .map(|(address, record)| function::function(address, record, &evidence, lookup.as_ref()))
        .collect();
    crate::read::parent::fill_from_buses(&mut functions);
    Ok(Machine {
        kernel: Kernel {
            release: in_log(&log, "Linux version ")
                .and_then(|version| version.split_whitespace().next())
                .map_or_else(|| missing("the kernel's version"), known),
            command_line: in_log(&log, "Command line: ")
                .or_else(|| in_log(&log, "Kernel command line: "))
                .map_or_else(|| missing("the kernel's command line"), known),
            log: if log.is_empty() {
                missing("the kernel log")
            } else {
                Reading::Known(relevant(&log))
            },
        },
        cpu: Cpu {
            vendor: missing("the processor"),
            model: missing("the processor"),
            virtualization: missing("the processor"),
            hypervisor: missing("the processor"),
        },
        board: board(),
        firmware: missing("how firmware started the kernel"),
        tables: missing("the firmware's tables"),
        iommu_units: missing("/sys/class/iommu"),
        iommu_unit_registers: missing("/sys/class/iommu"),
        firmware_memory: missing("the firmware's map of memory"),
        groups: groups(&functions),
        framebuffers: missing("/proc/iomem"),
        host_devices: missing("what the host uses"),
        mounts: missing("what the host has mounted"),
        default_routes: missing("the host's routes"),
        numa_nodes: missing("which NUMA nodes there are"),
        board_slots: missing("the board's slots"),
        functions,
    })
}

/// Why something is unknown that `lspci` does not print, or did not here.
fn missing<T>(what: &str) -> Reading<T> {
    Reading::Unknown(format!("{what}: not in the lspci text"))
}

fn known(text: &str) -> Reading<String> {
    Reading::Known(text.trim().to_owned())
}

/// Lines of the kernel log that stand in the text, too: people post both. They begin with a time stamp.
fn log(text: &str) -> String {
    let is_log = |line: &&str| {
        let stamp = line.strip_prefix('[').and_then(|rest| rest.split_once(']'));
        stamp.is_some_and(|(stamp, _)| {
            let stamp = stamp.trim_start();
            stamp.contains('.')
                && stamp
                    .bytes()
                    .all(|byte| byte.is_ascii_digit() || byte == b'.')
        })
    };
    let lines = text
        .lines()
        .map(|line| line.trim_start_matches([' ', '\t', '>']));
    lines.filter(is_log).flat_map(|line| [line, "\n"]).collect()
}

fn in_log<'a>(log: &'a str, prefix: &str) -> Option<&'a str> {
    messages(log).find_map(|message| message.strip_prefix(prefix))
}

fn records(text: &str) -> Result<BTreeMap<Address, Record>, LspciError> {
    let mut records: BTreeMap<Address, Record> = BTreeMap::new();
    let mut heading = Heading::default();
    // Taken out of the map while lines are added to it: there are many lines to a function.
    let mut current: Option<(Address, Record)> = None;
    for line in text.lines() {
        match (Line::of(line), &mut current) {
            (Line::Header(header), _) => {
                put_back(&mut records, current.take());
                if records.len() >= MAX_FUNCTIONS {
                    return Err(LspciError::TooManyFunctions);
                }
                let mut record = records.remove(&header.address).unwrap_or_default();
                record.begin(header.rest);
                if let Some(group) = header.group.or_else(|| heading.of(line)) {
                    record.group = Some(group);
                }
                current = Some((header.address, record));
            }
            (Line::Heading(group), _) => {
                put_back(&mut records, current.take());
                heading = Heading::new(group);
            }
            (Line::Blank, _) => heading = Heading::default(),
            (Line::Hex(hex), Some((_, record))) => record.hex(hex),
            (Line::Text(text), Some((_, record))) => record.text(text),
            (Line::Hex(_) | Line::Text(_), None) => {}
        }
    }
    put_back(&mut records, current);
    if records.is_empty() {
        return Err(LspciError::NoFunctions);
    }
    Ok(records)
}

fn put_back(records: &mut BTreeMap<Address, Record>, record: Option<(Address, Record)>) {
    if let Some((address, mut record)) = record {
        record.end();
        match records.entry(address) {
            Entry::Vacant(place) => _ = place.insert(record),
            Entry::Occupied(mut place) => _ = place.insert(record),
        }
    }
}

fn board() -> crate::Board {
    crate::Board {
        system_vendor: missing("the board"),
        product: missing("the board"),
        vendor: missing("the board"),
        name: missing("the board"),
        serial: missing("the board"),
        bios_version: missing("the firmware's version"),
        bios_date: missing("the firmware's version"),
    }
}

/// The groups that the text names. Only a running kernel makes them.
fn groups(functions: &[crate::Function]) -> Reading<Vec<Group>> {
    let mut members: BTreeMap<u32, Vec<Address>> = BTreeMap::new();
    for function in functions {
        if let Reading::Known(id) = function.group {
            members.entry(id).or_default().push(function.address);
        }
    }
    if members.is_empty() {
        return missing("IOMMU groups");
    }
    let group = |(id, functions)| Group {
        id,
        functions,
        reserved_regions: missing("reserved regions"),
    };
    Reading::Known(members.into_iter().map(group).collect())
}
