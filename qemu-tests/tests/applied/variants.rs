//! Other cards and other machines: what the installed system makes of a change when its own firmware starts it, and
//! the way back.

mod planned;
mod table;

use std::path::PathBuf;

use cards::CardProfile;
use qemu_tests::golden::Golden;

use crate::host::Host;
use crate::lab::{Fit, Lab};
use crate::planned::{Planned, planned};
use crate::round_trip::{A_CHANGE, asked, is_the_same, takes_it_back};

/// Asks for every function and its driver.
const FUNCTIONS: &str = "lspci -Dnnk";

/// Something that is given away in another way than a card alone.
struct Variant {
    name: &'static str,
    golden: Golden,
    card: fn() -> CardProfile,
    fit: Fit,
    /// What is made of the installed system before: commands of the stick's shell in its root.
    prepared_by: Option<&'static str>,
    /// What is given to whom.
    choice: &'static str,
    /// Functions of the started system, and their drivers.
    drivers: &'static [(&'static str, Option<&'static str>)],
    /// Words of its command line.
    words: &'static [&'static str],
    /// What no word of it begins with.
    never: &'static [&'static str],
    /// What its kernel says of IOMMUs.
    log: &'static [&'static str],
    /// What commands print there.
    prints: &'static [(&'static str, &'static str)],
    /// Whether a driver of the host has used the card.
    is_used: bool,
}

impl Variant {
    fn lab(&self) -> Option<Lab> {
        Lab::fitted(self.golden, &(self.card)(), self.fit)
    }

    fn phase(&self, phase: &str) -> String {
        format!("{}-{phase}", self.name)
    }

    /// Planned and applied by the stick; what is planned, as it is shown before it is done.
    fn apply(&self, lab: &Lab, disks: &[PathBuf]) -> Vec<Planned> {
        let mut shell = lab.stick(&self.phase("apply"), disks);
        let apply = format!("preflight apply --root auto {} --yes", self.choice);
        let said = asked(&mut shell, &apply, A_CHANGE);
        assert_eq!(said.status, 0);
        shell.power_off().unwrap();
        planned(&said.text)
    }

    /// The disks before anything is planned.
    fn prepare(&self, lab: &Lab) -> Vec<PathBuf> {
        let disks = lab.disks(self.name);
        let Some(commands) = self.prepared_by else {
            return disks;
        };
        let mut shell = lab.stick(&self.phase("prepare"), &disks);
        // A look loads what disks need.
        let commands = format!("preflight systems >/dev/null; {}", in_root(commands));
        assert_eq!(asked(&mut shell, &commands, A_CHANGE).status, 0);
        shell.power_off().unwrap();
        disks
    }

    fn is_seen(&self, host: &Host, files: &[Planned]) {
        let (functions, answers) = host.answers.split_first().unwrap();
        for (address, driver) in self.drivers {
            assert_eq!(driver_of(functions, address), *driver, "{address}");
        }
        let mut words = host.command_line.split(' ');
        for wanted in self.words {
            let is_there = words.clone().any(|word| word == *wanted);
            assert!(is_there, "no {wanted} in '{}'", host.command_line);
        }
        let begins = |word: &str| self.never.iter().any(|never| word.starts_with(never));
        assert_eq!(words.find(|word| begins(word)), None);
        for wanted in self.log {
            let is_there = host.log.contains(wanted);
            assert!(is_there, "no '{wanted}' in the kernel's log:\n{}", host.log);
        }
        assert_eq!(!host.used().is_empty(), self.is_used, "{:?}", host.used());
        let (printed, shown) = answers.split_at(self.prints.len());
        for ((command, wanted), printed) in self.prints.iter().zip(printed) {
            assert_eq!(printed, wanted, "{command}");
        }
        assert_eq!(files.len(), shown.len());
        for (file, shown) in files.iter().zip(shown) {
            let missing = file.missing(shown);
            assert!(missing.is_empty(), "no {missing:?} in {}", file.path);
        }
    }

    /// The whole way, with what was installed as its beginning and its end.
    fn goes_and_comes_back(&self) {
        let Some(lab) = self.lab() else { return };
        let prepared = self.prepare(&lab);
        let disks = lab.copy(&self.phase("applied"), &prepared);
        let files = self.apply(&lab, &disks);
        let started = lab.copy(&self.phase("started"), &disks);
        let printed_by = self.prints.iter().map(|(command, _)| (*command).to_owned());
        let shown_by = files.iter().map(Planned::shown_by);
        let questions: Vec<String> = std::iter::once(FUNCTIONS.to_owned())
            .chain(printed_by)
            .chain(shown_by)
            .collect();
        let host = lab.start(&self.phase("started"), &started, &questions);
        self.is_seen(&host, &files);
        takes_it_back(&lab.undo(&self.phase("undo"), &disks));
        let before = lab.inventory(&self.phase("before"), &prepared);
        is_the_same(&before, &lab.inventory(&self.phase("after"), &disks));
    }
}

/// Runs commands of the stick's shell in the root of a system on LVM.
fn in_root(commands: &str) -> String {
    const LVM: &str = "--config 'activation{udev_sync=0 udev_rules=0 monitoring=0} global{event_activation=0} \
                       devices{use_devicesfile=0} backup{backup=0 archive=0}' pve/root";
    format!(
        "(set -e; lvm lvchange -qq -ay {LVM}; mkdir -p /run/root; mount -t ext4 /dev/mapper/pve-root /run/root; \
         cd /run/root; {commands}; cd /; umount /run/root; lvm lvchange -qq -an {LVM})"
    )
}

/// The driver of a function in what lspci says of all of them.
fn driver_of<'a>(functions: &'a str, address: &str) -> Option<&'a str> {
    let mut lines = functions.lines();
    lines.find(|line| line.starts_with(address))?;
    lines
        .take_while(|line| line.starts_with('\t'))
        .find_map(|line| line.trim().strip_prefix("Kernel driver in use: "))
}

#[test]
fn a_functions_driver_is_not_its_neighbours() {
    let functions = "0000:02:00.0 VGA\n\tKernel modules: nouveau\n0000:02:00.1 Audio\n\tKernel driver in use: vfio-pci\n";
    assert_eq!(driver_of(functions, "0000:02:00.0"), None);
    assert_eq!(driver_of(functions, "0000:02:00.1"), Some("vfio-pci"));
    assert_eq!(driver_of(functions, "0000:03:00.0"), None);
}

/// Part of `make soak`.
mod soak {
    use super::table::*;

    macro_rules! whole_way {
        ($($name:ident: $variant:ident),* $(,)?) => {$(
            #[test]
            #[ignore = "takes long: make soak"]
            fn $name() {
                $variant.goes_and_comes_back();
            }
        )*};
    }

    whole_way! {
        one_of_two_twins_goes_by_its_address_and_the_other_keeps_its_driver: TWINS,
        an_amd_card_goes_behind_amds_iommu: AMD,
        where_vfio_is_built_in_the_ids_arrive_on_the_command_line: BUILT_IN,
        the_boot_display_goes_and_no_framebuffer_holds_it: BOOT_DISPLAY,
        a_network_card_has_virtual_functions_after_the_start: VIRTUAL_FUNCTIONS,
        the_display_of_a_processor_goes_in_legacy_mode: INTEGRATED_DISPLAY,
    }
}
