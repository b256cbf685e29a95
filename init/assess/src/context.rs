use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::rc::Rc;

use hardware::{Function, HostDevice, Machine, Reading, RomReading};
use isolation::{Override, Predictor};
use pci::{Address, FunctionId, PortType};

use crate::card::{CardFunctions, cards};
use crate::groups::Groups;
use crate::host::host_devices;
use crate::iommu::{IommuState, Translation};
use crate::kernel::KernelView;
use crate::{Answer, Naming, Options, RomSummary, rom};

/// Longest way up through bridges: there are no more buses than this in a domain.
const MAX_BRIDGES: usize = 256;

/// The machine, and what several rules ask about it, worked out once.
pub(crate) struct Context<'a> {
    pub machine: &'a Machine,
    /// None when nobody read ROMs.
    pub roms: Option<&'a [RomReading]>,
    pub iommu: IommuState,
    /// What the host runs on.
    pub host: Reading<Vec<HostDevice>>,
    pub cards: Vec<CardFunctions<'a>>,
    names: &'a dyn Naming,
    /// Names that were asked for: a machine has far fewer kinds of function than functions.
    known_names: RefCell<BTreeMap<FunctionId, Option<Rc<str>>>>,
    functions: BTreeMap<Address, &'a Function>,
    /// IOMMU groups.
    pub groups: Groups,
    /// Members of each group that are no bridges.
    endpoints: BTreeMap<u32, Vec<Address>>,
    translation: Translation,
    /// The kernel's rules at work on this machine, without any override.
    pub predictor: Rc<Predictor<'a>>,
    /// The same under the override asked for.
    pub asked: Rc<Predictor<'a>>,
    pub options: &'a Options,
    rom_summaries: BTreeMap<Address, RomSummary>,
}

impl<'a> Context<'a> {
    pub fn new(
        machine: &'a Machine,
        roms: Option<&'a [RomReading]>,
        names: &'a dyn Naming,
        options: &'a Options,
    ) -> Self {
        let iommu = IommuState::of(machine);
        let translation = Translation::of(machine, &iommu);
        let predictor = Rc::new(translation.predictor(machine, &Override::NONE));
        let predict = |what: &Override| match what.is_none() {
            true => Rc::clone(&predictor),
            false => Rc::new(translation.under(&predictor, what)),
        };
        let told = machine.kernel.command_line.known();
        let told = told.map_or(Override::NONE, |line| Override::from_command_line(line));
        let asked = predict(&options.acs_override);
        let groups = Groups::new(machine, &predict(&told), &asked, &options.acs_override);
        let functions: BTreeMap<_, _> = machine.functions.iter().map(|f| (f.address, f)).collect();
        let is_bridge =
            |address: &Address| functions.get(address).is_some_and(|f| f.class.is_bridge());
        let endpoints = groups.judged().iter().map(|(id, members)| {
            let endpoints = members.iter().copied().filter(|member| !is_bridge(member));
            (*id, endpoints.collect())
        });
        Self {
            machine,
            roms,
            iommu,
            endpoints: endpoints.collect(),
            known_names: RefCell::default(),
            translation,
            host: host_devices(machine),
            cards: cards(functions.values().copied()),
            names,
            groups,
            predictor,
            asked,
            options,
            rom_summaries: functions
                .values()
                .map(|function| (function.address, rom::summary(function, roms)))
                .collect(),
            functions,
        }
    }

    pub fn kernel(&self) -> KernelView<'a> {
        KernelView(&self.machine.kernel)
    }

    /// Whether the IOMMU is in use; where it is not, there are no groups to judge.
    pub fn iommu_active(&self) -> Answer {
        self.iommu.summary.active
    }

    pub fn function(&self, address: Address) -> Option<&'a Function> {
        self.functions.get(&address).copied()
    }

    /// Every function once, by address.
    pub fn functions(&self) -> impl Iterator<Item = &'a Function> {
        self.functions.values().copied()
    }

    /// Every function on this bus.
    pub fn on_bus(&self, domain: u32, bus: u8) -> impl Iterator<Item = &'a Function> {
        let at = |device, function| Address {
            domain,
            bus,
            device,
            function,
        };
        self.functions
            .range(at(0, 0)..=at(u8::MAX, u8::MAX))
            .map(|(_, function)| *function)
    }

    /// Groups by id, each with its members by address.
    pub fn groups(&self) -> &BTreeMap<u32, BTreeSet<Address>> {
        self.groups.judged()
    }

    /// The group of a function.
    pub fn group_of(&self, function: &Function) -> Reading<u32> {
        self.groups.of(function)
    }

    /// The kernel's rules at work on this machine under another override.
    pub fn predict(&self, what: &Override) -> Predictor<'a> {
        self.translation.under(&self.predictor, what)
    }

    /// What made the groups, for evidence.
    pub fn groups_made_by(&self) -> String {
        self.groups.made_by(&self.kernel().name())
    }

    /// The groups that a card's functions are in, each with the first function there.
    pub fn groups_of(&self, card: &CardFunctions<'a>) -> Vec<(u32, &'a Function)> {
        let mut found: Vec<(u32, &Function)> = Vec::new();
        for function in &card.functions {
            if let Reading::Known(id) = self.group_of(function)
                && !found.iter().any(|(known, _)| *known == id)
            {
                found.push((id, function));
            }
        }
        found
    }

    /// Members of the group that are on other cards. Bridges do not count: VFIO leaves them with the
    /// host, whatever group they are in.
    pub fn foreign_endpoints(
        &self,
        card: &CardFunctions,
        group: u32,
    ) -> impl Iterator<Item = Address> {
        let members = self.endpoints.get(&group).map_or(&[][..], Vec::as_slice);
        members
            .iter()
            .copied()
            .filter(|address| !card.has(*address))
    }

    /// Whether the group has members that are on other cards.
    pub fn is_shared(&self, card: &CardFunctions, group: u32) -> bool {
        self.foreign_endpoints(card, group).next().is_some()
    }

    /// What the host uses on this function.
    pub fn host_devices(&self, address: Address) -> impl Iterator<Item = &HostDevice> {
        let devices = self.host.known().into_iter().flatten();
        devices.filter(move |device| device.function == address)
    }

    /// What is known of the function's ROM.
    pub fn rom(&self, function: &Function) -> &RomSummary {
        self.rom_summaries
            .get(&function.address)
            .unwrap_or(&RomSummary::Unread)
    }

    /// The bridge directly above, where it was read.
    pub fn bridge_above(&self, function: &Function) -> Option<&'a Function> {
        self.function(*function.parent.known()?)
            .filter(|parent| parent.class.is_pci_bridge())
    }

    /// The nearest root or downstream port above; where no bridge above says that it is one, the
    /// bridge directly above.
    pub fn port_above(&self, function: &Function) -> Option<Address> {
        let first = self.bridge_above(function);
        let bridges = std::iter::successors(first, |bridge| self.bridge_above(bridge));
        let port = bridges.take(MAX_BRIDGES).find(|bridge| {
            matches!(
                bridge.port_type(),
                Reading::Known(PortType::RootPort | PortType::DownstreamPort)
            )
        });
        port.map(|bridge| bridge.address)
            .or_else(|| function.parent.known().copied())
    }

    /// Address and name, as evidence names a function.
    pub fn label(&self, address: Address) -> String {
        let Some(function) = self.function(address) else {
            return format!("{address} (not in the list of functions)");
        };
        match self.name_of(function.id) {
            Some(name) => {
                let mut label = String::with_capacity(name.len() + 32);
                // Writing to a string does not fail.
                let _ = write!(label, "{address} {name} [{}]", function.id);
                label
            }
            None => format!("{address} [{}], class {}", function.id, function.class),
        }
    }

    pub fn name(&self, function: &Function) -> Option<String> {
        self.name_of(function.id)
            .map(|name| name.as_ref().to_owned())
    }

    fn name_of(&self, id: FunctionId) -> Option<Rc<str>> {
        let mut known = self.known_names.borrow_mut();
        let name = known
            .entry(id)
            .or_insert_with(|| self.names.function(id).map(Rc::from));
        name.clone()
    }
}
