//! A desktop board as people have it: one graphics card on the processor, one behind the chipset. The text is
//! synthetic (its head says what of it comes from a published listing).
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use assess::{Assessment, Finding, GroupSummary, NoNames, Options, Severity, Verdict};
use pci::Address;

const TEXT: &str = include_str!("fixtures/b550.lspci.txt");
const FIRST: &str = "08:00.0";
const SECOND: &str = "04:00.0";
/// What people call group 15: the chipset.
const CHIPSET: [&str; 5] = ["02:00.0", "02:00.1", "05:00.0", "06:00.0", "07:00.0"];

fn address(text: &str) -> Address {
    text.parse().unwrap()
}

fn under(acs_override: &str) -> Assessment {
    let machine = hardware::lspci::parse(TEXT, None).unwrap();
    let options = Options {
        acs_override: acs_override.parse().unwrap(),
    };
    assess::assess_with(&machine, None, &NoNames, &options)
}

fn verdict(assessment: &Assessment, card: &str) -> Verdict {
    let cards = assessment.cards.iter();
    let mut cards = cards.filter(|one| one.functions.contains(&address(card)));
    cards.next().unwrap().verdict
}

fn finding<'a>(assessment: &'a Assessment, id: &str, card: &str) -> &'a Finding {
    let mut all = assessment.findings.iter();
    all.find(|one| one.id == id && one.function == Some(address(card)))
        .unwrap_or_else(|| panic!("no {id} about {card}"))
}

fn group<'a>(groups: &'a [GroupSummary], card: &str) -> &'a GroupSummary {
    let mut groups = groups.iter();
    groups
        .find(|group| group.functions.contains(&address(card)))
        .unwrap()
}

#[test]
fn the_card_on_the_processor_is_isolated_and_its_boot_display_reset_and_rom_want_care() {
    let assessment = under("none");
    assert_eq!(
        group(&assessment.groups, FIRST).functions,
        [FIRST, "08:00.1"].map(address)
    );
    assert_eq!(verdict(&assessment, FIRST), Verdict::Caution);
    let boot = finding(&assessment, "boot-gpu.shadowed-rom", FIRST);
    assert_eq!(boot.severity, Severity::Caution);
    finding(&assessment, "rom.unread", FIRST);
    let unread = finding(&assessment, "card.unread", FIRST);
    assert!(unread.summary.contains("reset methods"), "{unread:?}");
}

#[test]
fn the_card_behind_the_chipset_is_blocked_by_its_group_and_the_hosts_devices_in_it_are_named() {
    let assessment = under("none");
    assert_eq!(verdict(&assessment, SECOND), Verdict::Blocked);
    assert_eq!(group(&assessment.groups, SECOND).id, 15);
    let driven = finding(&assessment, "group.host-driver", SECOND);
    for (device, driver) in [
        ("02:00.1", "ahci"),
        ("05:00.0", "nvme"),
        ("06:00.0", "iwlwifi"),
        ("07:00.0", "r8169"),
    ] {
        let words = format!("0000:{device} ({driver})");
        assert!(driven.summary.contains(&words), "{}", driven.summary);
    }
    let shared = finding(&assessment, "group.shared", SECOND);
    for device in CHIPSET {
        assert!(shared.evidence.iter().any(|line| line.contains(device)));
    }
}

#[test]
fn downstream_alone_frees_nothing_there_and_multifunction_parts_the_card() {
    let plain = under("none");
    let downstream = under("downstream");
    let members = &group(&plain.groups, SECOND).functions;
    assert_eq!(
        &group(&downstream.groups_predicted, SECOND).functions,
        members
    );
    assert_eq!(verdict(&downstream, SECOND), Verdict::Blocked);

    let both = under("downstream,multifunction");
    let own = [SECOND, "04:00.1"].map(address);
    let parted = &group(&both.groups_predicted, SECOND).functions;
    assert!(
        parted
            .iter()
            .all(|member| own.contains(member) || !CHIPSET.map(address).contains(member))
    );
    assert_eq!(verdict(&both, SECOND), Verdict::Caution);

    let way_out = finding(&plain, "group.way-out", SECOND);
    let says = |words: &str| way_out.evidence.iter().any(|line| line.contains(words));
    assert!(
        says("'pcie_acs_override=downstream' frees nothing here"),
        "{way_out:#?}"
    );
    assert!(says(
        "'pcie_acs_override=downstream,multifunction': it would be alone"
    ));
}

#[test]
fn the_way_out_without_an_override_is_the_processors_slot() {
    let assessment = under("none");
    let way_out = finding(&assessment, "group.way-out", SECOND);
    assert!(way_out.summary.contains("PCIEX16_1"), "{way_out:#?}");
    assert!(way_out.summary.contains("on the processor"));
}

#[test]
fn the_functions_that_hangs_reads_as_revision_ff() {
    let assessment = under("none");
    let found = finding(&assessment, "power.no-answer", SECOND);
    assert!(found.evidence[0].contains("revision of 0000:04:00.0 reads as ff"));
}

#[test]
fn the_groups_of_the_listing_are_what_the_kernels_rules_make_of_the_board() {
    let assessment = under("none");
    assert_eq!(assessment.groups.len(), 22);
    let same = assessment
        .findings
        .iter()
        .find(|one| one.id == "group.as-predicted");
    assert!(same.is_some());
}
