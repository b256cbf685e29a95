//! Who gets the card when the host starts.

use hardware::Reading;
use proxmox::initrd::InitramfsTool;

use super::*;
use crate::testing::AUDIO;

#[test]
fn one_of_two_identical_cards_is_bound_by_its_address() {
    let host = twins().file(
        "etc/modprobe.d/vfio.conf",
        "options vfio-pci ids=10de:1b80,1002:67df\n",
    );
    let plan = settles(host);
    assert_eq!(
        plan.text("/etc/modprobe.d/vfio.conf"),
        "options vfio-pci ids=1002:67df\n"
    );
    assert!(!plan.text(OWN).contains("ids="));
    let script = plan.text(SCRIPT);
    assert!(script.contains(&format!(
        "take {GPU} 0x10de:0x1b80\ntake {AUDIO} 0x10de:0x10f0\n"
    )));
    let change = plan
        .changes
        .iter()
        .find(|change| change.path == SCRIPT)
        .unwrap();
    assert_eq!(change.mode, Some(0o755));
}

#[test]
fn the_script_of_the_initrd_is_sound_for_a_shell_and_names_no_prerequisite() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("script");
    std::fs::write(&path, twins().plan().text(SCRIPT)).unwrap();
    let run = |arguments: &[&str]| {
        std::process::Command::new("/bin/sh")
            .args(arguments)
            .arg(&path)
            .output()
            .unwrap()
    };
    assert!(run(&["-n"]).status.success());
    let prerequisites = std::process::Command::new("/bin/sh")
        .arg(&path)
        .arg("prereqs")
        .output()
        .unwrap();
    assert_eq!(
        (
            prerequisites.status.success(),
            prerequisites.stdout.as_slice()
        ),
        (true, b"\n".as_slice())
    );
}

/// Two virtual functions of the network card, of which the first goes.
fn of_sriov() -> Host {
    let mut host = Host::on_lvm();
    for (place, group) in [("0000:03:10.0", 10), ("0000:03:10.2", 11)] {
        host = host
            .function(place, 0x02_00_00, (0x8086, 0x1520), group)
            .on(place, |function| {
                function.physical_function = Reading::Known(address(NIC))
            });
    }
    host.choice.devices = vec![address("0000:03:10.0")];
    host
}

#[test]
fn a_virtual_function_is_bound_when_the_guest_starts_for_no_script_of_the_initrd_sees_it() {
    let plan = settles(of_sriov());
    let bind = plan.options.iter().find(|used| used.option == "bind");
    let bind = bind.unwrap();
    assert_eq!(bind.value, "guest-start");
    assert!(
        bind.reason.contains("makes 0000:03:10.0 only after"),
        "{}",
        bind.reason
    );
    assert!(!plan.changes_file(SCRIPT) && !plan.changes_file(OWN));
    let unseen = |warning: &String| {
        warning.starts_with("The script in the initrd does not find 0000:03:10.0,")
    };
    let asked = of_sriov().set("bind=address").plan();
    assert!(asked.warnings.iter().any(unseen) && !plan.warnings.iter().any(unseen));
    // By its id, the host would lose the other one too.
    assert_eq!(of_sriov().set("bind=ids").plan().refused(), ["ids-shared"]);
    // A card beside it is bound as ever.
    let mut both = of_sriov();
    both.choice.devices.push(address(GPU));
    let script = both.plan().text(SCRIPT);
    assert!(script.contains(&format!("take {GPU} ")), "{script}");
}

#[test]
fn a_driver_is_blacklisted_in_our_file_when_that_is_asked_for() {
    let plan = settles(Host::on_lvm().set("blacklist=nouveau,nvidiafb"));
    let text = plan.text(OWN);
    assert!(
        text.contains("\nblacklist nouveau\n") && text.contains("\nblacklist nvidiafb\n"),
        "{text}"
    );
    assert!(!Host::on_lvm().plan().text(OWN).contains("blacklist"));
}

#[test]
fn a_second_card_by_address_joins_the_first() {
    let first = twins();
    let plan = first.plan();
    let mut second = first
        .after(&plan)
        .function("0000:05:00.0", 0x02_00_00, (0x8086, 0x1521), 8);
    second.choice.devices = vec![address("0000:05:00.0")];
    let script = second.plan().text(SCRIPT);
    assert!(script.contains(GPU) && script.contains("take 0000:05:00.0 0x8086:0x1521"));
}

#[test]
fn a_kernel_with_vfio_built_in_takes_the_ids_from_its_command_line() {
    let plan = settles(built_in());
    assert!(plan.text(GRUB).contains("vfio-pci.ids=10de:1b80,10de:10f0"));
    assert!(
        plan.text(OWN)
            .contains("options vfio-pci ids=10de:1b80,10de:10f0")
    );
}

#[test]
fn vfio_virqfd_is_listed_only_for_kernels_that_have_it() {
    let old = Host::on_lvm().kernel(
        "5.15.108-1-pve",
        "CONFIG_VFIO_PCI=m\nCONFIG_VFIO_VIRQFD=m\n",
    );
    assert!(
        old.plan()
            .text(MODULES)
            .ends_with("vfio\nvfio_iommu_type1\nvfio_virqfd\nvfio_pci\n")
    );
    let new = Host::on_lvm()
        .file("etc/modules", "loop\nvfio_virqfd\n")
        .file("etc/modules-load.d/modules.conf", "loop\nvfio_virqfd\n")
        .file("etc/modules-load.d/vfio.conf", "vfio_virqfd\nvfio_pci\n");
    let plan = new.plan();
    assert!(!plan.text(MODULES).contains("virqfd"));
    assert_eq!(plan.text("/etc/modules-load.d/vfio.conf"), "vfio_pci\n");
    assert!(!plan.changes_file("/etc/modules-load.d/modules.conf"));
    assert_eq!(plan.text("/etc/modules"), "loop\n");
}

#[test]
fn drivers_that_would_take_the_card_are_those_of_the_kernels_own_list() {
    let text = Host::on_lvm().plan().text(OWN);
    for driver in ["nouveau", "nvidiafb", "snd_hda_intel"] {
        assert!(
            text.contains(&format!("softdep {driver} pre: vfio-pci\n")),
            "{text}"
        );
    }
    assert_eq!(text.matches("softdep").count(), 3, "{text}");
    let there = Host::on_lvm().file("etc/modprobe.d/a.conf", "softdep nouveau pre: vfio_pci\n");
    assert!(!there.plan().text(OWN).contains("nouveau"));
}

#[test]
fn left_to_the_guests_start_nothing_is_bound() {
    let plan = settles(Host::on_lvm().set("bind=guest-start").set("disable-vga=no"));
    assert!(!plan.changes_file(OWN) && !plan.changes_file(MODULES));
    assert!(plan.needs.initramfs.is_empty());
}

#[test]
fn ids_join_a_file_that_is_there() {
    let host = Host::on_lvm().file(
        "etc/modprobe.d/vfio.conf",
        "options vfio-pci ids=1002:67df disable_vga=1\n",
    );
    let text = host.plan().text("/etc/modprobe.d/vfio.conf");
    assert_eq!(
        text,
        "options vfio-pci ids=1002:67df,10de:1b80,10de:10f0 disable_vga=1\n"
    );
}

#[test]
fn a_twins_ids_on_the_command_line_of_a_built_in_vfio_go() {
    let host = twins()
        .kernel("5.4.30-1-pve", "CONFIG_VFIO_PCI=y\nCONFIG_VFIO_VIRQFD=m\n")
        .file(
            "etc/default/grub",
            "GRUB_CMDLINE_LINUX_DEFAULT=\"quiet vfio-pci.ids=10de:1b80,1002:67df\"\n",
        );
    let text = settles(host).text(GRUB);
    assert!(text.contains(" vfio-pci.ids=1002:67df "), "{text}");
    let alone = Host::on_zfs()
        .function("0000:02:00.0", 0x03_00_00, (0x10de, 0x1b80), 7)
        .file(
            "etc/kernel/cmdline",
            "root=ZFS=rpool/ROOT/pve-1 vfio_pci.ids=10de:1b80,10de:10f0\n",
        );
    let text = settles(alone).text("/etc/kernel/cmdline");
    assert!(!text.contains("ids"), "{text}");
}

/// Runs the script of the initrd on a /sys of plain files, as the kernel leaves it before udev.
#[test]
fn the_script_gives_the_card_to_vfio_pci_also_where_that_and_its_driver_are_built_in() {
    let folder = tempfile::tempdir().unwrap();
    let sys = folder.path();
    let device = sys.join("bus/pci/devices").join(AUDIO);
    let driver = sys.join("bus/pci/drivers/snd_hda_intel");
    for path in [&device, &driver] {
        std::fs::create_dir_all(path).unwrap();
    }
    let (unbind, probe) = (driver.join("unbind"), sys.join("bus/pci/drivers_probe"));
    for (path, text) in [
        (device.join("driver_override"), "(null)"),
        (device.join("vendor"), "0x10de"),
        (device.join("device"), "0x10f0"),
        (unbind.clone(), ""),
        (probe.clone(), ""),
        (sys.join("modprobe"), "#!/bin/sh\n"),
    ] {
        std::fs::write(path, text).unwrap();
    }
    std::os::unix::fs::symlink(&driver, device.join("driver")).unwrap();
    let script = twins().plan().text(SCRIPT);
    let script = script.replace("/sys/", &format!("{}/", sys.display()));
    let run = std::process::Command::new("/bin/sh")
        .args(["-c", &script])
        .status()
        .unwrap();
    assert!(run.success());
    let read = |path: &std::path::Path| std::fs::read_to_string(path).unwrap();
    assert_eq!(read(&device.join("driver_override")), "vfio-pci\n");
    assert_eq!(read(&unbind), format!("{AUDIO}\n"));
    assert_eq!(read(&probe), format!("{AUDIO}\n"));
}

#[test]
fn dracut_is_told_to_pack_the_files_that_the_binding_stands_in() {
    let host = Host {
        change: |system| system.initramfs_tool = Reading::Known(InitramfsTool::Dracut),
        ..Host::on_lvm().file(
            "etc/modprobe.d/vfio.conf",
            "options vfio-pci ids=1002:67df\n",
        )
    };
    let text = settles(host).text("/etc/dracut.conf.d/preflight-vfio.conf");
    assert!(
        text.contains(
            "install_items+=\" /etc/modprobe.d/preflight-vfio.conf /etc/modprobe.d/vfio.conf \"\n"
        ),
        "{text}"
    );
}

#[test]
fn initrds_are_made_for_kernels_in_boot_alone() {
    let plan = Host {
        change: |system| {
            let mut other = system.kernels[0].clone();
            other.version = "6.2.16-3-pve".to_owned();
            other.in_boot = false;
            system.kernels.push(other);
        },
        ..Host::on_zfs()
    }
    .plan();
    assert_eq!(plan.needs.initramfs, ["6.5.13-1-pve"]);
    assert!(
        plan.warnings
            .iter()
            .any(|warning| warning.starts_with("6.2.16-3-pve is only on an ESP"))
    );
}

#[test]
fn ids_on_the_command_line_hold_against_modprobe_so_the_cards_join_them() {
    let other = "vfio-pci.ids=1002:67df";
    let grub = format!("GRUB_CMDLINE_LINUX_DEFAULT=\"quiet {other}\"\n");
    let plan = settles(Host::on_lvm().file("etc/default/grub", &grub));
    let all = format!("{other},10de:1b80,10de:10f0");
    assert!(plan.text(GRUB).contains(&all), "{}", plan.text(GRUB));
    let wanted = |edit: &crate::edit::WordEdit| edit.shown().starts_with("vfio-pci.ids=");
    assert_eq!(
        plan.command_line.iter().filter(|edit| wanted(edit)).count(),
        2
    );
    let none = Host::on_lvm().plan();
    assert!(!none.command_line.iter().any(wanted));
}

#[test]
fn a_card_that_a_driver_in_the_kernel_itself_takes_is_bound_by_its_address() {
    let modules = "lib/modules/6.5.13-1-pve";
    let usb = || Host::on_lvm().function("0000:01:00.2", 0x0c_03_30, (0x10de, 0x1ad8), 1);
    let by_alias = usb().file(
        &format!("{modules}/modules.builtin.modinfo"),
        "loop.alias=block-major-7-*\0xhci-pci.license=GPL\0xhci-pci.alias=pci:v*d*sv*sd*bc0Csc03i30*\0",
    );
    let by_name = usb().file(
        &format!("{modules}/modules.builtin"),
        "kernel/fs/ext4/ext4.ko\nkernel/sound/pci/hda/snd-hda-intel.ko\n",
    );
    for (host, reason) in [
        (
            by_alias,
            "ids come too late: xhci_pci is built into 6.5.13-1-pve and takes 0000:01:00.2",
        ),
        (
            by_name,
            "ids come too late: snd_hda_intel is built into 6.5.13-1-pve and takes 0000:01:00.1",
        ),
    ] {
        let plan = settles(Host {
            root: host.root.clone(),
            ..usb()
        });
        let bind = plan.options.iter().find(|used| used.option == "bind");
        assert_eq!(bind.map(|used| used.value.as_str()), Some("address"));
        assert_eq!(bind.unwrap().reason, reason);
        assert!(
            plan.text(SCRIPT)
                .contains("take 0000:01:00.2 0x10de:0x1ad8\n")
        );
        let asked = host.set("bind=ids").plan();
        let warned = |warning: &String| warning.starts_with("By its ids vfio-pci does not get");
        assert!(asked.warnings.iter().any(warned) && !plan.warnings.iter().any(warned));
    }
    let dracut = Host {
        change: |system| system.initramfs_tool = Reading::Known(InitramfsTool::Dracut),
        ..usb().file(
            &format!("{modules}/modules.builtin"),
            "kernel/sound/pci/hda/snd-hda-intel.ko\n",
        )
    };
    let plan = dracut.plan();
    assert!(!plan.is_refused() && !plan.changes_file(SCRIPT));
}
