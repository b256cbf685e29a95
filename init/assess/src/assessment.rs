use std::borrow::Cow;

use hardware::RomSource;
use option_rom::{ProblemId, Rom};
use pci::{Acs, Address, ClassCode, DeviceId, VendorId};
use serde::{Deserialize, Serialize};

use crate::{AtsSummary, IommuUnitSummary, ReservedRegionSummary};

/// What one machine allows, and why. Its JSON is the contract of `preflight assess --format json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Assessment {
    /// `preflight.assessment/1`.
    pub schema: String,
    /// The machine, in a person's words: board, processor, firmware.
    pub machine: MachineSummary,
    /// The kernel that judged.
    pub kernel: KernelSummary,
    /// The IOMMU.
    pub iommu: Iommu,
    /// The ACS override that cards are judged under, as on the command line; `none` without one.
    pub acs_override: String,
    /// Whose groups cards are judged by: predicted ones where the kernel has none, or an override is asked
    /// for.
    pub judged_by: GroupSource,
    /// The kernel whose rules the prediction follows.
    pub prediction_model: String,
    /// The kernel's groups where it has them, else the predicted ones; by ascending id.
    pub groups: Vec<GroupSummary>,
    /// The predicted groups beside the kernel's, under the override asked for; by ascending id.
    pub groups_predicted: Vec<GroupSummary>,
    /// Cards: display cards first, then the others, each by address.
    pub cards: Vec<Card>,
    /// Every function, by address.
    pub functions: Vec<FunctionSummary>,
    /// Every finding: those of the machine first, then by function; the worst first.
    pub findings: Vec<Finding>,
}

/// Board, processor and firmware.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachineSummary {
    /// Board vendor and name.
    pub board: Option<String>,
    /// Firmware version and date.
    pub bios: Option<String>,
    /// Processor.
    pub cpu: Option<String>,
    /// `bios` or `uefi`.
    pub firmware: Option<hardware::FirmwareKind>,
}

/// The kernel that judged, and what was set on its command line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KernelSummary {
    /// `uname -r`.
    pub release: Option<String>,
    /// /proc/cmdline.
    pub command_line: Option<String>,
}

/// A question that evidence answers or does not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Answer {
    /// Read, and so.
    Yes,
    /// Read, and not so.
    No,
    /// Not read.
    #[default]
    Unknown,
}

/// Whose IOMMU the firmware describes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IommuVendor {
    /// A DMAR table.
    Intel,
    /// An IVRS table.
    Amd,
    /// Neither.
    None,
}

/// The IOMMU as firmware describes it and as the kernel uses it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Iommu {
    /// From the table, even when the IOMMU is off.
    pub vendor: IommuVendor,
    /// Firmware describes an IOMMU; unknown when the tables could not be read.
    pub firmware: Answer,
    /// The kernel uses it.
    pub active: Answer,
    /// Interrupts of devices are remapped.
    pub interrupt_remapping: Answer,
    /// DMAR flags bit 1: firmware asks the kernel not to use x2APIC.
    pub x2apic_opt_out: bool,
    /// DMAR flags bit 2 or IVinfo bit 1: firmware asks the kernel to keep DMA remapping on.
    pub dma_opt_in: Answer,
    /// Bits of a physical address that devices can use, from the table.
    pub address_width: Option<u16>,
    /// Names of the units that a driver has registered.
    pub units: Vec<String>,
    /// The units of the table, in its order.
    pub unit_details: Vec<IommuUnitSummary>,
    /// For what the firmware allows address translation services.
    pub ats: AtsSummary,
    /// Ranges that must stay mapped one to one (kinds `direct` and `direct-relaxable`).
    pub reserved_regions: Vec<ReservedRegionSummary>,
}

/// Where a group comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GroupSource {
    /// Read from the running kernel.
    Kernel,
    /// Worked out by us.
    Predicted,
}

/// An IOMMU group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupSummary {
    /// Its number.
    pub id: u32,
    /// Where it comes from.
    pub source: GroupSource,
    /// Members by address.
    pub functions: Vec<Address>,
}

/// Whether a card can be given to a guest. Ordered from best to worst: of several reasons the worst
/// counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Nothing stands against it.
    Ready,
    /// It works with care.
    Caution,
    /// What decides it could not be read.
    Unknown,
    /// It cannot, as the machine is now.
    Blocked,
}

/// All functions in one slot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Card {
    /// Name of the physical slot, where the board names it.
    pub slot: Option<String>,
    /// The root or downstream port above it; none on a root bus.
    pub port: Option<Address>,
    /// Its functions.
    pub functions: Vec<Address>,
    /// Can it be given to a guest?
    pub verdict: Verdict,
    /// Ids of the findings that speak about it, machine-wide ones included unless they are mere notes.
    pub findings: Vec<Cow<'static, str>>,
}

/// One function in a person's and a program's words.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FunctionSummary {
    /// Its place.
    pub address: Address,
    /// Vendor id.
    pub vendor: VendorId,
    /// Device id.
    pub device: DeviceId,
    /// Class code.
    pub class: ClassCode,
    /// Vendor and device name from pci.ids.
    pub name: Option<String>,
    /// Bound driver.
    pub driver: Option<String>,
    /// IOMMU group.
    pub group: Option<u32>,
    /// ACS registers.
    pub acs: AcsSummary,
    /// What the function isolates, by its registers and the kernel's tables.
    pub isolation: IsolationSummary,
    /// Reset methods in the kernel's order; none when they could not be read.
    pub reset: Option<Vec<String>>,
    /// Link now and at best.
    pub link: Option<hardware::Link>,
    /// Firmware's boot display.
    pub boot_vga: bool,
    /// The option ROM.
    pub rom: RomSummary,
}

/// ACS of one function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AcsSummary {
    /// It has the capability.
    Present(Acs),
    /// It was looked for and is not there.
    Absent,
    /// The extended configuration space could not be read.
    Unknown,
}

/// Whether a function keeps peer-to-peer traffic apart: registers, the kernel's table of quirks and the
/// override together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IsolationSummary {
    /// As the control register is now; unknown while the IOMMU is off, when it is only what firmware left.
    #[serde(flatten)]
    pub now: Services,
    /// As the kernel sets it with the IOMMU on.
    pub expected: Services,
    /// What the kernel's table of quirks knows of this id, where that decides.
    pub quirk: Option<String>,
    /// The word of the override that declares it isolated though it is not.
    pub declared_by: Option<String>,
}

/// The four services of ACS that the kernel asks for. One that does not matter for the kind of function, or
/// that its capability lacks, counts as yes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Services {
    /// Source Validation.
    pub sv: Answer,
    /// P2P Request Redirect.
    pub rr: Answer,
    /// P2P Completion Redirect.
    pub cr: Answer,
    /// Upstream Forwarding.
    pub uf: Answer,
}

/// The option ROM of one function.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "state")]
pub enum RomSummary {
    /// The function has no ROM region.
    Absent,
    /// It has one and nobody read it.
    Unread,
    /// It was tried and failed.
    Failed {
        /// The id of what happened in docs/findings.md, from the first source that failed.
        problem: String,
        /// What happened, of every source.
        why: String,
    },
    /// It was read.
    Read(Box<RomChoice>),
}

/// The chosen copy of a ROM, and the others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RomChoice {
    /// The chosen copy.
    #[serde(flatten)]
    pub copy: RomCopy,
    /// Why this one, in sentences.
    pub why: String,
    /// Every source that was tried, the chosen one among them.
    pub copies: Vec<CopySummary>,
}

/// One source that was tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopySummary {
    /// What it was read from.
    pub source: RomSource,
    /// Where exactly.
    pub place: String,
    /// Why the bytes may not be what the card's flash holds.
    pub taint: Option<String>,
    /// What came of it.
    #[serde(flatten)]
    pub outcome: CopyOutcome,
}

/// What came of one source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "state")]
pub enum CopyOutcome {
    /// It gave a copy.
    Read {
        /// It is the one.
        chosen: bool,
        /// Bytes.
        length: usize,
        /// SHA-256 of the bytes, hex.
        sha256: String,
        /// Verdict on this copy alone.
        verdict: option_rom::Verdict,
        /// Ids of its problems.
        problems: Vec<ProblemId>,
        /// Whether it agrees with the chosen one.
        agreement: Agreement,
        /// How it relates to the chosen one, in words.
        detail: String,
    },
    /// It gave none.
    Failed {
        /// The id of what happened in docs/findings.md.
        problem: String,
        /// What happened.
        why: String,
    },
}

/// How two copies of a ROM relate, image by image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Agreement {
    /// The same images with the same bytes.
    Same,
    /// The same as far as the shorter one goes.
    Part,
    /// An image differs.
    Different,
    /// One of them has no image.
    Nothing,
}

/// One copy of a ROM, judged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RomCopy {
    /// What it was read from.
    pub source: RomSource,
    /// Where exactly: a path, perhaps with an offset.
    pub place: String,
    /// Why the bytes may not be what the card's flash holds; none when they are clean.
    pub taint: Option<String>,
    /// Bytes.
    pub length: usize,
    /// SHA-256 of the bytes, hex.
    pub sha256: String,
    /// The parsed ROM.
    #[serde(flatten)]
    pub rom: Rom,
}

impl RomCopy {
    /// Whether a guest can be given it: it is whole, and nothing speaks against where it was read.
    pub fn can_be_given(&self) -> bool {
        self.taint.is_none() && self.rom.verdict != option_rom::Verdict::Bad
    }
}

/// How much a finding weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Note,
    /// Works with care.
    Caution,
    /// Stands in the way.
    Blocks,
}

/// One thing that the evidence says, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Its id, with an entry in docs/findings.md.
    pub id: Cow<'static, str>,
    /// Weight.
    pub severity: Severity,
    /// The finding is that something which decides a verdict could not be read.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unknown: bool,
    /// The function it speaks about; none for the whole machine.
    pub function: Option<Address>,
    /// One sentence.
    pub summary: String,
    /// What was read, where.
    pub evidence: Vec<String>,
    /// What to do; none where nothing can be done or needs to be.
    pub remedy: Option<Cow<'static, str>>,
}
