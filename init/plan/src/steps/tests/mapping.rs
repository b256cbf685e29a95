//! Resource mappings.

use super::*;

#[test]
fn a_mapping_names_what_the_device_is() {
    let plan = Host::on_lvm().set("mapping=gpu").plan();
    assert_eq!(
        plan.text("mapping/pci.cfg"),
        "gpu\n\tmap id=10de:1b80,iommugroup=1,node=pve,path=0000:01:00,subsystem-id=1043:85aa\n"
    );
    assert!(plan.text(GUEST).contains("hostpci0: mapping=gpu,pcie=1\n"));
}

#[test]
fn a_mapping_is_not_made_where_only_the_next_start_tells_the_group() {
    let host = || Host::on_lvm().set("mapping=gpu");
    assert!(
        host()
            .plan()
            .warnings
            .iter()
            .any(|it| it.contains("IOMMU group 1,"))
    );
    let refused = |host: Host| {
        let plan = host.plan();
        assert!(!plan.changes_file("mapping/pci.cfg"));
        let refused = plan.refused().into_iter();
        refused.map(str::to_owned).collect::<Vec<_>>()
    };
    let other_groups = host().set("acs-override=downstream");
    assert!(refused(other_groups).contains(&"mapping-not-possible".to_owned()));
    let mut none = host();
    none.judge = |assessment| assessment.groups.clear();
    assert_eq!(refused(none), ["mapping-not-possible"]);
    let mut predicted = host();
    predicted.judge = |assessment| {
        for group in &mut assessment.groups {
            group.source = assess::GroupSource::Predicted;
        }
    };
    assert_eq!(refused(predicted), ["mapping-not-possible"]);
}

#[test]
fn another_guest_that_has_the_card_by_a_mapping_is_named() {
    let other = Host::on_lvm()
        .pve(
            "mapping/pci.cfg",
            "gpu\n\tmap id=10de:1b80,iommugroup=1,node=pve,path=0000:01:00\n",
        )
        .pve(
            "nodes/pve/qemu-server/101.conf",
            "hostpci0: mapping=gpu\nonboot: 1\n",
        )
        .pve("nodes/other/qemu-server/102.conf", "hostpci0: 0000:01:00\n");
    let warnings = other.plan().warnings;
    let said = |words: &str| warnings.iter().any(|it| it.contains(words));
    assert!(
        said("Guest 101 is given 0000:01:00 too, and it starts with the host"),
        "{warnings:?}"
    );
    assert!(
        !said("Guest 102"),
        "a guest of another node has another card: {warnings:?}"
    );
}
