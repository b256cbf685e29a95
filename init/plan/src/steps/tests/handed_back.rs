//! A card that goes back to the host's driver, on a host that binds it early.

use super::*;

const THEIRS: &str = "/etc/modprobe.d/vfio.conf";

/// Intel's display is bound by its ids, and its driver is kept off.
fn bound_display() -> Host {
    gvt().file(
        "etc/modprobe.d/vfio.conf",
        "# for 100\noptions vfio-pci ids=8086:3e92,1002:67df\nblacklist i915\n",
    )
}

#[test]
fn a_display_that_is_given_in_parts_goes_from_the_list_and_the_blacklist_of_its_driver_is_named() {
    let plan = settles(bound_display());
    assert_eq!(
        plan.text(THEIRS),
        "# for 100\noptions vfio-pci ids=1002:67df\nblacklist i915\n"
    );
    assert_eq!(plan.needs.initramfs, ["6.5.13-1-pve"]);
    let begin = "/etc/modprobe.d/vfio.conf:3 has 'blacklist i915', so i915 is not loaded, which makes the parts of 0000:00:02.0.";
    let named = |plan: &Plan| {
        plan.warnings
            .iter()
            .any(|warning| warning.starts_with(begin))
    };
    assert!(named(&plan), "{:?}", plan.warnings);
    // Another driver's is nobody's business.
    let other = gvt().file("etc/modprobe.d/a.conf", "blacklist nouveau\n");
    let blacklist = |warning: &String| warning.contains("blacklist");
    assert!(!other.plan().warnings.iter().any(blacklist));
}

#[test]
fn a_driver_that_the_command_line_keeps_off_is_named_too() {
    let menu = "menuentry 'Proxmox VE' {\n\tlinux /boot/vmlinuz-6.5.13-1-pve root=/dev/a ro modprobe.blacklist=nouveau,i915\n\tinitrd /boot/initrd.img-6.5.13-1-pve\n}\n";
    let plan = gvt().file("boot/grub/grub.cfg", menu).plan();
    let named = |warning: &String| {
        warning.starts_with("/boot/grub/grub.cfg:2 has 'modprobe.blacklist=i915', so i915")
    };
    assert!(plan.warnings.iter().any(named), "{:?}", plan.warnings);
}

#[test]
fn a_network_card_with_virtual_functions_goes_from_the_lists_of_modprobe_and_the_command_line() {
    let host = virtual_functions()
        .set("sriov=4")
        .file(
            "etc/modprobe.d/vfio.conf",
            "options vfio-pci ids=8086:1521\nblacklist igb\n",
        )
        .file(
            "etc/default/grub",
            "GRUB_CMDLINE_LINUX_DEFAULT=\"quiet vfio-pci.ids=10DE:1B80,8086:1521\"\n",
        );
    let plan = settles(host);
    assert_eq!(plan.text(THEIRS), "blacklist igb\n");
    let grub = plan.text(GRUB);
    assert!(grub.contains("vfio-pci.ids=10DE:1B80 "), "{grub}");
    let named =
        |warning: &String| warning.starts_with("/etc/modprobe.d/vfio.conf:2 has 'blacklist igb'");
    assert!(plan.warnings.iter().any(named), "{:?}", plan.warnings);
    assert!(!plan.options.iter().any(|used| used.option == "bind"));
}

#[test]
fn a_driver_of_several_that_is_left_makes_the_parts() {
    let aliases =
        "alias pci:v*d*sv*sd*bc02sc00i* igb\nalias pci:v*d*sv*sd*bc02sc00i* igb_of_the_maker\n";
    let host = virtual_functions()
        .set("sriov=4")
        .file("lib/modules/6.5.13-1-pve/modules.alias", aliases)
        .file("etc/modprobe.d/a.conf", "blacklist igb\n");
    let blacklist = |warning: &String| warning.contains("blacklist");
    assert!(!host.plan().warnings.iter().any(blacklist));
}

#[test]
fn a_card_that_was_bound_by_address_goes_from_the_script_and_the_others_stay() {
    let first = twins().function("0000:05:00.0", 0x02_00_00, (0x8086, 0x10fb), 8);
    let plan = first.plan();
    let mut both = first.after(&plan).set("bind=address");
    both.choice.devices = vec![address("0000:05:00.0")];
    let plan = both.plan();
    let mut host = both.after(&plan).set("bind=guest-start");
    host.choice.devices = vec![address(GPU)];
    let plan = settles(host);
    let script = plan.text(SCRIPT);
    assert!(!script.contains("take 0000:01:00"), "{script}");
    assert!(
        script.contains("\ntake 0000:05:00.0 0x8086:0x10fb\n"),
        "{script}"
    );
    assert_eq!(plan.needs.initramfs, ["6.5.13-1-pve"]);
    assert!(
        plan.notes
            .iter()
            .any(|note| note.contains("stays with the host's driver"))
    );
}

#[test]
fn ids_that_bind_another_card_too_stay_and_that_is_said() {
    let host = || {
        twins().set("bind=guest-start").file(
            "etc/modprobe.d/vfio.conf",
            "options vfio-pci ids=10de:1b80,10de:10f0\n",
        )
    };
    let plan = settles(host());
    assert_eq!(plan.text(THEIRS), "options vfio-pci ids=10de:1b80\n");
    let begin = "10de:1b80 stays in /etc/modprobe.d/vfio.conf, for it binds 0000:02:00.0 too: vfio-pci takes the card with it";
    let said = |plan: &Plan| {
        plan.warnings
            .iter()
            .any(|warning| warning.starts_with(begin))
    };
    assert!(said(&plan), "{:?}", plan.warnings);
    let stays = |note: &String| note.contains("stays with the host's driver");
    assert!(!plan.notes.iter().any(stays));
    // Bound by its address, the other one needs no list.
    let mut other = host().set("bind=address");
    other.choice.devices = vec![address("0000:02:00.0")];
    let first = other.plan();
    let mut again = other.after(&first).set("bind=guest-start");
    again.choice.devices = vec![address(GPU)];
    let plan = settles(again);
    assert!(!said(&plan) && plan.notes.iter().any(stays));
}

#[test]
fn ids_on_the_command_line_that_bind_another_card_stay_there() {
    let grub = "GRUB_CMDLINE_LINUX_DEFAULT=\"quiet vfio_pci.ids=10de:1b80\"\n";
    let host = twins()
        .set("bind=guest-start")
        .file("etc/default/grub", grub);
    let plan = settles(host);
    assert!(plan.text(GRUB).contains("vfio_pci.ids=10de:1b80"));
    let said =
        |warning: &String| warning.starts_with("10de:1b80 stays in the kernel command line,");
    assert!(plan.warnings.iter().any(said), "{:?}", plan.warnings);
}
