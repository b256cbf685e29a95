//! What the kernel knows of access control in hardware that does not tell, or tells it wrongly
//! (`pci_dev_acs_enabled`, drivers/pci/quirks.c).

use hardware::Reading;
use pci::{AcsBits, Address, FunctionId, PortType, extended};

use super::{Isolation, Judge};
use crate::topology::Facts;

/// What a quirk makes of a function.
pub(super) enum Outcome {
    /// All four services.
    All(Isolation),
    /// The registers decide, with this control register.
    Control(Reading<AcsBits>),
}

/// Device ids of a vendor, as inclusive ranges.
type Ids = &'static [(u16, u16)];

/// Kinds of function that a quirk is for.
#[derive(Clone, Copy)]
enum Kind {
    Any,
    RootPort,
    Port,
    RootComplexEndpoint,
}

#[derive(Clone, Copy)]
enum Rule {
    /// The hardware lets no peer-to-peer through.
    Isolates,
    /// The kernel takes its word for nothing.
    NeverIsolates,
    /// Functions of an AMD southbridge on a root bus do not talk to each other where there is an AMD IOMMU.
    Southbridge,
    /// Ports without the capability; the kernel switches peer decoding off through the LPC bridge's registers.
    PchPort,
    /// The control register is a double word behind a capability of a double word.
    DoubleWords,
}

struct Quirk {
    name: &'static str,
    vendor: u16,
    ids: Ids,
    kind: Kind,
    rule: Rule,
}

const fn quirk(name: &'static str, vendor: u16, ids: Ids, kind: Kind, rule: Rule) -> Quirk {
    Quirk {
        name,
        vendor,
        ids,
        kind,
        rule,
    }
}

const ANY_ID: Ids = &[(0, u16::MAX)];
const INTEL: u16 = 0x8086;
const BROADCOM: u16 = 0x14e4;
const QUALCOMM: u16 = 0x17cb;
const CAVIUM: u16 = 0x177d;
const ZHAOXIN: u16 = 0x1d17;
const WANGXUN: u16 = 0x8088;

const NO_PEER: &str = "the vendor says that its functions do not talk to each other";
const NO_PORT_PEER: &str = "the vendor says that the port lets no peer-to-peer through";
const SOUTHBRIDGE: &str = "functions of this AMD southbridge do not talk to each other";

const INTEL_NICS: Ids = &[
    (0x105e, 0x1060),
    (0x10a7, 0x10a7),
    (0x10a9, 0x10a9),
    (0x10c6, 0x10c6),
    (0x10c9, 0x10c9),
    (0x10d6, 0x10d6),
    (0x10d9, 0x10d9),
    (0x10db, 0x10db),
    (0x10dd, 0x10dd),
    (0x10e1, 0x10e1),
    (0x10e6, 0x10e8),
    (0x10f1, 0x10f1),
    (0x10f7, 0x10fc),
    (0x1507, 0x1507),
    (0x1509, 0x150a),
    (0x150d, 0x1511),
    (0x1514, 0x1514),
    (0x1516, 0x1516),
    (0x1518, 0x1518),
    (0x151c, 0x151c),
    (0x1521, 0x1524),
    (0x1526, 0x1527),
    (0x1529, 0x152a),
    (0x154d, 0x154d),
    (0x154f, 0x154f),
    (0x1551, 0x1551),
    (0x1558, 0x1558),
    (0x15b7, 0x15b8),
];

/// Chipsets of the series 5 to 9, C600 and C610.
const PCH_PORTS_WITHOUT_ACS: Ids = &[
    (0x1c10, 0x1c1f),
    (0x1d10, 0x1d10),
    (0x1d12, 0x1d12),
    (0x1d14, 0x1d14),
    (0x1d16, 0x1d16),
    (0x1d18, 0x1d18),
    (0x1d1a, 0x1d1a),
    (0x1d1c, 0x1d1c),
    (0x1d1e, 0x1d1e),
    (0x1e10, 0x1e1f),
    (0x3b42, 0x3b51),
    (0x8c10, 0x8c1f),
    (0x8c90, 0x8c90),
    (0x8c92, 0x8c92),
    (0x8c94, 0x8c94),
    (0x8c96, 0x8c96),
    (0x8c98, 0x8c98),
    (0x8c9a, 0x8c9a),
    (0x8c9c, 0x8c9c),
    (0x8c9e, 0x8c9e),
    (0x8d10, 0x8d1e),
    (0x9c10, 0x9c1b),
    (0x9c90, 0x9c9b),
];

/// Chipsets of the series 100 and 200 and their mobile siblings (errata 23 and 22).
const PCH_PORTS_WITH_DOUBLE_WORDS: Ids = &[
    (0x9d10, 0x9d1b),
    (0xa110, 0xa11f),
    (0xa167, 0xa16a),
    (0xa290, 0xa29f),
    (0xa2e7, 0xa2ee),
];

const NXP_PORTS: Ids = &[
    (0x8d80, 0x8d83),
    (0x8d88, 0x8d8b),
    (0x8d90, 0x8d93),
    (0x8d98, 0x8d9b),
    (0x8da0, 0x8da1),
    (0x8da8, 0x8da9),
    (0x8db0, 0x8db1),
    (0x8db8, 0x8db9),
];

const LOONGSON_PORTS: Ids = &[
    (0x3c09, 0x3c09),
    (0x3c19, 0x3c19),
    (0x3c29, 0x3c29),
    (0x7a09, 0x7a09),
    (0x7a19, 0x7a19),
    (0x7a29, 0x7a29),
    (0x7a39, 0x7a39),
    (0x7a49, 0x7a49),
    (0x7a59, 0x7a59),
    (0x7a69, 0x7a69),
];

const WANGXUN_NICS: Ids = &[
    (0x0100, 0x010f),
    (0x1001, 0x1001),
    (0x2001, 0x2001),
    (0x5010, 0x5010),
    (0x5025, 0x5025),
    (0x5040, 0x5040),
    (0x5110, 0x5110),
    (0x5125, 0x5125),
    (0x5140, 0x5140),
];

/// In the kernel's order where one id meets several: the first that answers counts.
#[rustfmt::skip]
const QUIRKS: &[Quirk] = &[
    quirk(SOUTHBRIDGE, 0x1002, &[(0x4383, 0x4385), (0x4399, 0x4399), (0x439c, 0x439d)], Kind::Any, Rule::Southbridge),
    quirk(SOUTHBRIDGE, 0x1022, &[(0x7809, 0x7809), (0x780f, 0x780f)], Kind::Any, Rule::Southbridge),
    quirk(NO_PEER, 0x1924, &[(0x0903, 0x0903), (0x0923, 0x0923), (0x0a03, 0x0a03)], Kind::Any, Rule::Isolates),
    quirk(NO_PEER, INTEL, INTEL_NICS, Kind::Any, Rule::Isolates),
    quirk("Intel lets functions of the root complex talk by translated addresses only", INTEL, ANY_ID, Kind::RootComplexEndpoint, Rule::Isolates),
    quirk(NO_PORT_PEER, QUALCOMM, &[(0x0111, 0x0111), (0x0115, 0x0115), (0x0120, 0x0120), (0x0400, 0x0401)], Kind::Any, Rule::Isolates),
    quirk(NO_PORT_PEER, 0x1dbf, &[(0x0401, 0x0401)], Kind::Any, Rule::Isolates),
    quirk("this Intel chipset's port isolates by registers of its own", INTEL, PCH_PORTS_WITHOUT_ACS, Kind::RootPort, Rule::PchPort),
    quirk("this Intel chipset's port keeps its ACS registers as double words", INTEL, PCH_PORTS_WITH_DOUBLE_WORDS, Kind::RootPort, Rule::DoubleWords),
    quirk(NO_PEER, 0x19a2, &[(0x0710, 0x0710)], Kind::Any, Rule::Isolates),
    quirk(NO_PEER, 0x10df, &[(0x0720, 0x0720)], Kind::Any, Rule::Isolates),
    quirk(NO_PORT_PEER, CAVIUM, &[(0xa000, 0xa7ff), (0xaf84, 0xaf84), (0xb884, 0xb884)], Kind::RootPort, Rule::Isolates),
    quirk(NO_PEER, CAVIUM, &[(0xa026, 0xa026), (0xa059, 0xa060)], Kind::Any, Rule::Isolates),
    quirk(NO_PORT_PEER, 0x10e8, &[(0xe004, 0xe004)], Kind::Any, Rule::Isolates),
    quirk(NO_PORT_PEER, 0x1def, &[(0xe005, 0xe00c)], Kind::Any, Rule::Isolates),
    quirk(NO_PEER, BROADCOM, &[(0x16d7, 0x16d7), (0x1750, 0x1752), (0x1760, 0x1763)], Kind::Any, Rule::Isolates),
    quirk(NO_PORT_PEER, BROADCOM, &[(0xd714, 0xd714)], Kind::Any, Rule::Isolates),
    quirk(NO_PORT_PEER, 0x0014, LOONGSON_PORTS, Kind::Any, Rule::Isolates),
    quirk(NO_PORT_PEER, 0x1c36, &[(0x0031, 0x0031)], Kind::RootPort, Rule::Isolates),
    quirk(NO_PEER, ZHAOXIN, &[(0x3038, 0x3038), (0x3104, 0x3104), (0x9083, 0x9083)], Kind::Any, Rule::Isolates),
    quirk(NO_PORT_PEER, 0x1957, NXP_PORTS, Kind::Any, Rule::Isolates),
    quirk(NO_PORT_PEER, ZHAOXIN, &[(0x0710, 0x071e), (0x0721, 0x0721), (0x0723, 0x0752)], Kind::Port, Rule::Isolates),
    quirk("the kernel trusts no other port of this vendor", ZHAOXIN, ANY_ID, Kind::Port, Rule::NeverIsolates),
    quirk(NO_PEER, WANGXUN, WANGXUN_NICS, Kind::Any, Rule::Isolates),
    quirk("the kernel trusts no other device of this vendor", WANGXUN, ANY_ID, Kind::Any, Rule::NeverIsolates),
];

/// The quirk that decides about a function, and how.
pub(super) fn find(
    judge: &Judge,
    address: Address,
    id: FunctionId,
    facts: &Facts,
) -> Option<(&'static str, Outcome)> {
    QUIRKS
        .iter()
        .filter(|quirk| quirk.vendor == id.vendor.0)
        .filter(|quirk| has(quirk.ids, id.device.0))
        .find_map(|quirk| Some((quirk.name, quirk.outcome(judge, address, facts)?)))
}

fn has(ids: Ids, id: u16) -> bool {
    ids.iter()
        .any(|(first, last)| (*first..=*last).contains(&id))
}

impl Quirk {
    fn outcome(&self, judge: &Judge, address: Address, facts: &Facts) -> Option<Outcome> {
        match (self.kind.is_of(&facts.port), self.rule) {
            (Isolation::No, _) => None,
            (Isolation::Unknown(why), _) => Some(Outcome::All(Isolation::Unknown(why))),
            (Isolation::Yes, Rule::Isolates) => Some(Outcome::All(Isolation::Yes)),
            (Isolation::Yes, Rule::NeverIsolates) => Some(Outcome::All(Isolation::No)),
            (Isolation::Yes, Rule::Southbridge) => southbridge(judge, address, facts),
            (Isolation::Yes, Rule::PchPort) => Some(Outcome::All(pch_port(judge, address))),
            (Isolation::Yes, Rule::DoubleWords) => double_words(judge, address, facts),
        }
    }
}

impl Kind {
    /// Whether a function is of this kind.
    fn is_of(self, port: &Reading<PortType>) -> Isolation {
        let kinds: &[PortType] = match self {
            Self::Any => return Isolation::Yes,
            Self::RootPort => &[PortType::RootPort],
            Self::Port => &[PortType::RootPort, PortType::DownstreamPort],
            Self::RootComplexEndpoint => &[PortType::RootComplexEndpoint],
        };
        match port {
            Reading::Known(port) => Isolation::from_bool(kinds.contains(port)),
            Reading::Absent => Isolation::No,
            Reading::Unknown(why) => Isolation::Unknown(why.clone()),
        }
    }
}

/// `pci_quirk_amd_sb_acs`: it answers only for functions of several on a root bus, where firmware has an
/// IVRS table.
fn southbridge(judge: &Judge, address: Address, facts: &Facts) -> Option<Outcome> {
    if !facts.multifunction || !judge.on_root_bus(address) {
        return None;
    }
    match &judge.amd_iommu {
        Reading::Known(true) => Some(Outcome::All(Isolation::Yes)),
        Reading::Known(false) | Reading::Absent => None,
        Reading::Unknown(why) => Some(Outcome::All(Isolation::Unknown(why.clone()))),
    }
}

/// Root complex base address register of the LPC bridge, bit 0: enabled.
const RCBA: usize = 0xf0;

/// `pci_quirk_enable_intel_lpc_acs`: the kernel reaches the chipset's registers through the LPC bridge at
/// 1f.0, where firmware has enabled them.
fn pch_port(judge: &Judge, port: Address) -> Isolation {
    let bridge = Address {
        device: 0x1f,
        function: 0,
        ..port
    };
    let Some(lpc) = judge.topology.function(bridge) else {
        return Isolation::unknown(format!(
            "the LPC bridge {bridge} is not among the functions"
        ));
    };
    let register = lpc.config.known().and_then(|config| config.u32(RCBA));
    register.map_or_else(
        || {
            Isolation::unknown(format!(
                "register F0h of the LPC bridge {bridge} was not read"
            ))
        },
        |register| Isolation::from_bool(register & 1 != 0),
    )
}

/// `pci_quirk_intel_spt_pch_acs`: without the capability it does not answer.
fn double_words(judge: &Judge, address: Address, facts: &Facts) -> Option<Outcome> {
    if facts.acs == Reading::Absent {
        return None;
    }
    let config = judge.topology.function(address)?.config.known();
    let control = config.and_then(|config| {
        let entry = config.find_extended(extended::ACCESS_CONTROL_SERVICES)??;
        config.u16(entry.offset + 8)
    });
    let control = control.map_or_else(
        || {
            Reading::unknown(format!(
                "the double word ACS registers of {address} were not read"
            ))
        },
        |control| Reading::Known(AcsBits(control)),
    );
    Some(Outcome::Control(control))
}
