//! A machine from what `lspci` prints: hex dumps (`-x`, `-xxx`, `-xxxx`), words (`-v` to `-vvv`), both
//! together, and listings of IOMMU groups with an `lspci` line for each function. Pure.
//!
//! Such a text went through a terminal and a forum before it comes here: indentation may be lost, lines
//! quoted or wrapped, parts cut away. So no line is understood by where it stands, only by what it says,
//! and a line that says nothing known is passed over. What the text does not say is unknown, with that
//! reason.

/// A reading that is unknown because `lspci` does not print it, or did not here.
macro_rules! missing {
    ($what:literal) => {
        $crate::Reading::Unknown(std::borrow::Cow::Borrowed(concat!(
            $what,
            ": not in the lspci text"
        )))
    };
}

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

use pci::Address;

use self::function::Evidence;
use self::hex::HexLine;
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
    let mut all = Text::of_length(text.len());
    all.feed(text)?;
    all.machine(names)
}

fn machine(
    mut records: Vec<Record>,
    places: BTreeMap<Address, usize>,
    log: String,
    names: Option<&Names>,
) -> Machine {
    virtual_function::resolve(&mut records, &places);
    let evidence = Evidence::of(records.iter());
    let lookup = names.map(Names::lookup);
    let mut functions = Vec::with_capacity(places.len());
    let made = places.into_iter().filter_map(|(address, place)| {
        let record = std::mem::take(records.get_mut(place)?);
        Some(function::function(
            address,
            record,
            &evidence,
            lookup.as_ref(),
        ))
    });
    functions.extend(made);
    crate::read::parent::fill_from_buses(&mut functions);
    Machine {
        kernel: Kernel {
            release: in_log(&log, "Linux version ")
                .and_then(|version| version.split_whitespace().next())
                .map_or_else(|| missing!("the kernel's version"), known),
            command_line: in_log(&log, "Command line: ")
                .or_else(|| in_log(&log, "Kernel command line: "))
                .map_or_else(|| missing!("the kernel's command line"), known),
            log: if log.is_empty() {
                missing!("the kernel log")
            } else {
                Reading::Known(relevant(&log))
            },
        },
        cpu: Cpu {
            vendor: missing!("the processor"),
            model: missing!("the processor"),
            virtualization: missing!("the processor"),
            hypervisor: missing!("the processor"),
        },
        board: board(),
        firmware: missing!("how firmware started the kernel"),
        tables: missing!("the firmware's tables"),
        iommu_units: missing!("/sys/class/iommu"),
        iommu_unit_registers: missing!("/sys/class/iommu"),
        firmware_memory: missing!("the firmware's map of memory"),
        groups: groups(&functions),
        framebuffers: missing!("/proc/iomem"),
        host_devices: missing!("what the host uses"),
        mounts: missing!("what the host has mounted"),
        default_routes: missing!("the host's routes"),
        numa_nodes: missing!("which NUMA nodes there are"),
        installed_uses: Reading::Absent,
        board_slots: missing!("the board's slots"),
        functions,
    }
}

fn known(text: &str) -> Reading<String> {
    Reading::Known(text.trim().to_owned())
}

/// The first line as `str::lines` gives it, and what is behind it.
fn split_line(text: &str) -> Option<(&str, &str)> {
    let end = memchr::memchr(b'\n', text.as_bytes()).unwrap_or(text.len());
    let line = text.get(..end).filter(|_| !text.is_empty())?;
    let rest = text.get(end + 1..).unwrap_or_default();
    Some((line.strip_suffix('\r').unwrap_or(line), rest))
}

/// Lines of the kernel log that stand in the text, too: people post both. They begin with a time stamp.
fn is_log(line: &str) -> bool {
    let stamp = line.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    stamp.is_some_and(|(stamp, _)| {
        let stamp = stamp.trim_start();
        stamp.contains('.')
            && stamp
                .bytes()
                .all(|byte| byte.is_ascii_digit() || byte == b'.')
    })
}

fn in_log<'a>(log: &'a str, prefix: &str) -> Option<&'a str> {
    messages(log).find_map(|message| message.strip_prefix(prefix))
}

/// What the text says of each function, and the kernel log in it. It is fed in pieces: the text of a large
/// machine is longer than all that is made of it.
#[derive(Default)]
pub(crate) struct Text {
    records: Vec<Record>,
    places: BTreeMap<Address, usize>,
    log: String,
    heading: Heading,
    /// The function that the next lines are about.
    at: Option<usize>,
}

/// Of text to a function, in dumps of 256 bytes and long listings alike, at least.
const PER_FUNCTION: usize = 512;

impl Text {
    /// Ready for a text of so many bytes, whose functions then need not be moved about.
    pub fn of_length(length: usize) -> Self {
        Self {
            records: Vec::with_capacity((length / PER_FUNCTION).min(MAX_FUNCTIONS)),
            ..Self::default()
        }
    }

    /// Takes the next whole lines.
    ///
    /// # Errors
    /// [`LspciError::TooManyFunctions`].
    pub fn feed(&mut self, text: &str) -> Result<(), LspciError> {
        let mut rest = text;
        loop {
            let mut record = self.at.and_then(|at| self.records.get_mut(at));
            if let Some(record) = &mut record {
                while let Some((hex, length)) = HexLine::whole(rest.as_bytes()) {
                    record.hex(&hex);
                    rest = rest.get(length..).unwrap_or_default();
                }
            }
            let Some((line, behind)) = split_line(rest) else {
                break;
            };
            rest = behind;
            match (Line::of(line), record) {
                (Line::Hex(hex), Some(record)) => record.hex(&hex),
                (Line::Header(header), _) => {
                    let group = header.group.or_else(|| self.heading.of(line));
                    self.at = Some(self.begin(header.address, header.rest, group)?);
                }
                (Line::Heading(group), _) => {
                    self.at = None;
                    self.heading = Heading::new(group);
                }
                (Line::Blank, _) => self.heading = Heading::default(),
                (Line::Text(text), _) if is_log(text) => {
                    self.log.push_str(text);
                    self.log.push('\n');
                }
                (Line::Text(text), Some(record)) => record.text(text),
                (Line::Hex(_) | Line::Text(_), None) => {}
            }
        }
        Ok(())
    }

    /// The machine that all lines tell of.
    ///
    /// # Errors
    /// [`LspciError::NoFunctions`].
    pub fn machine(mut self, names: Option<&Names>) -> Result<Machine, LspciError> {
        if self.records.is_empty() {
            return Err(LspciError::NoFunctions);
        }
        self.records.iter_mut().for_each(Record::end);
        Ok(machine(self.records, self.places, self.log, names))
    }

    /// Takes a function's first line; returns its place. A text can have a function twice.
    fn begin(
        &mut self,
        address: Address,
        header: &str,
        group: Option<u32>,
    ) -> Result<usize, LspciError> {
        let next = self.records.len();
        let at = *self.places.entry(address).or_insert(next);
        if at == next {
            if next >= MAX_FUNCTIONS {
                return Err(LspciError::TooManyFunctions);
            }
            self.records.push(Record::default());
        }
        if let Some(record) = self.records.get_mut(at) {
            record.begin(header);
            record.group = group.or(record.group);
        }
        Ok(at)
    }
}

fn board() -> crate::Board {
    crate::Board {
        system_vendor: missing!("the board"),
        product: missing!("the board"),
        vendor: missing!("the board"),
        name: missing!("the board"),
        serial: missing!("the board"),
        bios_version: missing!("the firmware's version"),
        bios_date: missing!("the firmware's version"),
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
        return missing!("IOMMU groups");
    }
    let group = |(id, functions)| Group {
        id,
        functions,
        reserved_regions: missing!("reserved regions"),
    };
    Reading::Known(members.into_iter().map(group).collect())
}
