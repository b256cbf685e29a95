//! Words of the IOMMU on the kernel command line.

use super::*;

fn opts_out() -> Host {
    Host {
        judge: |assessment| assessment.iommu.x2apic_opt_out = true,
        ..Host::on_lvm()
    }
}

#[test]
fn the_firmwares_wish_about_x2apic_is_heeded_unless_it_is_asked_not_to_be() {
    const WORD: &str = "intremap=no_x2apic_optout";
    let used = |plan: &Plan| {
        let option = plan.options.iter();
        let mut option = option.filter(|used| used.option == "x2apic-opt-out");
        option.next().map(|used| used.value.clone())
    };
    let heeded = settles(opts_out());
    assert!(!heeded.text(GRUB).contains("intremap"));
    assert_eq!(used(&heeded).as_deref(), Some("leave"));
    for host in [opts_out(), Host::on_lvm()] {
        let plan = settles(host.set("x2apic-opt-out=ignore"));
        assert!(plan.text(GRUB).contains(WORD), "{}", plan.text(GRUB));
        assert_eq!(used(&plan).as_deref(), Some("ignore"));
    }
    assert_eq!(used(&Host::on_lvm().plan()), None);
}

#[test]
fn intel_iommu_off_becomes_on_also_where_the_kernel_would_switch_it_on() {
    let host = Host::on_lvm()
        .kernel("6.5.13-1-pve", "CONFIG_VFIO_PCI=m\nCONFIG_INTEL_IOMMU_DEFAULT_ON=y\n")
        .file("etc/default/grub", "GRUB_CMDLINE_LINUX_DEFAULT=\"quiet intel_iommu=off\"\n")
        .file("boot/grub/grub.cfg", "menuentry 'Proxmox VE' {\n\tlinux /boot/vmlinuz-6.5.13-1-pve root=/dev/a ro quiet intel_iommu=off\n\tinitrd /boot/initrd.img-6.5.13-1-pve\n}\n");
    let plan = host.plan();
    assert_eq!(
        plan.text(GRUB),
        "GRUB_CMDLINE_LINUX_DEFAULT=\"quiet intel_iommu=on iommu=pt\"\n"
    );
    let used = plan.options.iter().find(|used| used.option == "iommu");
    assert_eq!(
        used.unwrap().reason,
        "the command line says intel_iommu=off"
    );
}

#[test]
fn the_iommu_is_left_as_it_is_when_that_is_asked_for() {
    let grub = |setting: &str| Host::on_lvm().set(setting).plan().text(GRUB);
    let left = grub("iommu=leave");
    assert!(
        !left.contains("intel_iommu") && left.contains("iommu=pt"),
        "{left}"
    );
    let translated = grub("iommu-pt=no");
    assert!(
        translated.contains("intel_iommu=on") && !translated.contains("iommu=pt"),
        "{translated}"
    );
    let neither = Host::on_lvm().set("iommu=leave").set("iommu-pt=no").plan();
    assert!(!neither.changes_file(GRUB));
}
