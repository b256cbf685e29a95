//! The whole report of machines that people have. Read these snapshots as a person would who stands
//! before the machine: the answer first, then why, then what to do.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod support;

use assess::{
    Answer, Assessment, Card, FunctionSummary, IommuVendor, RomSummary, Severity, Verdict,
};
use report::{TextOptions, summary_lines, text};
use support::{BOOT_VGA, DISK, GPU, NIC, add, add_unknown, lines, machine, set_groups};

fn plain(assessment: &Assessment) -> String {
    text(assessment, &TextOptions::default())
}

fn no_iommu() -> Assessment {
    let mut assessment = machine();
    assessment.iommu.vendor = IommuVendor::None;
    assessment.iommu.firmware = Answer::No;
    assessment.iommu.active = Answer::No;
    assessment.iommu.interrupt_remapping = Answer::No;
    assessment.iommu.units.clear();
    set_groups(&mut assessment, &[]);
    let finding = add(
        &mut assessment,
        Severity::Blocks,
        "iommu.firmware-off",
        None,
        "The firmware describes no IOMMU: it is switched off there, or the machine has none.",
    );
    finding.evidence = lines(&[
        "/sys/class/iommu holds no unit",
        "no table DMAR or IVRS under /sys/firmware/acpi/tables",
        "judged by Linux 6.1.0-28-amd64",
    ]);
    finding.remedy = Some(
        "Switch VT-d on in the firmware setup (Advanced, System Agent), and VT-x with it; save, \
         switch the machine off and on again, and boot this stick once more."
            .into(),
    );
    assessment
}

fn no_remapping() -> Assessment {
    let mut assessment = machine();
    assessment.iommu.interrupt_remapping = Answer::No;
    let finding = add(
        &mut assessment,
        Severity::Blocks,
        "remapping.missing",
        None,
        "Interrupts of devices are not remapped: VFIO refuses to attach them to a guest.",
    );
    finding.evidence = lines(&[
        "DMAR flags: bit 0 (INTR_REMAP) is clear",
        "judged by Linux 6.1.0-28-amd64",
    ]);
    finding.remedy = Some(
        "Update the firmware. If that does not help: 'options vfio_iommu_type1 \
         allow_unsafe_interrupts=1' makes VFIO go on; a guest that owns a device can then send any \
         interrupt to the host, so only with guests that you trust like the host itself."
            .into(),
    );
    assessment
}

fn shared_group() -> Assessment {
    let mut assessment = machine();
    let others: [&[&str]; 2] = [&[BOOT_VGA], &[NIC]];
    let shared: &[&str] = &["0000:00:01.0", GPU, DISK];
    set_groups(&mut assessment, &[others[0], shared, others[1]]);
    let finding = add(
        &mut assessment,
        Severity::Blocks,
        "group.host-disk",
        Some(GPU),
        "IOMMU group 1 also holds a disk of the host: nvme0n1.",
    );
    finding.evidence = lines(&[
        "nvme0n1 (Samsung SSD 980 PRO 1TB, 931.5 GiB) on 0000:02:00.0 QEMU NVM Express Controller",
        "groups made by Linux 6.1.0-28-amd64",
    ]);
    finding.remedy = Some(
        "Put the card into another slot, best one on the processor, so that it gets a group of its \
         own: a guest takes the whole group, and the host would lose what it runs on."
            .into(),
    );
    assessment
}

fn only_display() -> Assessment {
    let mut assessment = machine();
    assessment
        .functions
        .retain(|function| function.address != support::at(GPU));
    assessment.cards.remove(1);
    assessment
        .findings
        .retain(|finding| finding.function != Some(support::at(GPU)));
    let finding = add(
        &mut assessment,
        Severity::Caution,
        "rom.shadow",
        Some(BOOT_VGA),
        "Its ROM could only be read from the legacy copy at 0xC0000, which is not what the card's \
         flash holds.",
    );
    finding.evidence = lines(&[
        "ROM region of 0000:00:02.0 at 0xc0000",
        "kernel log: pci 0000:00:02.0: Video device with shadowed ROM at [mem 0x000c0000-0x000dffff]",
    ]);
    finding.remedy = Some(
        "Put a second card in as the primary display and boot this stick again; this card's ROM \
         can then be read clean."
            .into(),
    );
    assessment
}

fn unprivileged() -> Assessment {
    let mut assessment = machine();
    assessment.machine.firmware = None;
    assessment.iommu.interrupt_remapping = Answer::Unknown;
    for function in &mut assessment.functions {
        if function.rom != RomSummary::Absent {
            let folder = "/sys/bus/pci/devices";
            let why = format!("{folder}/{}/rom: permission denied", function.address);
            let problem = "rom.unread".to_owned();
            function.rom = RomSummary::Failed { problem, why };
        }
    }
    let finding = add_unknown(
        &mut assessment,
        "remapping.unknown",
        None,
        "Whether interrupts of devices are remapped could not be read.",
    );
    finding.evidence = lines(&[
        "/sys/firmware/acpi/tables/DMAR: permission denied",
        "kernel log: not permitted",
    ]);
    finding.remedy = Some("Run this as root.".into());
    assessment
}

fn no_graphics() -> Assessment {
    let mut assessment = no_iommu();
    let gone = [support::at(GPU), support::at(BOOT_VGA)];
    let is_gone = |address| gone.contains(&address);
    assessment.cards.retain(|card| !is_gone(card.functions[0]));
    assessment
        .functions
        .retain(|function| !is_gone(function.address));
    assessment
        .findings
        .retain(|finding| !finding.function.is_some_and(is_gone));
    assessment
}

#[test]
fn all_is_well() {
    insta::assert_snapshot!(plain(&machine()));
}

#[test]
fn the_firmware_describes_no_iommu() {
    insta::assert_snapshot!(plain(&no_iommu()));
}

#[test]
fn interrupts_are_not_remapped() {
    insta::assert_snapshot!(plain(&no_remapping()));
}

#[test]
fn the_group_holds_the_hosts_disk() {
    insta::assert_snapshot!(plain(&shared_group()));
}

#[test]
fn the_only_display_has_a_shadowed_rom() {
    insta::assert_snapshot!(plain(&only_display()));
}

#[test]
fn a_user_without_rights_looks() {
    insta::assert_snapshot!(plain(&unprivileged()));
}

#[test]
fn there_is_no_graphics_card() {
    insta::assert_snapshot!(plain(&no_graphics()));
}

#[test]
fn the_first_line_answers_for_the_card_that_people_would_pass() {
    for (assessment, start) in [
        (
            machine(),
            "YES. AMD/ATI Rage 128 PRO AGP 4X (0000:01:00.0) can be passed through.",
        ),
        (
            no_iommu(),
            "NO. AMD/ATI Rage 128 PRO AGP 4X (0000:01:00.0) cannot be passed through: the firmware \
             describes no IOMMU.",
        ),
        (
            only_display(),
            "YES, WITH CARE. QEMU standard VGA (0000:00:02.0) can be passed through.",
        ),
        (
            unprivileged(),
            "NOT YET KNOWN. AMD/ATI Rage 128 PRO AGP 4X (0000:01:00.0) cannot be judged: whether",
        ),
        (
            no_graphics(),
            "NO GRAPHICS CARD FOUND. Other cards: 2 blocked.",
        ),
    ] {
        let first = &summary_lines(&assessment)[0];
        assert!(first.starts_with(start), "{first}");
    }
}

#[test]
fn answer_reasons_and_what_to_do_are_on_the_first_screen() {
    for assessment in [
        no_iommu(),
        no_remapping(),
        shared_group(),
        only_display(),
        unprivileged(),
    ] {
        let text = plain(&assessment);
        let top: Vec<_> = text.lines().take(20).collect();
        assert!(top.iter().any(|line| line.starts_with("  TO DO")), "{text}");
    }
}

#[test]
fn a_reason_of_the_whole_machine_and_its_remedy_are_told_once() {
    let text = plain(&no_iommu());
    assert_eq!(text.matches("no table DMAR or IVRS").count(), 1);
    assert_eq!(text.matches("Switch VT-d on").count(), 1);
    assert_eq!(text.matches("[iommu.firmware-off] (as above)").count(), 1);
}

#[test]
fn a_card_that_is_the_boot_display_comes_after_one_that_is_not() {
    let mut assessment = machine();
    assessment.cards[1].verdict = Verdict::Blocked;
    let answers = summary_lines(&assessment);
    assert!(answers[0].starts_with("NO. AMD/ATI"), "{answers:?}");
    assert!(
        answers[1].starts_with("YES, WITH CARE. QEMU"),
        "{answers:?}"
    );
}

#[test]
fn of_very_many_cards_the_first_are_told_and_the_rest_are_counted() {
    let mut assessment = no_iommu();
    let (card, function) = (
        assessment.cards[1].clone(),
        assessment
            .functions
            .iter()
            .find(|f| f.address == support::at(GPU))
            .unwrap()
            .clone(),
    );
    for bus in 0x10..0x60 {
        let address = support::at(&format!("0000:{bus:02x}:00.0"));
        assessment.cards.push(Card {
            functions: vec![address],
            ..card.clone()
        });
        assessment.functions.push(FunctionSummary {
            address,
            ..function.clone()
        });
    }
    let answers = summary_lines(&assessment);
    assert_eq!(answers.len(), 17);
    assert!(
        answers[16].starts_with("AND 66 MORE GRAPHICS CARDS: 66 "),
        "{}",
        answers[16]
    );
    let text = plain(&assessment);
    assert!(
        text.contains("and 50 more graphics cards in the JSON report"),
        "{text}"
    );
    assert!(text.lines().count() < 1000);
}
