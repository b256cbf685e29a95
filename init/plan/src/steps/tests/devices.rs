//! Devices that stay with the host and are given in parts.

use super::*;

#[test]
fn virtual_functions_are_made_at_every_start_and_the_card_stays_with_the_host() {
    let plan = settles(virtual_functions().set("sriov=4"));
    let rules = plan.text("/etc/udev/rules.d/70-preflight-sriov.rules");
    assert!(
        rules.contains("KERNEL==\"0000:03:00.0\"") && rules.ends_with("ATTR{sriov_numvfs}=\"4\"\n"),
        "{rules}"
    );
    assert!(!plan.changes_file(OWN));
}

#[test]
fn what_sysfsutils_writes_to_the_card_is_the_same_number() {
    const OURS: &str = "/etc/sysfs.d/preflight.conf";
    let lines = |count: u16| {
        format!(
            "# bus/pci/devices/0000:03:00.0/sriov_numvfs = 1\nbus/pci/devices/0000:03:00.0/sriov_numvfs = {count}\n\
             class/net/eno1/device/sriov_numvfs = {count}\n"
        )
    };
    let others =
        "class/net/eno2/device/sriov_numvfs = 2\nbus/pci/devices/0000:03:00.1/sriov_numvfs = 2\n";
    let host = virtual_functions()
        .set("sriov=7")
        .file("etc/sysfs.conf", &(lines(4) + others))
        .file("etc/sysfs.d/preflight.conf", &lines(2))
        .file("etc/sysfs.d/other.conf", others);
    let plan = settles(host);
    assert_eq!(plan.text("/etc/sysfs.conf"), lines(7) + others);
    assert_eq!(plan.text(OURS), lines(7));
    assert!(!plan.changes_file("/etc/sysfs.d/other.conf"));
    let rules = plan.text("/etc/udev/rules.d/70-preflight-sriov.rules");
    assert!(rules.ends_with("ATTR{sriov_numvfs}=\"7\"\n"), "{rules}");
}

#[test]
fn another_number_goes_into_the_rule_whatever_was_installed_since() {
    let host = virtual_functions().set("sriov=4");
    let plan = host.plan();
    let with_package = host.after(&plan).set("sriov=7").file(
        "var/lib/dpkg/status",
        "Package: pve-manager\nStatus: install ok installed\nVersion: 8.1.4\n\n\
         Package: sysfsutils\nStatus: install ok installed\nVersion: 2.1.1\n",
    );
    let plan = settles(with_package);
    let rules = plan.text("/etc/udev/rules.d/70-preflight-sriov.rules");
    assert_eq!(rules.matches("sriov_numvfs").count(), 1, "{rules}");
    assert!(rules.ends_with("=\"7\"\n"), "{rules}");
    assert!(!plan.changes_file("/etc/sysfs.d/preflight.conf"));
}

#[test]
fn a_part_of_intels_display_is_given_and_the_display_stays_with_the_host() {
    let plan = settles(gvt());
    assert!(plan.text(GRUB).contains("i915.enable_gvt=1"));
    assert_eq!(plan.text("/etc/modules"), "kvmgt\n");
    assert!(
        plan.text(GUEST)
            .contains("hostpci0: 0000:00:02.0,mdev=i915-GVTg_V5_4\n")
    );
    assert!(!plan.changes_file(OWN) && !plan.text(GRUB).contains("sysfb_init"));
}

#[test]
fn a_kind_of_mediated_device_is_known_by_its_whole_name() {
    let offers = |offered: &str, kind: &str| {
        let host = integrated().on("0000:00:02.0", |function| {
            function.mediated_types = Reading::Known(vec![offered.to_owned()])
        });
        let plan = host.set(&format!("mdev={kind}")).plan();
        !plan.refused().contains(&"mdev-not-possible")
    };
    assert!(offers("nvidia-63", "nvidia-63") && !offers("nvidia-63", "nvidia-6"));
    let numbered = "558 : NVIDIA RTX6000-Ada-1B";
    assert!(offers(numbered, "nvidia-558") && !offers(numbered, "nvidia-55"));
    assert!(!offers(numbered, "RTX6000-Ada-1B"));
}
