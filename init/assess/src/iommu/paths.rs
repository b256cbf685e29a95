use std::collections::BTreeMap;

use hardware::acpi::{DeviceScope, PathHop, ScopeKind};
use hardware::{Function, Reading};
use pci::{Address, HeaderType};

/// Longest way up through bridges: there are no more buses than this in a domain.
const MAX_BRIDGES: usize = 256;

/// Where every function is, by the way to it from its root bus.
pub(super) struct Paths<'a> {
    functions: BTreeMap<Address, &'a Function>,
    by_path: BTreeMap<Way, Address>,
    /// Domains with a function to which the way is not known, and why.
    gaps: BTreeMap<u32, String>,
}

/// Domain, root bus, and the steps from there.
type Way = (u32, u8, Vec<PathHop>);

/// What a device scope names on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Resolved {
    /// This function.
    Function(Address),
    /// A function that is no bridge where the scope says bridge, or the other way round. The kernel passes
    /// such a scope over.
    OtherType(Address),
    /// No function that is here.
    Missing,
    /// The way to some function is not known, so it may be this one.
    Unknown(String),
    /// An interrupt controller, timer or ACPI device.
    NotPci,
}

impl<'a> Paths<'a> {
    pub fn of(functions: &'a [Function]) -> Self {
        let functions: BTreeMap<_, _> = functions.iter().map(|f| (f.address, f)).collect();
        let mut paths = Self {
            functions,
            by_path: BTreeMap::new(),
            gaps: BTreeMap::new(),
        };
        for (address, function) in &paths.functions {
            // Scopes never name virtual functions; theirs would be their physical function's way.
            if function.physical_function.known().is_some() {
                continue;
            }
            match paths.way(function) {
                Ok(way) => {
                    paths.by_path.insert(way, *address);
                }
                Err(why) => {
                    paths.gaps.entry(address.domain).or_insert(why);
                }
            }
        }
        paths
    }

    /// The bridges above a function, the nearest first. Ends with an error where the next one is not known.
    pub fn above(
        &self,
        function: &'a Function,
    ) -> impl Iterator<Item = Result<&'a Function, String>> {
        let mut next = Some(Ok(function));
        let upward = std::iter::from_fn(move || {
            let current = next.take()?.ok()?;
            next = match &current.parent {
                Reading::Known(parent) => {
                    Some(self.functions.get(parent).copied().ok_or_else(|| {
                        format!("the bridge {parent} above {} was not read", current.address)
                    }))
                }
                Reading::Absent => None,
                Reading::Unknown(why) => {
                    Some(Err(format!("the bridge above {}: {why}", current.address)))
                }
            };
            next.clone()
        });
        upward.take(MAX_BRIDGES)
    }

    /// The way to a function from its root bus, as the kernel works it out (drivers/iommu/intel/dmar.c,
    /// `dmar_alloc_pci_notify_info`).
    fn way(&self, function: &'a Function) -> Result<Way, String> {
        let hop = |address: Address| PathHop {
            device: address.device,
            function: address.function,
        };
        let mut hops = vec![hop(function.address)];
        let mut top = function;
        for bridge in self.above(function) {
            top = bridge?;
            hops.push(hop(top.address));
        }
        if hops.len() > MAX_BRIDGES {
            return Err(format!(
                "the bridges above {} go in a circle",
                function.address
            ));
        }
        hops.reverse();
        Ok((top.address.domain, top.address.bus, hops))
    }

    /// What a scope names, by the kernel's rule (drivers/iommu/intel/dmar.c, `dmar_match_pci_path` and
    /// `dmar_insert_dev_scope`): the whole way from the root bus; else, for a path of one step, the place
    /// itself, because firmware often writes the bus that the device is on.
    pub fn resolve(&self, segment: u16, scope: &DeviceScope) -> Resolved {
        if !scope.is_pci() {
            return Resolved::NotPci;
        }
        let domain = u32::from(segment);
        let way = (domain, scope.start_bus, scope.path.clone());
        let place = match scope.path[..] {
            [PathHop { device, function }] => Some(Address {
                domain,
                bus: scope.start_bus,
                device,
                function,
            }),
            _ => None,
        };
        let by_way = self.by_path.get(&way).copied();
        let found = by_way
            .or(place)
            .and_then(|at| self.functions.get(&at))
            .filter(|function| function.physical_function.known().is_none());
        match (found, self.gaps.get(&domain)) {
            (Some(function), _) if is_of_type(function, scope.kind) => {
                Resolved::Function(function.address)
            }
            (Some(function), _) => Resolved::OtherType(function.address),
            (None, Some(why)) => Resolved::Unknown(why.clone()),
            (None, None) => Resolved::Missing,
        }
    }

    pub fn functions(&self) -> impl Iterator<Item = &'a Function> {
        self.functions.values().copied()
    }

    pub fn function(&self, address: Address) -> Option<&'a Function> {
        self.functions.get(&address).copied()
    }
}

/// Whether the kernel takes the function for what the scope says. A bridge that transfers nothing but
/// messages (NTB) and a host bridge have an endpoint's header; both kinds of scope may name them.
fn is_of_type(function: &Function, kind: ScopeKind) -> bool {
    let header = function
        .config
        .known()
        .and_then(|config| config.header_type());
    let is_endpoint = match header {
        Some(header) => header == HeaderType::Endpoint,
        None => !function.class.is_pci_bridge(),
    };
    match kind {
        ScopeKind::Endpoint => is_endpoint,
        ScopeKind::SubHierarchy => !is_endpoint || function.class.is_bridge(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{address, function};

    fn below(mut function: Function, parent: &str) -> Function {
        function.parent = Reading::Known(address(parent));
        function
    }

    /// A root port, a switch below it, and a card below that; a second root bus with a card on it.
    fn machine() -> Vec<Function> {
        vec![
            function("00:01.0", 0x06_04_00),
            below(function("01:00.0", 0x06_04_00), "00:01.0"),
            below(function("02:04.0", 0x06_04_00), "01:00.0"),
            below(function("03:00.1", 0x02_00_00), "02:04.0"),
            function("80:02.0", 0x02_00_00),
        ]
        .into_iter()
        .map(|mut function| {
            // A header of type 0 or 1, as the class says.
            let mut bytes = vec![0; 64];
            bytes[0x0e] = u8::from(function.class.is_pci_bridge());
            function.config = Reading::Known(pci::ConfigSpace::new(bytes));
            function
        })
        .collect()
    }

    fn scope(kind: ScopeKind, start_bus: u8, path: &[(u8, u8)]) -> DeviceScope {
        DeviceScope {
            kind,
            flags: 0,
            enumeration_id: 0,
            start_bus,
            path: path
                .iter()
                .map(|(device, function)| PathHop {
                    device: *device,
                    function: *function,
                })
                .collect(),
            offset: 0,
        }
    }

    fn endpoint(start_bus: u8, path: &[(u8, u8)]) -> DeviceScope {
        scope(ScopeKind::Endpoint, start_bus, path)
    }

    #[test]
    fn a_path_of_several_steps_leads_through_bridges_whatever_their_buses() {
        let machine = machine();
        let paths = Paths::of(&machine);
        let card = endpoint(0, &[(1, 0), (0, 0), (4, 0), (0, 1)]);
        assert_eq!(
            paths.resolve(0, &card),
            Resolved::Function(address("03:00.1"))
        );
        let elsewhere = endpoint(0, &[(1, 0), (0, 0), (5, 0), (0, 1)]);
        assert_eq!(paths.resolve(0, &elsewhere), Resolved::Missing);
        // The kernel counts from the root bus alone.
        let from_the_middle = endpoint(1, &[(0, 0), (4, 0), (0, 1)]);
        assert_eq!(paths.resolve(0, &from_the_middle), Resolved::Missing);
        assert_eq!(paths.resolve(1, &card), Resolved::Missing);
    }

    #[test]
    fn a_path_of_one_step_may_begin_at_the_device_s_own_bus() {
        let machine = machine();
        let paths = Paths::of(&machine);
        for (scope, place) in [
            (endpoint(0x80, &[(2, 0)]), "80:02.0"),
            (endpoint(3, &[(0, 1)]), "03:00.1"),
        ] {
            assert_eq!(paths.resolve(0, &scope), Resolved::Function(address(place)));
        }
        assert_eq!(paths.resolve(0, &endpoint(3, &[])), Resolved::Missing);
    }

    #[test]
    fn the_kind_must_be_the_header_s_but_for_bridges_that_look_like_endpoints() {
        let mut machine = machine();
        machine.push(function("00:00.0", 0x06_00_00));
        machine.push(function("00:1c.0", 0x06_04_00));
        let paths = Paths::of(&machine);
        let bridge = |bus, at| scope(ScopeKind::SubHierarchy, bus, &[at]);
        assert_eq!(
            paths.resolve(0, &bridge(0, (1, 0))),
            Resolved::Function(address("00:01.0"))
        );
        assert_eq!(
            paths.resolve(0, &bridge(0, (0, 0))),
            Resolved::Function(address("00:00.0"))
        );
        assert_eq!(
            paths.resolve(0, &bridge(0x80, (2, 0))),
            Resolved::OtherType(address("80:02.0"))
        );
        assert_eq!(
            paths.resolve(0, &endpoint(0, &[(1, 0)])),
            Resolved::OtherType(address("00:01.0"))
        );
        let ioapic = scope(ScopeKind::IoApic, 0xf0, &[(0x1f, 0)]);
        assert_eq!(paths.resolve(0, &ioapic), Resolved::NotPci);
    }

    #[test]
    fn where_a_way_is_not_known_nothing_is_called_missing() {
        let mut machine = machine();
        machine[3].parent = Reading::Unknown("not copied".into());
        let paths = Paths::of(&machine);
        let card = endpoint(0, &[(1, 0), (0, 0), (4, 0), (0, 1)]);
        assert!(
            matches!(paths.resolve(0, &card), Resolved::Unknown(why) if why.contains("not copied"))
        );
        assert_eq!(paths.resolve(1, &card), Resolved::Missing);
    }

    #[test]
    fn a_virtual_function_is_never_what_a_scope_names() {
        let mut machine = machine();
        let mut virtual_function = below(function("04:00.1", 0x02_00_00), "02:04.0");
        virtual_function.physical_function = Reading::Known(address("03:00.1"));
        machine.push(virtual_function);
        let paths = Paths::of(&machine);
        let card = endpoint(0, &[(1, 0), (0, 0), (4, 0), (0, 1)]);
        assert_eq!(
            paths.resolve(0, &card),
            Resolved::Function(address("03:00.1"))
        );
        assert_eq!(paths.resolve(0, &endpoint(4, &[(0, 1)])), Resolved::Missing);
    }

    #[test]
    fn bridges_in_a_circle_end() {
        let machine = vec![
            below(function("00:01.0", 0x06_04_00), "01:00.0"),
            below(function("01:00.0", 0x06_04_00), "00:01.0"),
        ];
        let paths = Paths::of(&machine);
        let scope = endpoint(0, &[(1, 0), (1, 0)]);
        assert!(matches!(paths.resolve(0, &scope), Resolved::Unknown(_)));
    }
}
