use std::borrow::Cow;
use std::collections::VecDeque;
use std::rc::Rc;

use hardware::{Machine, Reading};
use pci::{AcsBits, Address, FunctionId, PortType};
use serde::Serialize;

use crate::platform::is_iommu;
use crate::topology::{Above, Bus, Facts, Topology};
use crate::{Override, Term};

mod quirks;

use quirks::Outcome;

/// Whether something keeps peer-to-peer traffic apart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Isolation {
    /// It does.
    Yes,
    /// It does not.
    No,
    /// It could not be read, and why.
    Unknown(Cow<'static, str>),
}

/// The four services that the kernel asks of every port on the way up (`REQ_ACS_FLAGS`, PCI Express Base
/// specification 6.12.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AcsService {
    /// SV: requests come from a bus that is behind the port.
    SourceValidation,
    /// RR: peer-to-peer requests go to the root complex.
    RequestRedirect,
    /// CR: completions of such requests do, too.
    CompletionRedirect,
    /// UF: what comes back from above is not routed around.
    UpstreamForwarding,
}

/// Which register tells whether a service is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Basis {
    /// The control register, as the kernel set it with its IOMMU on.
    Control,
    /// The capability register: with the IOMMU off control says nothing, and with it on the kernel switches
    /// on whatever of the four the function can do (`pci_enable_acs`).
    Capability,
}

/// Access control of one function as the kernel sees it (`pci_acs_enabled`, drivers/pci/pci.c).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AcsState {
    /// The capability register; absent without the capability.
    pub capability: Reading<AcsBits>,
    /// The control register; where the hardware keeps it as a double word, that one.
    pub control: Reading<AcsBits>,
    /// Which of both counts.
    pub basis: Basis,
    /// What the kernel's table of quirks knows of this id, where that decides.
    pub quirk: Option<&'static str>,
    /// The word of the override that declares it isolated.
    pub declared_by: Option<Term>,
    services: Services,
    /// The registers decide, not the kind of function, a quirk or an override.
    by_registers: bool,
}

/// The four services, in the order of the register.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
enum Services {
    Alike(Isolation),
    Each([Isolation; 4]),
}

const IOMMU_OFF: &str = "the kernel switches ACS on only with its IOMMU, and that is off";

impl Isolation {
    /// Whether it isolates for certain.
    pub fn is_yes(&self) -> bool {
        *self == Self::Yes
    }

    /// Both do. What does not isolate decides, whatever is not known of the other.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::No, _) | (_, Self::No) => Self::No,
            (Self::Unknown(why), _) | (Self::Yes, Self::Unknown(why)) => Self::Unknown(why.clone()),
            (Self::Yes, Self::Yes) => Self::Yes,
        }
    }

    fn unknown(why: impl Into<Cow<'static, str>>) -> Self {
        Self::Unknown(why.into())
    }

    fn from_bool(isolates: bool) -> Self {
        if isolates { Self::Yes } else { Self::No }
    }
}

impl AcsService {
    /// All four, in the order of the register.
    pub const ALL: [Self; 4] = [
        Self::SourceValidation,
        Self::RequestRedirect,
        Self::CompletionRedirect,
        Self::UpstreamForwarding,
    ];

    /// Its bit in both registers.
    pub const fn bit(self) -> u16 {
        match self {
            Self::SourceValidation => AcsBits::SV,
            Self::RequestRedirect => AcsBits::RR,
            Self::CompletionRedirect => AcsBits::CR,
            Self::UpstreamForwarding => AcsBits::UF,
        }
    }
}

impl AcsState {
    /// Whether this service is in effect while the kernel uses its IOMMU, which decides the groups. A service
    /// that the capability lacks is not needed; one that is no matter for the kind of function counts as in
    /// effect.
    pub fn service(&self, service: AcsService) -> &Isolation {
        let [sv, rr, cr, uf] = match &self.services {
            Services::Alike(all) => return all,
            Services::Each(each) => each,
        };
        match service {
            AcsService::SourceValidation => sv,
            AcsService::RequestRedirect => rr,
            AcsService::CompletionRedirect => cr,
            AcsService::UpstreamForwarding => uf,
        }
    }

    /// Whether this service is in effect now: not known of one that the kernel has yet to switch on.
    pub fn now(&self, service: AcsService) -> Isolation {
        let switched = self
            .capability
            .known()
            .is_some_and(|capability| capability.has(service.bit()));
        if self.by_registers && switched && self.basis == Basis::Capability {
            return Isolation::Unknown(IOMMU_OFF.into());
        }
        self.service(service).clone()
    }

    /// Whether all four are in effect while the kernel uses its IOMMU; none where that is not known.
    pub(crate) fn answer(&self) -> Option<bool> {
        let each = match &self.services {
            Services::Alike(all) => std::slice::from_ref(all),
            Services::Each(each) => each,
        };
        if each.contains(&Isolation::No) {
            return Some(false);
        }
        each.iter().all(Isolation::is_yes).then_some(true)
    }

    pub(crate) fn is_isolating(&self) -> bool {
        self.answer() == Some(true)
    }

    /// Whether all four are in effect while the kernel uses its IOMMU.
    pub fn isolates(&self) -> Isolation {
        match &self.services {
            Services::Alike(all) => all.clone(),
            Services::Each(each) => each
                .iter()
                .fold(Isolation::Yes, |all, service| all.and(service)),
        }
    }
}

/// Access control of many functions. On a large machine most have the same as one shortly before them.
#[derive(Default)]
pub(crate) struct States(VecDeque<Rc<AcsState>>);

/// So many are compared.
const RECENT: usize = 4;

impl States {
    /// The state, in one copy for functions that have the same.
    pub fn shared(&mut self, state: AcsState) -> Rc<AcsState> {
        if let Some(known) = self.0.iter().find(|known| ***known == state) {
            return Rc::clone(known);
        }
        let state = Rc::new(state);
        self.0.push_front(Rc::clone(&state));
        self.0.truncate(RECENT);
        state
    }
}

/// What all functions of a machine are judged by.
pub(crate) struct Judge<'a, 'm, 'o> {
    topology: &'a Topology<'m>,
    requested: &'o Override,
    basis: Basis,
    amd_iommu: Reading<bool>,
}

impl Basis {
    /// Control where the kernel uses an IOMMU, which shows in its units or its groups.
    pub(crate) fn of(machine: &Machine) -> Self {
        let units = machine.iommu_units.known();
        let groups = machine.groups.known();
        let active = units.is_some_and(|units| !units.is_empty())
            || groups.is_some_and(|groups| !groups.is_empty())
            || machine
                .functions
                .iter()
                .any(|function| function.group.known().is_some());
        if active {
            Self::Control
        } else {
            Self::Capability
        }
    }
}

impl<'a, 'm, 'o> Judge<'a, 'm, 'o> {
    pub fn new(machine: &Machine, topology: &'a Topology<'m>, requested: &'o Override) -> Self {
        let has_unit = topology
            .functions()
            .any(|function| is_iommu(function.class));
        let amd_iommu = match &machine.tables {
            _ if has_unit => Reading::Known(true),
            Reading::Known(tables) => Reading::Known(tables.contains_key("IVRS")),
            Reading::Absent => Reading::Known(false),
            Reading::Unknown(why) => Reading::Unknown(why.clone()),
        };
        Self {
            topology,
            requested,
            basis: Basis::of(machine),
            amd_iommu,
        }
    }

    /// Whether the override asked for says anything of this function.
    pub fn is_asked(&self, id: FunctionId, facts: &Facts) -> bool {
        facts.port.known().is_some_and(|port| {
            let term = self.requested.covers(id, *port, facts.multifunction);
            term.is_some()
        })
    }

    /// `pci_acs_enabled` for one function: quirks first, then the override, then the rule for its kind.
    pub fn judge(&self, address: Address, id: FunctionId, facts: &Facts) -> AcsState {
        let (quirk, outcome) = quirks::find(self, address, id, facts)
            .map_or((None, None), |(name, outcome)| (Some(name), Some(outcome)));
        let mut state = AcsState {
            capability: facts.acs.as_ref().map(|acs| acs.capability),
            control: facts.acs.as_ref().map(|acs| acs.control),
            basis: self.basis,
            quirk,
            declared_by: None,
            services: Services::Alike(Isolation::No),
            by_registers: false,
        };
        match outcome {
            Some(Outcome::All(isolation)) => state.set_all(&isolation),
            Some(Outcome::Control(control)) => {
                state.control = control;
                state.read_registers();
            }
            None => self.without_quirk(&mut state, id, facts),
        }
        state
    }

    fn without_quirk(&self, state: &mut AcsState, id: FunctionId, facts: &Facts) {
        let port = match &facts.port {
            Reading::Known(port) => *port,
            // On a conventional bus every device hears every transaction.
            Reading::Absent => return state.set_all(&Isolation::No),
            Reading::Unknown(why) => return state.set_all(&Isolation::Unknown(why.clone())),
        };
        if let Some(term) = self.requested.covers(id, port, facts.multifunction) {
            match (&facts.acs, self.basis) {
                (Reading::Absent, _) => {
                    state.declared_by = Some(term);
                    return state.set_all(&Isolation::Yes);
                }
                // Declared without the capability, switched on with it: isolated either way.
                (Reading::Unknown(_), Basis::Capability) => return state.set_all(&Isolation::Yes),
                _ => {}
            }
        }
        match port {
            PortType::RootPort | PortType::DownstreamPort => state.read_registers(),
            PortType::Endpoint
            | PortType::LegacyEndpoint
            | PortType::UpstreamPort
            | PortType::RootComplexEndpoint
                if facts.multifunction =>
            {
                state.read_registers();
            }
            PortType::PcieToPciBridge | PortType::PciToPcieBridge | PortType::EventCollector => {
                state.set_all(&Isolation::No);
            }
            // A function alone in its device has no peer.
            _ => state.set_all(&Isolation::Yes),
        }
    }

    /// Whether the function is on a root bus.
    fn on_root_bus(&self, address: Address) -> bool {
        self.topology.above(Bus::of(address)) == Some(&Above::Root)
    }
}

impl AcsState {
    fn set_all(&mut self, isolation: &Isolation) {
        self.services = Services::Alike(isolation.clone());
    }

    /// `pci_acs_flags_enabled`: a service that the capability lacks is hard-wired, and not asked for.
    fn read_registers(&mut self) {
        self.by_registers = true;
        let capability = match &self.capability {
            Reading::Known(capability) => *capability,
            Reading::Absent => return self.set_all(&Isolation::No),
            Reading::Unknown(why) => return self.set_all(&Isolation::Unknown(why.clone())),
        };
        self.services = Services::Each(AcsService::ALL.map(|service| {
            let bit = service.bit();
            if !capability.has(bit) || self.basis == Basis::Capability {
                return Isolation::Yes;
            }
            match &self.control {
                Reading::Known(control) => Isolation::from_bool(control.has(bit)),
                Reading::Absent => Isolation::No,
                Reading::Unknown(why) => Isolation::Unknown(why.clone()),
            }
        }));
    }
}

#[cfg(test)]
mod tests;
