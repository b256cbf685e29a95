//! What the host itself needs, and the kernel command line.

use assess::IommuVendor;
use hardware::HostRole;
use proxmox::disks::{DiskUse, Purpose};

use super::*;
use crate::testing::AUDIO;

#[test]
fn the_iommu_is_left_alone_where_the_kernel_switches_it_on() {
    let on = "CONFIG_VFIO_PCI=m\nCONFIG_INTEL_IOMMU_DEFAULT_ON=y\n";
    let plan = Host::on_zfs().kernel("6.5.13-1-pve", on).plan();
    assert!(!plan.text("/etc/kernel/cmdline").contains("intel_iommu"));
    let mut amd = Host::on_zfs();
    amd.vendor = IommuVendor::Amd;
    let line = amd.plan().text("/etc/kernel/cmdline");
    assert!(
        !line.contains("amd_iommu") && line.contains("iommu=pt"),
        "{line}"
    );
}

#[test]
fn amd_iommu_off_goes() {
    let mut host = Host::on_lvm()
        .file("etc/default/grub", "GRUB_CMDLINE_LINUX_DEFAULT=\"quiet amd_iommu=off\"\n")
        .file("boot/grub/grub.cfg", "menuentry 'Proxmox VE' {\n\tlinux /boot/vmlinuz-6.5.13-1-pve root=/dev/a ro quiet amd_iommu=off\n\tinitrd /boot/initrd.img-6.5.13-1-pve\n}\n");
    host.vendor = IommuVendor::Amd;
    assert_eq!(
        host.plan().text(GRUB),
        "GRUB_CMDLINE_LINUX_DEFAULT=\"quiet iommu=pt\"\n"
    );
}

#[test]
fn the_firmwares_display_is_kept_from_the_framebuffer_and_the_loss_is_said() {
    let plan = settles(boot_display());
    assert!(plan.text(GRUB).contains("initcall_blacklist=sysfb_init"));
    assert!(
        plan.warnings
            .iter()
            .any(|warning| warning.contains("stays dark"))
    );
    assert!(
        plan.warnings
            .iter()
            .any(|warning| warning.contains("--rom"))
    );
    assert!(!Host::on_lvm().plan().text(GRUB).contains("sysfb_init"));
    let old = boot_display().kernel("5.4.30-1-pve", "CONFIG_VFIO_PCI=m\n");
    assert!(old.plan().text(GRUB).contains("video=efifb:off"));
}

#[test]
fn what_costs_safety_is_done_only_when_asked_and_says_its_price() {
    let plain = Host::on_lvm().plan();
    assert!(!plain.text(GRUB).contains("pcie_acs_override"));
    let asked = Host::on_lvm()
        .set("acs-override=downstream")
        .set("unsafe-interrupts=yes")
        .plan();
    assert!(asked.text(GRUB).contains("pcie_acs_override=downstream"));
    assert!(
        asked
            .text(OWN)
            .contains("options vfio_iommu_type1 allow_unsafe_interrupts=1")
    );
    assert!(
        asked
            .warnings
            .iter()
            .any(|warning| warning.contains("isolation that the hardware does not have"))
    );
    assert!(
        asked
            .warnings
            .iter()
            .any(|warning| warning.contains("crash it"))
    );
}

#[test]
fn groups_under_an_override_are_those_that_it_makes() {
    let mut host = Host::on_lvm()
        .function("0000:06:00.0", 0x01_06_01, (0x1b21, 0x1142), 1)
        .with(HostRole::Disk, "sda", "0000:06:00.0");
    assert!(host.plan().refused().contains(&"host-disk"));
    host.judge = |assessment| {
        assessment.judged_by = assess::GroupSource::Predicted;
        assessment.groups_predicted = vec![assess::GroupSummary {
            id: 0,
            source: assess::GroupSource::Predicted,
            functions: vec![address(GPU), address(AUDIO)],
        }];
    };
    assert!(!host.plan().refused().contains(&"host-disk"));
}

#[test]
fn a_disk_of_the_host_in_the_cards_group_is_named() {
    let host = Host::on_lvm()
        .function("0000:06:00.0", 0x01_06_01, (0x1b21, 0x1142), 1)
        .with(HostRole::Disk, "sda", "0000:06:00.0");
    let plan = host.plan();
    assert!(
        plan.refusals[0].evidence[0].contains("0000:06:00.0 carries sda"),
        "{}",
        diff(&plan)
    );
    // The host's own disk elsewhere is nobody's business.
    assert!(!Host::on_lvm().plan().refused().contains(&"host-disk"));
}

#[test]
fn a_disk_of_any_system_in_the_cards_group_is_named() {
    let used = |purpose: Purpose, function: Option<&str>| {
        let host = Host::on_lvm().function("0000:06:00.0", 0x01_06_01, (0x1b21, 0x1142), 1);
        let used = DiskUse {
            disk: "serial:OTHER".to_owned(),
            function: function.map(address),
            partition: Some(1),
            purpose,
            within: Some("tank/data".to_owned()),
            systems: Vec::new(),
        };
        Host {
            disks: Some(vec![used]),
            ..host
        }
    };
    let pool = || Purpose::PoolMember("tank".to_owned());
    let plan = used(pool(), Some("0000:06:00.0")).plan();
    assert_eq!(plan.refused(), ["host-disk"]);
    assert_eq!(
        plan.refusals[0].evidence,
        ["0000:06:00.0 carries serial:OTHER: member of pool tank (tank/data)"]
    );
    assert_eq!(used(pool(), None).plan().refused(), ["host-disk"]);
    assert!(!used(pool(), Some(crate::testing::DISK)).plan().is_refused());
    for nothing in [Purpose::Nothing, Purpose::Esp] {
        assert!(!used(nothing, Some("0000:06:00.0")).plan().is_refused());
    }
}

#[test]
fn what_could_not_be_read_stops_the_plan_and_is_not_taken_for_absent() {
    for path in [
        "etc/default/grub",
        "etc/default/grub.d/zz.cfg",
        "etc/default/grub.d",
        "etc/modprobe.d/other.conf",
        "etc/modprobe.d",
        "etc/initramfs-tools/modules",
    ] {
        let plan = Host::on_lvm().unreadable(path).plan();
        assert_eq!(plan.refused(), ["file-unread"], "{path}: {}", diff(&plan));
        let folder = path.rsplit_once('/').unwrap().0;
        let touched = plan.changes.iter().filter(|change| {
            folder != "etc"
                && folder != "etc/initramfs-tools"
                && change.path.starts_with(&format!("/{folder}/"))
        });
        assert_eq!(touched.count(), 0, "{path}: {}", diff(&plan));
    }
    let zfs = Host::on_zfs().unreadable("etc/kernel/cmdline").plan();
    assert_eq!(zfs.refused(), ["file-unread"]);
}

#[test]
fn a_kernel_without_vfio_is_named_and_stops_the_plan_where_it_starts_next() {
    let without = "CONFIG_X=y\n";
    let other = Host::on_lvm().kernel("6.1.0-18-amd64", without).plan();
    assert!(!other.is_refused(), "{}", diff(&other));
    let named = |warning: &&String| warning.starts_with("6.1.0-18-amd64 has no vfio-pci");
    assert_eq!(other.warnings.iter().filter(named).count(), 1);
    let with = "CONFIG_VFIO_PCI=m\n";
    let next = Host::on_lvm()
        .kernel("6.5.13-1-pve", without)
        .kernel("6.1.0-18-amd64", with)
        .plan();
    assert_eq!(next.refused(), ["no-vfio"], "{}", diff(&next));
    let evidence = &next.refusals[0].evidence;
    assert_eq!(
        evidence,
        &["6.5.13-1-pve has no vfio-pci, and /boot/grub/grub.cfg:3 starts it"]
    );
}

/// The second network card goes, and the first one stays.
fn second_network_card(interfaces: &str) -> Host {
    let mut host = Host::on_lvm()
        .function("0000:05:00.0", 0x02_00_00, (0x8086, 0x10fb), 5)
        .file("etc/network/interfaces", interfaces);
    host.choice.devices = vec![address("0000:05:00.0")];
    host
}

#[test]
fn a_port_whose_card_is_not_known_can_be_the_one_that_goes() {
    let bridge = |port: &str| {
        second_network_card(&format!(
            "iface lo inet loopback\niface vmbr0 inet static\n\tbridge-ports {port}\n"
        ))
    };
    for port in [
        "eno2",
        "nic0",
        "ens18",
        "eth0",
        "enx001122334455",
        "eno2.100",
    ] {
        let plan = bridge(port).plan();
        assert_eq!(plan.refused(), ["host-network"], "{port}");
        let line = format!(
            "/etc/network/interfaces:3: which card has {port}, a port of vmbr0 is not known"
        );
        assert_eq!(plan.refusals[0].evidence, [line]);
        let mut accepted = bridge(port);
        accepted.choice.accepted.insert("host-network".to_owned());
        assert!(!accepted.plan().is_refused());
    }
    // By its name, or because it was seen.
    for port in ["enp3s0", "eno1", "bond0", "veth1"] {
        assert!(!bridge(port).plan().is_refused(), "{port}");
    }
    let no_card_goes = Host::on_lvm().file("etc/network/interfaces", "iface nic0 inet dhcp\n");
    assert!(!no_card_goes.plan().is_refused());
}

#[test]
fn a_usb_controller_goes_only_where_it_is_known_what_hangs_on_it() {
    let host = || Host::on_lvm().function("0000:01:00.2", 0x0c_03_30, (0x10de, 0x1ad8), 1);
    assert!(!host().plan().is_refused());
    let mut unknown = host();
    unknown.machine.host_devices = Reading::unknown("a listing has none");
    let plan = unknown.plan();
    assert_eq!(plan.refused(), ["host-keyboard"]);
    assert!(plan.refusals[0].evidence[0].starts_with("0000:01:00.2 is a USB controller"));
}

/// All displays go to the guest.
fn without_display() -> Host {
    let mut host = boot_display();
    host.choice.devices = vec![address("0000:00:02.0"), address(GPU)];
    host
}

#[test]
fn the_only_display_goes_where_the_host_is_reached_by_a_serial_line_or_over_the_network() {
    let console = |word: &str| {
        let menu = format!(
            "menuentry 'Proxmox VE' {{\n\tlinux /boot/vmlinuz-6.5.13-1-pve root=/dev/a ro console=tty0 {word}\n\tinitrd /boot/initrd.img-6.5.13-1-pve\n}}\n"
        );
        let host = without_display().file("boot/grub/grub.cfg", &menu);
        host.without_ssh().plan()
    };
    let reached = |plan: &Plan, how: &str| {
        let ending = format!("and the host is reached {how} alone.");
        !plan.is_refused()
            && plan
                .warnings
                .iter()
                .any(|warning| warning.ends_with(&ending))
    };
    for word in ["console=ttyS0,115200", "console=hvc0"] {
        let plan = console(word);
        assert!(reached(&plan, "by its serial line"), "{}", diff(&plan));
    }
    assert_eq!(console("quiet").refused(), ["only-display"]);
    let plan = without_display().plan();
    assert!(reached(&plan, "over the network"), "{}", diff(&plan));
    // A network card that goes as well reaches nobody.
    let mut without_network = without_display();
    without_network.choice.devices.push(address(NIC));
    let plan = without_network.plan();
    assert!(plan.refused().contains(&"only-display"), "{}", diff(&plan));
}

#[test]
fn where_the_firmwares_screen_is_not_known_no_other_card_is_named_for_it() {
    let reason = |host: Host| {
        let plan = host.plan();
        let used = plan
            .options
            .iter()
            .find(|used| used.option == "framebuffer");
        used.unwrap().reason.clone()
    };
    let unknown = || {
        Host::on_lvm().on(GPU, |function| {
            function.boot_vga = Reading::unknown("a listing does not say")
        })
    };
    assert!(reason(unknown()).contains("on another card"));
    let nowhere = unknown().on("0000:00:02.0", |function| {
        function.boot_vga = Reading::Known(false)
    });
    assert!(reason(nowhere).ends_with("is not known"));
}

#[test]
fn the_iommu_of_the_processors_maker_is_switched_on_where_firmware_shows_none() {
    let host = |maker: &str| {
        let mut host = Host::on_lvm();
        host.vendor = IommuVendor::None;
        host.machine.cpu.vendor = Reading::Known(maker.to_owned());
        host.plan()
    };
    let passes = |plan: &Plan| format!("{:?}", plan.command_line).contains("_iommu");
    assert!(passes(&host("GenuineIntel")));
    let amd = host("AuthenticAMD");
    assert!(!passes(&amd));
    let other = host("HygonGenuine");
    assert!(!passes(&other));
    assert!(
        other
            .warnings
            .iter()
            .any(|it| it.contains("may need intel_iommu=on"))
    );
    assert!(
        !amd.warnings
            .iter()
            .any(|it| it.contains("may need intel_iommu=on"))
    );
}
