//! Machines read from what `lspci` prints: real dumps, this machine, texts from forums, and noise.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "clippy.toml allows these in test functions; what they call is test code, too"
)]

mod dumps;
mod forum;
mod hostile;
mod live;

use hardware::{Function, Machine, Names, lspci};

/// Names for texts without ids: as many as the tests need, so that they do not hang on the list of the
/// machine that runs them.
const NAMES: &str = "1022  Advanced Micro Devices, Inc. [AMD]\n\t1483  Starship/Matisse GPP Bridge\n\
    10de  NVIDIA Corporation\n\t1c02  GP106 [GeForce GTX 1060 3GB]\n\
    8086  Intel Corporation\n\t15b8  Ethernet Connection (2) I219-V\n\
    C 02  Network controller\n\t00  Ethernet controller\n\
    C 03  Display controller\n\t00  VGA compatible controller\n\
    C 06  Bridge\n\t04  PCI bridge\n";

/// The machine in a text.
fn read(text: &str) -> Machine {
    let names = Names::from_text(NAMES.to_owned());
    lspci::parse(text, Some(&names)).unwrap()
}

/// The function at an address.
fn at<'a>(machine: &'a Machine, address: &str) -> &'a Function {
    let mut functions = machine.functions.iter();
    let found = functions.find(|function| function.address.to_string() == address);
    found.unwrap_or_else(|| panic!("{address} was not read"))
}

/// Says why a test has nothing to test here; where everything is said to be there, that is a failure.
fn skip(why: &str) {
    let set = |name, value| std::env::var_os(name).is_some_and(|found| found == value);
    let complete = set("CI", "true") || set("PREFLIGHT_LAB", "complete");
    assert!(!complete, "this should be able to run: {why}");
    println!("skipped: {why}");
}
