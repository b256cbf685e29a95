use std::collections::BTreeSet;

use assess::Assessment;
use hardware::{Function, Machine, Reading, kernel_version};
use pci::Address;
use proxmox::Installation;
use proxmox::boot::way::Method;
use proxmox::disks::DiskUse;

use crate::choice::Choice;
use crate::files::SystemFiles;

/// Everything that a plan is made from.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    /// The machine.
    pub machine: &'a Machine,
    /// It, judged.
    pub assessment: &'a Assessment,
    /// The installed system.
    pub installation: &'a Installation,
    /// The files of it that may change.
    pub files: &'a SystemFiles,
    /// What every disk of the machine is used for, by whichever system; none where nobody looked at the disks.
    pub disks: Option<&'a [DiskUse]>,
}

/// The subject with the choice, and what several steps need to know of both.
pub(crate) struct Context<'a> {
    pub(crate) subject: Subject<'a>,
    pub(crate) choice: &'a Choice,
    /// What the guest is to get, by address.
    pub(crate) given: Vec<&'a Function>,
    /// What the start of the guest takes from the host: everything in their groups but bridges.
    pub(crate) taken: Vec<&'a Function>,
    /// Chosen addresses that the machine does not have.
    pub(crate) missing: Vec<Address>,
}

impl<'a> Context<'a> {
    pub(crate) fn new(subject: Subject<'a>, choice: &'a Choice) -> Self {
        let functions = &subject.machine.functions;
        let (given, missing) = chosen(subject.machine, choice);
        let assessment = subject.assessment;
        let sets = [&assessment.groups, &assessment.groups_predicted];
        // Under an override that is asked for, the kernel's groups are not those that will be.
        let judged = sets.into_iter().flatten();
        let judged = judged.filter(|group| group.source == assessment.judged_by);
        let groups: Vec<&Vec<Address>> = judged
            .map(|group| &group.functions)
            .filter(|members| members.iter().any(|member| given.contains(member)))
            .collect();
        let is_taken = |function: &&Function| {
            given.contains(&function.address)
                || !function.class.is_bridge()
                    && groups
                        .iter()
                        .any(|members| members.contains(&function.address))
        };
        let mut ctx = Self {
            given: functions
                .iter()
                .filter(|function| given.contains(&function.address))
                .collect(),
            taken: functions.iter().filter(is_taken).collect(),
            subject,
            choice,
            missing,
        };
        if ctx.stays_with_host() {
            ctx.taken.clear();
        }
        ctx
    }

    pub(crate) fn machine(&self) -> &'a Machine {
        self.subject.machine
    }

    pub(crate) fn system(&self) -> &'a Installation {
        self.subject.installation
    }

    pub(crate) fn files(&self) -> &'a SystemFiles {
        self.subject.files
    }

    /// What a person set an option to.
    pub(crate) fn asked(&self, option: &str) -> Option<&'a str> {
        self.choice.settings.get(option).map(String::as_str)
    }

    /// Whether an option that does nothing by itself was asked for.
    pub(crate) fn is_asked(&self, option: &str) -> bool {
        self.asked(option)
            .is_some_and(|value| !matches!(value, "no" | "none" | "leave"))
    }

    /// Whether the guest is given parts of the device, so that the device itself stays.
    pub(crate) fn stays_with_host(&self) -> bool {
        self.is_asked("sriov") || self.is_asked("mdev")
    }

    /// How the system can start.
    pub(crate) fn methods(&self) -> Vec<Method> {
        let mut methods = Vec::new();
        for (_, way) in self.system().boot.ways() {
            if let Reading::Known(method) = &way.method
                && !methods.contains(method)
            {
                methods.push(*method);
            }
        }
        methods
    }

    pub(crate) fn kernels(&self) -> impl Iterator<Item = &'a str> {
        self.system()
            .kernels
            .iter()
            .map(|kernel| kernel.version.as_str())
    }

    pub(crate) fn display(&self) -> Option<&'a Function> {
        self.given
            .iter()
            .find(|function| function.class.is_display())
            .copied()
    }

    pub(crate) fn boot_display(&self) -> Option<&'a Function> {
        self.given
            .iter()
            .find(|function| function.boot_vga == Reading::Known(true))
            .copied()
    }

    /// Intel's integrated display, where it is given.
    pub(crate) fn integrated_display(&self) -> Option<&'a Function> {
        self.given
            .iter()
            .find(|function| {
                function.class.is_display()
                    && function.id.vendor.0 == 0x8086
                    && function.address.to_string() == "0000:00:02.0"
            })
            .copied()
    }

    /// Functions with the ids of a given one that stay with the host.
    pub(crate) fn twins(&self) -> Vec<&'a Function> {
        let is_given = |address| {
            self.given
                .iter()
                .any(|function| function.address == address)
        };
        let functions = self.machine().functions.iter();
        functions
            .filter(|other| {
                !is_given(other.address)
                    && self.given.iter().any(|function| function.id == other.id)
            })
            .collect()
    }

    /// Drivers that are part of a kernel and take a function before any module is loaded, each with its kernel. Older
    /// kernels do not say which devices theirs are for; then the names that are known otherwise are looked for.
    pub(crate) fn built_in_drivers(&self, function: &Function) -> BTreeSet<(String, &'a str)> {
        let alias = modalias(function);
        let known = self.drivers(function);
        let files = self.files();
        let by_alias = files.built_in_aliases.iter().flat_map(|(kernel, aliases)| {
            let fitting = aliases
                .iter()
                .filter(|(pattern, _)| modules::matches(pattern, &alias));
            fitting.map(move |(_, driver)| (driver.clone(), kernel.as_str()))
        });
        let by_name = files.built_in.iter().flat_map(|(kernel, names)| {
            let named = names.intersection(&known);
            named.map(move |driver| (driver.clone(), kernel.as_str()))
        });
        let all = by_alias.chain(by_name);
        all.filter(|(driver, _)| is_rival(driver)).collect()
    }

    /// The drivers that would take a function, by the kernels' own lists, or else the one that has it now.
    pub(crate) fn drivers(&self, function: &Function) -> BTreeSet<String> {
        let alias = modalias(function);
        let lists = self.files().aliases.values().flatten();
        let mut found: BTreeSet<String> = lists
            .filter(|(pattern, _)| modules::matches(pattern, &alias))
            .map(|(_, module)| module.clone())
            .collect();
        found.extend(
            function
                .driver
                .known()
                .map(|driver| driver.replace('-', "_")),
        );
        found.retain(|driver| is_rival(driver));
        found
    }
}

/// Whether a driver takes a card for the host, and not for a guest.
fn is_rival(driver: &str) -> bool {
    !driver.starts_with("vfio") && driver != "pci_stub"
}

/// What the guest is to get, by address, and what of the choice the machine does not have.
pub(crate) fn chosen(machine: &Machine, choice: &Choice) -> (BTreeSet<Address>, Vec<Address>) {
    let functions = &machine.functions;
    let mut given = BTreeSet::new();
    let mut missing = Vec::new();
    for address in &choice.devices {
        match functions
            .iter()
            .find(|function| function.address == *address)
        {
            Some(function) => {
                given.insert(*address);
                if whole_card(choice, function) {
                    let same = functions
                        .iter()
                        .filter(|other| other.address.slot() == address.slot());
                    given.extend(
                        same.filter(|other| !other.class.is_bridge())
                            .map(|other| other.address),
                    );
                }
            }
            None => missing.push(*address),
        }
    }
    (given, missing)
}

/// The other functions of a card go with it, but not those that only share a device number inside the chipset,
/// and not those of a virtual function.
fn whole_card(choice: &Choice, function: &Function) -> bool {
    match choice.settings.get("functions").map(String::as_str) {
        Some(value) => value == "card",
        None => {
            let is_set = |option: &&str| {
                choice
                    .settings
                    .get(*option)
                    .is_some_and(|value| value != "none")
            };
            let parts = ["mdev", "sriov"].iter().any(is_set);
            !parts && function.address.bus != 0 && function.physical_function.known().is_none()
        }
    }
}

/// As the kernel names a device to modprobe (scripts/mod/file2alias.c, do_pci_entry).
fn modalias(function: &Function) -> String {
    let (vendor, device) = (function.id.vendor.0, function.id.device.0);
    let (sub_vendor, sub_device) = match &function.subsystem {
        Reading::Known(id) => (id.vendor.0, id.device.0),
        Reading::Absent | Reading::Unknown(_) => (0, 0),
    };
    let class = function.class;
    format!(
        "pci:v{vendor:08X}d{device:08X}sv{sub_vendor:08X}sd{sub_device:08X}bc{:02X}sc{:02X}i{:02X}",
        class.base(),
        class.sub(),
        class.interface()
    )
}

/// Whether a kernel's version is at least this one.
pub(crate) fn at_least(version: &str, major: u32, minor: u32) -> bool {
    kernel_version(version).is_some_and(|found| found >= (major, minor))
}
