use std::collections::BTreeMap;

use hardware::acpi::{DeviceScope, Dmar, RootPortAts};
use hardware::{Function, Reading};
use pci::Address;

use super::{Coverage, Reach, Reserved, ReservedSource, ScopeFact, TranslationServices, Unit};
use crate::iommu::paths::{Paths, Resolved};

/// Domains above these are not the firmware's: the kernel makes them, for functions behind Intel VMD.
const LAST_SEGMENT: u32 = 0xffff;

/// What a DMAR says about these functions, by the kernel's rules (drivers/iommu/intel/dmar.c and iommu.c).
pub(super) fn reach(dmar: &Dmar, functions: &[Function]) -> Reach {
    let paths = Paths::of(functions);
    let mut scopes = Scopes {
        paths: &paths,
        facts: Vec::new(),
    };
    let mut units = Named::default();
    for (index, unit) in dmar.units.iter().enumerate() {
        let holder = format!("unit at {:#x}", unit.register_base);
        let found = scopes.resolve(&holder, Some(index), unit.segment, &unit.scopes);
        units.add(index, &found);
    }
    let mut ranges = Named::default();
    for (index, range) in dmar.reserved_memory.iter().enumerate() {
        let holder = format!("reserved memory {:#x}-{:#x}", range.base, range.limit);
        let found = scopes.resolve(&holder, None, range.segment, &range.scopes);
        ranges.add(index, &found);
    }
    let translation = translation(dmar, &mut scopes);
    let scopes = scopes.facts;

    let mut reserved: Vec<_> = dmar
        .reserved_memory
        .iter()
        .map(|range| Reserved {
            start: range.base,
            end: range.limit,
            source: ReservedSource::Rmrr,
            functions: Vec::new(),
        })
        .collect();
    for function in paths.functions() {
        for index in ranges.over(&paths, function).found {
            if let Some(range) = reserved.get_mut(index) {
                range.functions.push(function.address);
            }
        }
    }
    Reach {
        units: dmar
            .units
            .iter()
            .map(|unit| Unit {
                segment: unit.segment,
                register_base: unit.register_base,
                takes_the_rest: unit.includes_all(),
            })
            .collect(),
        coverage: paths
            .functions()
            .map(|function| (function.address, coverage(dmar, &units, &paths, function)))
            .collect(),
        reserved,
        scopes,
        translation,
    }
}

/// The unit for a function (drivers/iommu/intel/iommu.c, `device_lookup_iommu`): the one that names it or a
/// bridge above it, of several the last in the table, because the kernel puts each before the ones it
/// knows; else the first that takes the rest of the segment. A virtual function goes with its physical one.
fn coverage(dmar: &Dmar, units: &Named, paths: &Paths, function: &Function) -> Coverage {
    if function.address.domain > LAST_SEGMENT {
        return Coverage::Unknown("it is behind an Intel VMD controller".to_owned());
    }
    let subject = match &function.physical_function {
        Reading::Known(physical) => paths.function(*physical),
        Reading::Absent | Reading::Unknown(_) => paths.function(function.address),
    };
    let Some(subject) = subject else {
        return Coverage::Unknown("its physical function was not read".to_owned());
    };
    let over = units.over(paths, subject);
    let rest = || {
        dmar.units.iter().position(|unit| {
            unit.includes_all() && u32::from(unit.segment) == function.address.domain
        })
    };
    match (over.found.into_iter().max(), over.gap) {
        (Some(unit), _) => Coverage::Unit(unit),
        // A bridge that is not known may be one that another unit names.
        (None, Some(why)) => Coverage::Unknown(why),
        (None, None) => rest().map_or(Coverage::Nothing, Coverage::Unit),
    }
}

fn translation(dmar: &Dmar, scopes: &mut Scopes) -> TranslationServices {
    let mut services = TranslationServices::default();
    for ports in &dmar.root_port_ats {
        let holder = "root ports with address translation services (ATSR)";
        let found = scopes.resolve(holder, None, ports.segment, &ports.scopes);
        services.root_ports.extend(found);
        if ports.flags & RootPortAts::ALL_PORTS != 0 {
            services.all_ports.push(ports.segment);
        }
    }
    for cache in &dmar.soc_caches {
        let holder = "functions with a translation cache (SATC)";
        let found = scopes.resolve(holder, None, cache.segment, &cache.scopes);
        services.integrated.extend(found);
    }
    services
}

/// Resolves scopes and keeps what became of each.
struct Scopes<'p, 'a> {
    paths: &'p Paths<'a>,
    facts: Vec<ScopeFact>,
}

impl Scopes<'_, '_> {
    /// The functions that these scopes name.
    fn resolve(
        &mut self,
        holder: &str,
        unit: Option<usize>,
        segment: u16,
        scopes: &[DeviceScope],
    ) -> Vec<Address> {
        let mut found = Vec::new();
        for scope in scopes.iter().filter(|scope| scope.is_pci()) {
            let resolved = self.paths.resolve(segment, scope);
            if let Resolved::Function(address) = resolved {
                found.push(address);
            }
            self.facts.push(ScopeFact {
                holder: holder.to_owned(),
                path: path(segment, scope),
                unit,
                resolved,
            });
        }
        found
    }
}

/// Start bus and path: `0000:00:1c.0, 00.0`.
fn path(segment: u16, scope: &DeviceScope) -> String {
    let hops: Vec<_> = scope
        .path
        .iter()
        .map(|hop| format!("{:02x}.{:x}", hop.device, hop.function))
        .collect();
    format!("{segment:04x}:{:02x}:{}", scope.start_bus, hops.join(", "))
}

/// Functions that scopes name, each with the places of the structures that do.
#[derive(Default)]
struct Named(BTreeMap<Address, Vec<usize>>);

/// What is named among a function and the bridges above it.
struct Over {
    found: Vec<usize>,
    /// Why not all bridges above are known.
    gap: Option<String>,
}

impl Named {
    fn add(&mut self, index: usize, functions: &[Address]) {
        for function in functions {
            let places = self.0.entry(*function).or_default();
            if places.last() != Some(&index) {
                places.push(index);
            }
        }
    }

    /// What names a function or a bridge above it: a structure that names a bridge means everything behind
    /// it (drivers/iommu/intel/iommu.c, `is_downstream_to_pci_bridge`).
    fn over<'a>(&self, paths: &Paths<'a>, function: &'a Function) -> Over {
        let mut over = Over {
            found: self.0.get(&function.address).cloned().unwrap_or_default(),
            gap: None,
        };
        for bridge in paths.above(function) {
            match bridge {
                Ok(bridge) => over
                    .found
                    .extend(self.0.get(&bridge.address).into_iter().flatten()),
                Err(why) => over.gap = Some(why),
            }
        }
        over.found.sort_unstable();
        over.found.dedup();
        over
    }
}
