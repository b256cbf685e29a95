//! Random machines: each boots, is seen whole, and the kernel's groups part its functions as predicted.
//!
//! `PREFLIGHT_MACHINES` says how many (20), `PREFLIGHT_SEED` which ones. A machine that fails is made as small as
//! it can be while it still fails, and printed as what `lab run --machine-file` boots again.

use std::collections::BTreeSet;
use std::env;
use std::fs;

use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use qemu_tests::{Chipset, Description, Iommu};

use crate::look::{self, Lab, Look};
use crate::strategy;

/// Tests that share the machines between them, so that guests run two at a time.
const TESTS: u32 = 20;

/// Smaller machines that are tried after one has failed.
const SMALLER: u32 = 40;

/// Boots this test's share of the machines.
fn try_machines(test: u32) {
    let Some(lab) = Lab::open() else { return };
    if !lab.qemu.is_recent() {
        return qemu_tests::skip("AMD-Vi in this QEMU does not translate DMA; it is too old");
    }
    let share = number("PREFLIGHT_MACHINES", TESTS.into()).div_ceil(TESTS.into());
    let config = Config {
        cases: u32::try_from(share).unwrap(),
        max_shrink_iters: SMALLER,
        failure_persistence: None,
        ..Config::default()
    };
    let mut runner = TestRunner::new_with_rng(config, random(number("PREFLIGHT_SEED", 0), test));
    let name = format!("random-{test}");
    let outcome = runner.run(&strategy::machines(), |description| {
        let tried = try_machine(&lab, &name, &description);
        tried.map_err(|reason| {
            // At once: making it smaller can take longer than the test may.
            eprintln!("{}\n  {reason}", description.to_json());
            TestCaseError::fail(reason)
        })
    });
    match outcome {
        Ok(()) => {}
        Err(TestError::Fail(reason, smallest)) => {
            // Outside the folder of this run's logs, which the next run empties.
            let file = lab_folder().join(format!("{name}.json"));
            fs::write(&file, smallest.to_json()).unwrap();
            panic!(
                "{reason}\nthe smallest machine that fails is {}\nto boot it: lab run \
                 --machine-file {}",
                smallest.to_json(),
                file.display()
            );
        }
        Err(TestError::Abort(reason)) => panic!("{reason}"),
    }
}

fn try_machine(lab: &Lab, name: &str, description: &Description) -> Result<(), String> {
    let machine = description.machine();
    let expected: BTreeSet<_> = machine.addresses().into_iter().collect();
    let boot = lab.boot(name, machine);
    let look = lab.look(boot).map_err(|failure| failure.to_string())?;
    let found = look.functions();
    let missing: Vec<_> = expected.difference(&found).collect();
    let foreign: Vec<_> = found.difference(&expected).collect();
    if !missing.is_empty() || !foreign.is_empty() {
        return Err(format!(
            "not in the report: {missing:?}; not in the machine: {foreign:?}"
        ));
    }
    groups_part_functions(&look, description)
}

/// Every function is in one group, the one that it names; on a machine without an IOMMU in none.
fn groups_part_functions(look: &Look, description: &Description) -> Result<(), String> {
    let groups = look.groups();
    let members: BTreeSet<_> = groups.iter().flatten().copied().collect();
    if groups.iter().map(BTreeSet::len).sum::<usize>() != members.len() {
        return Err(format!("a function is in two groups: {groups:?}"));
    }
    let mut expected = look.functions();
    match description.iommu {
        Iommu::None => expected.clear(),
        Iommu::Intel { .. } => {}
        // The unit's own function is in no group.
        Iommu::Amd { .. } => expected.retain(|address| *address != look::address("00:01.0")),
    }
    if members != expected {
        let differs = members.symmetric_difference(&expected);
        return Err(format!(
            "groups and functions differ in {:?}",
            Vec::from_iter(differs)
        ));
    }
    let differences = look.differences();
    if !differences.is_empty() {
        return Err(format!("kernel and prediction differ: {differences:#?}"));
    }
    Ok(())
}

fn number(variable: &str, default: u64) -> u64 {
    let set = env::var(variable).ok().filter(|text| !text.is_empty());
    set.map_or(default, |text| {
        text.parse()
            .unwrap_or_else(|_| panic!("{variable}={text} is not a number"))
    })
}

fn random(seed: u64, test: u32) -> TestRng {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    bytes[8..12].copy_from_slice(&test.to_le_bytes());
    TestRng::from_seed(RngAlgorithm::ChaCha, &bytes)
}

fn lab_folder() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("out/lab")
}

macro_rules! machines {
    ($($name:ident = $number:literal),+ $(,)?) => {
        $(
            #[test]
            fn $name() {
                try_machines($number);
            }
        )+
    };
}

machines! {
    machine_0 = 0, machine_1 = 1, machine_2 = 2, machine_3 = 3, machine_4 = 4,
    machine_5 = 5, machine_6 = 6, machine_7 = 7, machine_8 = 8, machine_9 = 9,
    machine_10 = 10, machine_11 = 11, machine_12 = 12, machine_13 = 13, machine_14 = 14,
    machine_15 = 15, machine_16 = 16, machine_17 = 17, machine_18 = 18, machine_19 = 19,
}

/// The machines of one seed, without booting them.
fn generated(count: usize) -> Vec<Description> {
    use proptest::strategy::{Strategy, ValueTree};
    let mut runner = TestRunner::new_with_rng(Config::default(), random(0, 0));
    let machines = strategy::machines();
    let tree = |runner: &mut TestRunner| machines.new_tree(runner).unwrap();
    (0..count).map(|_| tree(&mut runner).current()).collect()
}

#[test]
fn a_description_is_the_same_machine_after_it_was_printed() {
    for description in generated(200) {
        let again: Description = serde_json::from_str(&description.to_json()).unwrap();
        assert_eq!(again, description);
        assert_eq!(
            again.machine().addresses(),
            description.machine().addresses()
        );
    }
}

#[test]
fn random_machines_are_of_every_kind() {
    let text: String = generated(200).iter().map(Description::to_json).collect();
    for word in [
        "q35",
        "i440fx",
        "intel",
        "amd",
        "none",
        "root-port",
        "root-port-without-acs",
        "switch",
        "from-express",
        "conventional",
        "nic",
        "igb",
        "nvme",
        "usb",
        "conventional-nic",
        "audio",
    ] {
        assert!(text.contains(&format!("\"{word}\"")), "{word}");
    }
    assert!(
        generated(200)
            .iter()
            .any(|machine| !machine.root_buses.is_empty())
    );
}

#[test]
fn a_failure_shrinks_to_the_smallest_machine_that_shows_it() {
    let config = Config {
        failure_persistence: None,
        ..Config::default()
    };
    let mut runner = TestRunner::new_with_rng(config, random(1, 0));
    let failed = runner.run(&strategy::machines(), |description| {
        let switch = description.to_json().contains("\"switch\"");
        if switch {
            return Err(TestCaseError::fail("a switch"));
        }
        Ok(())
    });
    let Err(TestError::Fail(_, smallest)) = failed else {
        panic!("{failed:?}");
    };
    assert_eq!(smallest.chipset, Chipset::Q35);
    assert_eq!(smallest.iommu, Iommu::None);
    assert_eq!(
        serde_json::to_value((&smallest.slots, &smallest.root_buses)).unwrap(),
        serde_json::json!([[[{"port": ["root-port", [{"switch": [null]}]]}]], []])
    );
}
