#![allow(
    dead_code,
    reason = "each test program that shares this uses a part of it"
)]

//! A look at a machine by the image: boot, result, power off.

use std::collections::BTreeSet;
use std::path::Path;

use pci::Address;
use qemu_tests::{
    Boot, Deadlines, Failure, Images, Machine, Milestone, Qemu, RunResult, Stick, baseline,
};
use serde_json::Value;
use tempfile::TempDir;

/// A QEMU, the image, and a folder for the files of one machine.
pub struct Lab {
    pub qemu: Qemu,
    pub images: Images,
    deadlines: Deadlines,
    folder: TempDir,
}

/// What one session reported.
#[derive(Debug)]
pub struct Look {
    pub result: RunResult,
    /// The whole serial line, the kernel's part included.
    pub serial: String,
}

impl Lab {
    /// The lab, or nothing and the reason printed.
    pub fn open() -> Option<Self> {
        let opened = || -> Result<Self, String> {
            let images = Images::unpacked()?;
            let qemu = Qemu::obtain().map_err(|error| error.to_string())?;
            let init = Path::new(env!("CARGO_BIN_EXE_baseline-init"));
            let deadlines = baseline::deadlines(&qemu, &images.kernel, init)
                .map_err(|failure| failure.to_string())?;
            let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
            Ok(Self {
                qemu,
                images,
                deadlines,
                folder,
            })
        };
        opened().map_err(|why| qemu_tests::skip(&why)).ok()
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A boot that powers the machine off when it is done. It has a stick, so that nobody waits for one.
    pub fn boot(&self, name: &str, machine: Machine) -> Boot {
        let stick = Stick::new(self.folder()).unwrap();
        Boot::new(name, &self.images, machine.stick(&stick))
            .deadlines(self.deadlines)
            .option("preflight.end=poweroff")
    }

    /// Runs a session from power on to power off.
    pub fn look(&self, boot: Boot) -> Result<Look, Failure> {
        let mut run = boot.start(&self.qemu)?;
        run.wait_milestone(Milestone::Shown)?;
        let result = run.result()?;
        run.wait_end()?;
        qemu_tests::same_from_capture(&result, &Stick::existing(self.folder())).unwrap();
        Ok(Look {
            result,
            serial: run.serial().text().into_owned(),
        })
    }
}

/// An address as tests write it: `10:1.0` for 0000:10:01.0.
pub fn address(text: &str) -> Address {
    text.parse().unwrap()
}

impl Look {
    /// Addresses of all functions.
    pub fn functions(&self) -> BTreeSet<Address> {
        let functions = self.list("functions");
        let address = |function: &Value| address(function["address"].as_str().unwrap());
        functions.iter().map(address).collect()
    }

    /// The groups of the kernel, each as the addresses in it; none where it has made none.
    pub fn groups(&self) -> Vec<BTreeSet<Address>> {
        self.groups_of("groups", "kernel")
    }

    /// The groups of this list that have this source.
    fn groups_of(&self, list: &str, source: &str) -> Vec<BTreeSet<Address>> {
        let groups = self.list(list).iter();
        groups
            .filter(|group| group["source"] == source)
            .map(members)
            .collect()
    }

    /// The groups that were predicted, as far as they differ from the kernel's: function by function, first
    /// with its group as the kernel has it, then as predicted. A kernel without groups has none to compare.
    pub fn differences(&self) -> Vec<String> {
        let kernel = self.groups();
        if kernel.is_empty() {
            return Vec::new();
        }
        let predicted = self.groups_of("groups_predicted", "predicted");
        let of = |groups: &[BTreeSet<Address>], function| {
            let mut having = groups.iter().filter(|group| group.contains(&function));
            let group = having.next().cloned();
            assert_eq!(having.next(), None, "{function} is in two groups");
            group
        };
        self.functions()
            .into_iter()
            .map(|function| (function, of(&kernel, function), of(&predicted, function)))
            .filter(|(_, kernel, predicted)| kernel != predicted)
            .map(|(function, kernel, predicted)| format!("{function}: {kernel:?}, {predicted:?}"))
            .collect()
    }

    /// The group that has this function.
    pub fn group(&self, of: &str) -> Vec<String> {
        Self::group_in(&self.groups(), of)
    }

    /// The group that was predicted for this function where the kernel has made none.
    pub fn predicted_group(&self, of: &str) -> Vec<String> {
        Self::group_in(&self.groups_of("groups", "predicted"), of)
    }

    fn group_in(groups: &[BTreeSet<Address>], of: &str) -> Vec<String> {
        let of = address(of);
        let group = groups.iter().find(|group| group.contains(&of));
        let group = group.unwrap_or_else(|| panic!("{of} is in no group of {groups:#?}"));
        group.iter().map(|member| short(*member)).collect()
    }

    /// The function at this address, as the assessment has it.
    pub fn function(&self, at: &str) -> &Value {
        let at = address(at).to_string();
        let functions = self.list("functions");
        let found = functions.iter().find(|function| function["address"] == at);
        found.unwrap_or_else(|| panic!("no function {at} in {functions:#?}"))
    }

    fn list(&self, name: &str) -> &Vec<Value> {
        self.result.assessment[name].as_array().unwrap()
    }
}

fn members(group: &Value) -> BTreeSet<Address> {
    let members = group["functions"].as_array().unwrap().iter();
    members
        .map(|member| address(member.as_str().unwrap()))
        .collect()
}

fn short(address: Address) -> String {
    let text = address.to_string();
    text.trim_start_matches("0000:").to_owned()
}
