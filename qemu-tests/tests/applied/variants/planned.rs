//! What is planned for other cards, and that it came out so: on overlays and by the native way, which takes seconds.

use std::time::Duration;

use cards::CardProfile;
use cards::profiles::{amd_rx480, intel_hd630};
use qemu_tests::golden::Golden;
use qemu_tests::{Device, Port, StickShell};

use super::in_root;
use super::table::{AMD_VI, VT_D, WITH_VFIO_BUILT_IN, served};
use crate::lab::{Fit, Lab, counted};
use crate::round_trip::asked;

/// On the reference machine, some ten times what is seen there.
const A_REHEARSAL: Duration = Duration::from_secs(300);

/// Something that is chosen on a machine.
struct Choice {
    name: &'static str,
    words: &'static str,
    /// What each entry of the boot menu has to pass beside that.
    passed: &'static [&'static str],
}

/// VT-d, two cards of one kind, a network card with SR-IOV, and the display in the processor as the firmware's.
const CROWDED: Fit = |machine, card| {
    let display = served(&intel_hd630());
    let machine = machine.iommu(VT_D).without_display().display(display);
    [served(&counted()), card, Device::Igb]
        .into_iter()
        .fold(machine, |machine, device| {
            machine.card(Port::RootPort, device)
        })
};

const ON_VT_D: [Choice; 3] = [
    Choice {
        name: "twins",
        words: "--device 0000:03:00.0 --vm 102",
        passed: &["intel_iommu=on", "iommu=pt"],
    },
    Choice {
        name: "virtual-functions",
        words: "--device 0000:04:00.0 --set sriov=4",
        passed: &["intel_iommu=on", "iommu=pt"],
    },
    Choice {
        name: "integrated-display",
        words: "--device 0000:00:02.0 --vm 102 --set igd-legacy=yes",
        passed: &[
            "intel_iommu=on",
            "iommu=pt",
            "initcall_blacklist=sysfb_init",
        ],
    },
];

const BUILT_IN: Choice = Choice {
    name: "built-in",
    words: "--device 0000:02:00.0 --device 0000:03:00.0 --vm 102",
    passed: &["vfio-pci.ids=10de:0fc6,10de:0e1b"],
};

/// AMD-Vi, the firmware's display as a card, and AMD's card.
const WITH_AMD: Fit = |machine, card| {
    let machine = machine.iommu(AMD_VI).without_display();
    machine
        .card(Port::RootPort, Device::StandardVga)
        .card(Port::RootPort, card)
};

const ON_AMD_VI: [Choice; 2] = [
    Choice {
        name: "amd",
        words: "--device 0000:03:00.0 --vm 102",
        passed: &["iommu=pt"],
    },
    Choice {
        name: "boot-display",
        words: "--device 0000:02:00.0 --vm 102",
        passed: &["iommu=pt", "initcall_blacklist=sysfb_init"],
    },
];

/// A shell of the stick on a machine with these cards.
fn opened(name: &str, card: &CardProfile, fit: Fit) -> Option<(Lab, StickShell)> {
    let lab = Lab::fitted(Golden::LvmExt4Bios, card, fit)?;
    let disks = lab.disks(name);
    let shell = lab.stick(name, &disks);
    Some((lab, shell))
}

impl Choice {
    /// The plan is the one that was reviewed, and what came of it agrees with it.
    fn comes_out(&self, lab: &Lab, shell: &mut StickShell) {
        let apply = format!(
            "preflight apply --root auto --native {} </dev/null",
            self.words
        );
        let said = asked(shell, &apply, A_REHEARSAL);
        let (plan, came_out) = said
            .text
            .split_once("Reading the files as they are")
            .unwrap_or((&said.text, ""));
        let mut plan = plan.to_owned();
        // The packages of the day have another kernel.
        for kernel in &lab.installed.manifest.kernels {
            plan = plan.replace(kernel.as_str(), "KERNEL");
        }
        insta::assert_snapshot!(self.name, plan);
        // It is asked for only where everything was read again and agrees.
        assert!(came_out.contains("Write this to the disks?"), "{came_out}");
        let entries = came_out.lines().filter(|line| {
            line.starts_with('+') && line.trim_start_matches('+').trim().starts_with("linux")
        });
        let entries: Vec<&str> = entries.collect();
        assert_eq!(entries.len(), 2, "{came_out}");
        for wanted in self.passed {
            let passes = |line: &&str| line.split(' ').any(|word| word == *wanted);
            assert!(entries.iter().all(passes), "no {wanted} in {entries:?}");
        }
    }
}

#[test]
fn other_cards_behind_vt_d_come_out_as_they_are_planned() {
    let Some((lab, mut shell)) = opened("vt-d", &counted(), CROWDED) else {
        return;
    };
    for choice in &ON_VT_D {
        choice.comes_out(&lab, &mut shell);
    }
    let built_in = asked(&mut shell, &in_root(WITH_VFIO_BUILT_IN), A_REHEARSAL);
    assert_eq!(built_in.status, 0);
    BUILT_IN.comes_out(&lab, &mut shell);
}

#[test]
fn amds_card_and_a_boot_display_behind_amd_vi_come_out_as_they_are_planned() {
    let Some((lab, mut shell)) = opened("amd-vi", &amd_rx480(), WITH_AMD) else {
        return;
    };
    for choice in &ON_AMD_VI {
        choice.comes_out(&lab, &mut shell);
    }
}
