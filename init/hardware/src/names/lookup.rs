use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use pci::{ClassCode, DeviceId, FunctionId, VendorId};

use super::{Names, entries, heading};

/// The list of names the other way round, from a printed name to ids. Each part is indexed when it is
/// first asked for: a text with ids asks for none.
pub(crate) struct Lookup<'a> {
    names: &'a Names,
    classes: OnceCell<HashMap<String, Option<ClassCode>>>,
    vendors: OnceCell<HashMap<&'a str, Vec<VendorId>>>,
    devices: RefCell<HashMap<VendorId, Devices<'a>>>,
}

/// Names of one vendor's devices.
type Devices<'a> = Rc<HashMap<&'a str, Vec<DeviceId>>>;

impl Names {
    /// The list the other way round.
    pub(crate) fn lookup(&self) -> Lookup<'_> {
        Lookup {
            names: self,
            classes: OnceCell::new(),
            vendors: OnceCell::new(),
            devices: RefCell::default(),
        }
    }
}

impl<'a> Lookup<'a> {
    /// Base class and subclass that are called so; none where two are.
    pub fn class(&self, name: &str) -> Option<ClassCode> {
        let classes = self.classes.get_or_init(|| classes(self.names));
        *classes.get(&name.trim().to_lowercase())?
    }

    /// The vendors whose name a text begins with, and the rest of it. Of two names that fit, the longer.
    pub fn vendors<'t>(&self, text: &'t str) -> Option<(&Vec<VendorId>, &'t str)> {
        let vendors = self.vendors.get_or_init(|| vendors(self.names));
        let ends = text.match_indices(' ').map(|(end, _)| end);
        let mut ends: Vec<usize> = ends.chain([text.len()]).collect();
        ends.reverse();
        ends.into_iter().find_map(|end| {
            let (name, rest) = text.split_at_checked(end)?;
            Some((vendors.get(name)?, rest.trim_start()))
        })
    }

    /// Every device of a vendor that is called so.
    pub fn devices(&self, vendor: VendorId, name: &str) -> Vec<FunctionId> {
        let index = Rc::clone(
            self.devices
                .borrow_mut()
                .entry(vendor)
                .or_insert_with(|| Rc::new(devices(self.names, vendor))),
        );
        let found = index.get(name).into_iter().flatten();
        found
            .map(|device| FunctionId {
                vendor,
                device: *device,
            })
            .collect()
    }
}

fn vendors(names: &Names) -> HashMap<&str, Vec<VendorId>> {
    let mut index: HashMap<&str, Vec<VendorId>> = HashMap::new();
    for id in names.vendors.keys().map(|id| VendorId(*id)) {
        if let Some(name) = names.vendor(id) {
            index.entry(name).or_default().push(id);
        }
    }
    index
}

fn devices(names: &Names, vendor: VendorId) -> HashMap<&str, Vec<DeviceId>> {
    let mut index: HashMap<&str, Vec<DeviceId>> = HashMap::new();
    let block = names.vendor_block(vendor).unwrap_or_default();
    for line in entries(block, 1) {
        if let Some((id, name)) = line.split_once("  ")
            && let Ok(device) = id.parse()
        {
            index.entry(name.trim()).or_default().push(device);
        }
    }
    index
}

/// Names of subclasses; those of base classes where no subclass is called so. Spelling of capitals has
/// changed over the years (`USB Controller`).
fn classes(names: &Names) -> HashMap<String, Option<ClassCode>> {
    let mut index: HashMap<String, Option<ClassCode>> = HashMap::new();
    let blocks = || {
        let blocks = names.classes.iter();
        blocks.filter_map(|(base, range)| Some((u32::from(*base), names.text.get(range.clone())?)))
    };
    for (base, block) in blocks() {
        for line in entries(block, 1) {
            let Some((sub, name)) = line.split_once("  ") else {
                continue;
            };
            let Ok(sub) = u32::from_str_radix(sub, 16) else {
                continue;
            };
            let class = ClassCode(base << 16 | (sub & 0xff) << 8);
            index
                .entry(name.trim().to_lowercase())
                .and_modify(|known| *known = known.filter(|known| *known == class))
                .or_insert(Some(class));
        }
    }
    for (base, block) in blocks() {
        if let Some(name) = heading(block) {
            index
                .entry(name.to_lowercase())
                .or_insert(Some(ClassCode(base << 16)));
        }
    }
    index
}
