//! Small machines, made of configuration spaces that the real parser reads.

use hardware::{Function, Machine, Reading};
use pci::{Address, ClassCode, ConfigSpace, FunctionId};

use crate::{Override, Prediction, predict};

const EXPRESS: usize = 0x40;

/// A function to be.
#[derive(Clone, Debug)]
pub(crate) struct Made {
    pub function: Function,
    bytes: Vec<u8>,
}

pub(crate) fn address(text: &str) -> Address {
    text.parse().unwrap()
}

fn made(place: &str, header: u8) -> Made {
    let mut function = Function::unknown(address(place), "not looked for");
    function.class = ClassCode(if header == 1 { 0x06_04_00 } else { 0x02_00_00 });
    let mut bytes = vec![0; 4096];
    bytes[0x0e] = header;
    Made { function, bytes }.id(0x1234, 0x5678)
}

/// An Express function of the type with this number.
pub(crate) fn express(place: &str, header: u8, kind: u8) -> Made {
    let mut made = made(place, header);
    made.bytes[0x06] = 0x10;
    made.bytes[0x34] = 0x40;
    made.bytes[EXPRESS] = 0x10;
    made.bytes[EXPRESS + 2] = (kind << 4) | 2;
    made
}

pub(crate) fn conventional(place: &str) -> Made {
    made(place, 0)
}

pub(crate) fn endpoint(place: &str) -> Made {
    express(place, 0, 0)
}

pub(crate) fn integrated(place: &str) -> Made {
    express(place, 0, 9)
}

pub(crate) fn root_port(place: &str, bus: u8) -> Made {
    express(place, 1, 4).buses(bus, bus)
}

pub(crate) fn upstream(place: &str, bus: u8) -> Made {
    express(place, 1, 5).buses(bus, bus)
}

pub(crate) fn downstream(place: &str, bus: u8) -> Made {
    express(place, 1, 6).buses(bus, bus)
}

pub(crate) fn express_to_pci(place: &str, bus: u8) -> Made {
    express(place, 1, 7).buses(bus, bus)
}

pub(crate) fn conventional_bridge(place: &str, bus: u8) -> Made {
    made(place, 1).buses(bus, bus)
}

impl Made {
    pub fn id(mut self, vendor: u16, device: u16) -> Self {
        self.function.id = FunctionId::new(vendor, device);
        self
    }

    pub fn class(mut self, class: u32) -> Self {
        self.function.class = ClassCode(class);
        self
    }

    pub fn buses(mut self, secondary: u8, subordinate: u8) -> Self {
        self.bytes[0x18] = self.function.address.bus;
        self.bytes[0x19] = secondary;
        self.bytes[0x1a] = subordinate;
        self
    }

    /// Bit 7 of the header.
    pub fn multifunction(mut self) -> Self {
        self.bytes[0x0e] |= 0x80;
        self
    }

    pub fn acs(self, capability: u16, control: u16) -> Self {
        self.words(0x100, &[0x000d, 0x0001, capability, control])
    }

    /// Its slot has this number.
    pub fn slot(mut self, number: u16) -> Self {
        self.bytes[EXPRESS + 3] |= 0x01;
        let number = (u32::from(number) << 19).to_le_bytes();
        self.bytes[EXPRESS + 0x14..EXPRESS + 0x18].copy_from_slice(&number);
        self
    }

    pub fn words(mut self, at: usize, words: &[u16]) -> Self {
        for (number, word) in words.iter().enumerate() {
            let at = at + 2 * number;
            self.bytes[at..at + 2].copy_from_slice(&word.to_le_bytes());
        }
        self
    }

    /// No more than the conventional space was read.
    pub fn short(self) -> Self {
        self.cut(256)
    }

    pub fn cut(mut self, length: usize) -> Self {
        self.bytes.truncate(length);
        self
    }

    pub fn gone(mut self) -> Self {
        self.bytes.fill(0xff);
        self
    }

    pub fn parent(mut self, parent: &str) -> Self {
        self.function.parent = Reading::Known(address(parent));
        self
    }

    pub fn change(mut self, change: impl FnOnce(&mut Function)) -> Self {
        change(&mut self.function);
        self
    }

    fn finish(self) -> Function {
        let mut function = self.function;
        function.config = Reading::Known(ConfigSpace::new(self.bytes));
        function
    }
}

/// A machine of which nothing but its functions is known, and that it has no IVRS.
pub(crate) fn machine(functions: impl IntoIterator<Item = Made>) -> Machine {
    let mut functions: Vec<Function> = functions.into_iter().map(Made::finish).collect();
    functions.sort_by_key(|function| function.address);
    Machine {
        functions,
        tables: Reading::Known(std::collections::BTreeMap::new()),
        ..Machine::default()
    }
}

/// The same, read by a kernel that uses its IOMMU.
pub(crate) fn in_use(functions: impl IntoIterator<Item = Made>) -> Machine {
    Machine {
        iommu_units: Reading::Known(vec!["dmar0".to_owned()]),
        ..machine(functions)
    }
}

/// An address without domain 0000.
pub(crate) fn short(address: Address) -> String {
    let text = address.to_string();
    text.strip_prefix("0000:").unwrap_or(&text).to_owned()
}

/// The groups as one line of text: members with spaces between, groups with bars, by first member.
pub(crate) fn text(prediction: &Prediction) -> String {
    let mut groups: Vec<Vec<String>> = prediction
        .groups
        .iter()
        .map(|group| group.functions.iter().copied().map(short).collect())
        .collect();
    groups.sort();
    let groups: Vec<String> = groups.iter().map(|group| group.join(" ")).collect();
    groups.join(" | ")
}

/// The groups without an override.
pub(crate) fn groups(machine: &Machine) -> String {
    text(&predict(machine, &Override::NONE))
}

/// The groups under this override.
pub(crate) fn groups_under(machine: &Machine, requested: &str) -> String {
    text(&predict(machine, &requested.parse().unwrap()))
}
