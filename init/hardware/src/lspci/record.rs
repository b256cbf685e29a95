use pci::{AcsBits, Address, BridgeBuses, ConfigSpace, FunctionId, PortType};

use super::attribute;
use super::hex::HexLine;
use super::region::Regions;
use crate::LinkRate;

/// Longest first line, wrapped ones put together.
const MAX_HEADER: usize = 1024;

/// What the text says about one function, as it was printed.
#[derive(Debug, Default)]
pub(super) struct Record {
    /// The first line without the address.
    pub header: String,
    /// The longest hex dump.
    pub config: Option<ConfigSpace>,
    dump: Vec<u8>,
    /// There are lines that only `-v` prints.
    pub verbose: bool,
    pub capabilities: Capabilities,
    /// `!!! Unknown header type 7f`: the configuration space reads as all ones.
    pub gone: bool,
    pub subsystem: Option<FunctionId>,
    pub has_subsystem_line: bool,
    pub driver: Option<String>,
    /// `Kernel modules:` or a driver: lspci saw a running kernel.
    pub live: bool,
    pub group: Option<u32>,
    pub numa_node: Option<u16>,
    pub slot: Option<String>,
    pub regions: Regions,
    pub port_type: Option<PortType>,
    pub buses: Option<BridgeBuses>,
    pub acs: AcsText,
    pub link_max: Option<LinkRate>,
    pub link_current: Option<LinkRate>,
    pub power_state: Option<&'static str>,
    pub sriov: Sriov,
    /// The physical function whose virtual function this is.
    pub physical_function: Option<Address>,
}

/// What became of the capability list in print.
#[derive(Debug, Default)]
pub(super) struct Capabilities {
    /// `Status: Cap+` or `Cap-`.
    pub has_list: Option<bool>,
    /// At least one was printed.
    pub printed: bool,
    /// At least one at 0x100 or above was printed.
    pub extended: bool,
    /// `<access denied>`: lspci was not run as root.
    pub denied: bool,
}

/// The ACS capability as printed: its lines, or only its name (`-v`).
#[derive(Debug, Default)]
pub(super) struct AcsText {
    pub named: bool,
    pub capability: Option<AcsBits>,
    pub control: Option<AcsBits>,
}

/// The SR-IOV registers that say where virtual functions are.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sriov {
    /// The capability is there; `-v` prints no more of it.
    pub named: bool,
    pub total: Option<u16>,
    pub enabled: Option<u16>,
    pub offset: Option<u16>,
    pub stride: Option<u16>,
}

impl Record {
    /// Takes a function's first line. A text can have a function twice: in words, then in hex.
    pub fn begin(&mut self, header: &str) {
        self.end();
        if self.header.len() < header.len() {
            self.header.clear();
            self.header.push_str(header);
        }
    }

    /// Ends a dump: the longest one is kept.
    pub fn end(&mut self) {
        let known = self
            .config
            .as_ref()
            .map_or(0, |config| config.bytes().len());
        let dump = std::mem::take(&mut self.dump);
        if dump.len() > known {
            self.config = Some(ConfigSpace::new(dump));
        }
    }

    pub fn hex(&mut self, line: &HexLine) {
        if line.is_first() {
            self.end();
            self.dump.reserve(256);
        }
        line.append_to(&mut self.dump);
    }

    /// A line of words. One that says nothing known may be the rest of a first line that was wrapped
    /// before its ids.
    pub fn text(&mut self, line: &str) {
        if attribute::read(self, line) || self.verbose || !self.dump.is_empty() {
            return;
        }
        if self.header.len() + line.len() < MAX_HEADER
            && attribute::ids(&self.header).is_none()
            && attribute::ids(line).is_some()
        {
            self.header.push(' ');
            self.header.push_str(line);
        }
    }
}
