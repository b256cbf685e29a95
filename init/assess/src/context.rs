use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write;
use std::rc::Rc;

use hardware::{Function, HostDevice, Machine, Reading, RomReading};
use isolation::{Override, Predictor};
use pci::{Address, AddressMap, FunctionId, PortType};

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
    /// By address, each once.
    functions: Vec<&'a Function>,
    /// Where in `functions`.
    places: AddressMap<usize>,
    /// IOMMU groups.
    pub groups: Groups,
    /// Members of each group that are no bridges.
    endpoints: BTreeMap<u32, Vec<Address>>,
    /// The kernel's rules at work on this machine, without any override.
    pub predictor: Rc<Predictor<'a>>,
    /// The same under the override asked for.
    pub asked: Rc<Predictor<'a>>,
    pub options: &'a Options,
    /// At each function's place.
    rom_summaries: Vec<RomSummary>,
    /// How evidence names the first other members of each group.
    member_labels: RefCell<HashMap<u32, Vec<Rc<str>>>>,
}

/// By address; of two at one address the last counts.
fn in_order(functions: &[Function]) -> Vec<&Function> {
    let mut functions: Vec<&Function> = functions.iter().collect();
    functions.sort_by_key(|function| function.address);
    functions.dedup_by(|later, kept| {
        let same = later.address == kept.address;
        if same {
            *kept = *later;
        }
        same
    });
    functions
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
        let told = (told != options.acs_override).then(|| predict(&told));
        let groups = Groups::new(machine, told.as_deref(), &asked, &options.acs_override);
        let functions = in_order(&machine.functions);
        let places: AddressMap<usize> = functions.iter().map(|f| f.address).zip(0..).collect();
        let is_bridge = |address: &Address| {
            let function = places.get(address).and_then(|place| functions.get(*place));
            function.is_some_and(|function| function.class.is_bridge())
        };
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
            host: host_devices(machine),
            cards: cards(functions.iter().copied()),
            names,
            groups,
            predictor,
            asked,
            options,
            rom_summaries: functions
                .iter()
                .map(|function| rom::summary(function, roms))
                .collect(),
            member_labels: RefCell::default(),
            functions,
            places,
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
        self.functions.get(*self.places.get(&address)?).copied()
    }

    /// Every function once, by address.
    pub fn functions(&self) -> impl Iterator<Item = &'a Function> {
        self.functions.iter().copied()
    }

    /// Every function on this bus.
    pub fn on_bus(&self, domain: u32, bus: u8) -> impl Iterator<Item = &'a Function> {
        let bus = (domain, bus);
        let is_before =
            |function: &&Function| (function.address.domain, function.address.bus) < bus;
        let first = self.functions.partition_point(is_before);
        let rest = self.functions.get(first..).unwrap_or_default().iter();
        rest.copied()
            .take_while(move |function| (function.address.domain, function.address.bus) == bus)
    }

    /// Groups by id, each with its members by address.
    pub fn groups(&self) -> &BTreeMap<u32, BTreeSet<Address>> {
        self.groups.judged()
    }

    /// The group of a function.
    pub fn group_of(&self, function: &Function) -> Reading<u32> {
        self.groups.of(function)
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

    /// How many they are.
    pub fn count_foreign_endpoints(&self, card: &CardFunctions, group: u32) -> usize {
        let members = self.endpoints.get(&group).map_or(&[][..], Vec::as_slice);
        let own = card.functions.iter();
        let own = own.filter(|function| members.binary_search(&function.address).is_ok());
        members.len() - own.count()
    }

    /// The first of them, as evidence names them. All cards of a group name the same ones.
    pub fn foreign_labels(&self, card: &CardFunctions, group: u32, count: usize) -> Vec<Rc<str>> {
        let members = self.endpoints.get(&group).map_or(&[][..], Vec::as_slice);
        let mut known = self.member_labels.borrow_mut();
        let known = known.entry(group).or_default();
        let foreign = members.iter().enumerate();
        let foreign = foreign
            .filter(|(_, address)| !card.has(**address))
            .take(count);
        let mut labels = Vec::with_capacity(count);
        for (place, _) in foreign {
            for member in members.iter().take(place + 1).skip(known.len()) {
                known.push(self.label(*member).into());
            }
            labels.extend(known.get(place).cloned());
        }
        labels
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
        let place = self.places.get(&function.address);
        place
            .and_then(|place| self.rom_summaries.get(*place))
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
