use std::collections::BTreeMap;
use std::sync::OnceLock;

use assess::NoNames;
use hardware::capture::Capture;
use hardware::{Function, Machine, Names, Reading};
use pci::{Address, ClassCode, ConfigSpace, FunctionId};

/// Root ports, a switch, and cards below them: something for scopes and bus numbers to lead to.
const FUNCTIONS: &[(&str, u32)] = &[
    ("0000:00:00.0", 0x06_00_00),
    ("0000:00:01.0", 0x06_04_00),
    ("0000:00:1c.0", 0x06_04_00),
    ("0000:00:1f.0", 0x06_01_00),
    ("0000:01:00.0", 0x03_00_00),
    ("0000:01:00.1", 0x04_03_00),
    ("0000:02:00.0", 0x06_04_00),
    ("0000:03:00.0", 0x06_04_00),
    ("0000:04:00.0", 0x01_08_02),
];

/// Names as in pci.ids: enough for a text without numbers.
const NAMES: &str = "\
    10de  NVIDIA Corporation\n\t13c2  GM204 [GeForce GTX 970]\n\t0fbb  GM204 High Definition Audio Controller\n\
    8086  Intel Corporation\n\t1521  I350 Gigabit Network Connection\n\
    C 03  Display controller\n\t00  VGA compatible controller\n\
    C 06  Bridge\n\t00  Host bridge\n\t04  PCI bridge\n";

pub fn names() -> &'static Names {
    static LIST: OnceLock<Names> = OnceLock::new();
    LIST.get_or_init(|| Names::from_text(NAMES.to_owned()))
}

/// A machine on which every function has this configuration space.
pub fn with_config(config: &ConfigSpace) -> Machine {
    machine(|function| function.config = Reading::Known(config.clone()))
}

/// A machine with this one ACPI table.
pub fn with_table(signature: &str, bytes: &[u8]) -> Machine {
    let tables = [(signature.to_owned(), Reading::Known(bytes.to_vec()))];
    Machine {
        tables: Reading::Known(BTreeMap::from(tables)),
        ..machine(|_| {})
    }
}

/// Reads a capture and judges its machine.
pub fn judge_capture(compressed: &[u8]) {
    if let Ok(capture) = Capture::read(compressed)
        && let Ok(machine) = hardware::read(&capture.source)
    {
        judge(&machine);
    }
}

/// Judges and prints, as the program does.
pub fn judge(machine: &Machine) {
    let assessment = assess::assess(machine, None, &NoNames);
    let text = report::text(&assessment, &report::TextOptions::default());
    assert!(!text.is_empty() && !report::json(&assessment).is_empty());
}

fn machine(change: impl Fn(&mut Function)) -> Machine {
    let functions = FUNCTIONS.iter().filter_map(|(address, class)| {
        let address: Address = address.parse().ok()?;
        let mut function = Function::unknown(address, "it was not read");
        function.id = FunctionId::new(0x1234, 0x1111);
        function.class = ClassCode(*class);
        change(&mut function);
        Some(function)
    });
    Machine {
        functions: functions.collect(),
        ..Machine::default()
    }
}
