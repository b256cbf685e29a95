use assess::{CopySummary, RomChoice};
use hardware::{Function, RomSource};
use option_rom::Rom;
use pci::{Address, DeviceId, FunctionId, VendorId};
use serde::Serialize;

use super::{Advice, NamedCopy, RomFile};

const SCHEMA: &str = "preflight.rom/1";

/// What the files of one function have in common.
pub(super) struct About<'a> {
    pub address: Address,
    pub id: FunctionId,
    pub function: Option<&'a Function>,
    pub choice: &'a RomChoice,
    pub advice: &'a Advice,
    pub copies: &'a [NamedCopy<'a>],
}

/// What is written beside each copy.
#[derive(Serialize)]
struct Sidecar<'a> {
    schema: &'static str,
    file: String,
    address: Address,
    vendor: VendorId,
    device: DeviceId,
    subsystem: Option<String>,
    present: bool,
    source: RomSource,
    provenance: &'a str,
    taint: Option<&'a str>,
    size: usize,
    sha256: &'a str,
    chosen: bool,
    why: &'a str,
    romfile: Option<String>,
    romfile_reason: &'a str,
    copies: Vec<Other<'a>>,
    #[serde(flatten)]
    rom: &'a Rom,
}

/// Every source that was tried, as the choice has it, with the name of its file.
#[derive(Serialize)]
struct Other<'a> {
    file: Option<String>,
    #[serde(flatten)]
    summary: &'a CopySummary,
}

impl About<'_> {
    /// A copy and what stands beside it.
    pub(super) fn files(&self, named: &NamedCopy<'_>) -> [RomFile; 2] {
        let sidecar = self.sidecar(named);
        let mut text = serde_json::to_vec_pretty(&sidecar).unwrap_or_default();
        text.push(b'\n');
        [
            RomFile {
                name: named.file_name(),
                bytes: named.bytes.to_vec(),
            },
            RomFile {
                name: format!("{}.json", named.stem),
                bytes: text,
            },
        ]
    }

    fn sidecar<'a>(&'a self, named: &'a NamedCopy<'_>) -> Sidecar<'a> {
        let copy = &named.copy;
        let subsystem = self
            .function
            .and_then(|function| function.subsystem.known());
        Sidecar {
            schema: SCHEMA,
            file: named.file_name(),
            address: self.address,
            vendor: self.id.vendor,
            device: self.id.device,
            subsystem: subsystem.map(FunctionId::to_string),
            present: self.function.is_some(),
            source: copy.source,
            provenance: &copy.place,
            taint: copy.taint.as_deref(),
            size: copy.length,
            sha256: &copy.sha256,
            chosen: named.is_chosen,
            why: &self.choice.why,
            romfile: self.advice.line(),
            romfile_reason: self.advice.reason(),
            copies: self
                .choice
                .copies
                .iter()
                .map(|copy| self.other(copy))
                .collect(),
            rom: &copy.rom,
        }
    }

    fn other<'a>(&'a self, summary: &'a CopySummary) -> Other<'a> {
        let named = self
            .copies
            .iter()
            .find(|named| named.copy.source == summary.source && named.copy.place == summary.place);
        Other {
            file: named.map(NamedCopy::file_name),
            summary,
        }
    }
}
