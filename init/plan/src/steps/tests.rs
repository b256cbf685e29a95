use std::collections::BTreeSet;

use assess::{IommuVendor, Verdict};
use hardware::{HostRole, Reading};
use option_rom::Rom;
use proxmox::initrd::InitramfsTool;

use crate::testing::{AUDIO, GPU, Host, NIC, address};
use crate::{Body, Plan, RomFile, Tree, diff, refusal_ids};

const GRUB: &str = "/etc/default/grub";
const OWN: &str = "/etc/modprobe.d/preflight-vfio.conf";
const SCRIPT: &str = "/etc/initramfs-tools/scripts/init-top/preflight-vfio";
const MODULES: &str = "/etc/initramfs-tools/modules";
const GUEST: &str = "nodes/pve/qemu-server/100.conf";

fn rom(bytes: &[u8]) -> RomFile {
    RomFile {
        path: "/stick/roms/my card.rom".to_owned(),
        length: bytes.len(),
        sha256: crate::sha256(bytes),
        rom: Rom::parse(bytes),
    }
}

#[test]
fn a_card_for_a_guest_on_a_host_with_grub() {
    let plan = Host::on_lvm().plan();
    assert!(!plan.is_refused(), "{}", diff(&plan));
    insta::assert_snapshot!(diff(&plan));
}

#[test]
fn a_card_for_a_guest_on_a_host_with_systemd_boot() {
    let plan = Host::on_zfs().plan();
    assert!(!plan.is_refused(), "{}", diff(&plan));
    assert_eq!(
        plan.text("/etc/kernel/cmdline"),
        "root=ZFS=rpool/ROOT/pve-1 boot=zfs intel_iommu=on iommu=pt\n"
    );
    assert!(!plan.changes_file(GRUB));
}

/// What a plan leaves to do once it has been carried out: nothing.
fn settles(host: Host) -> Plan {
    let plan = host.plan();
    assert!(!plan.is_refused(), "{}", diff(&plan));
    let again = host.after(&plan).plan();
    let changes = again
        .changes
        .iter()
        .filter(|change| change.tree != Tree::Stick);
    let left: Vec<&str> = changes.map(|change| change.path.as_str()).collect();
    assert!(left.is_empty(), "{}", diff(&again));
    assert!(again.needs.initramfs.is_empty() && again.needs.boot_files.is_empty());
    plan
}

#[test]
fn a_plan_that_was_carried_out_leaves_nothing_to_do() {
    for host in [
        Host::on_lvm(),
        Host::on_zfs(),
        twins(),
        built_in(),
        boot_display(),
        Host::on_lvm()
            .set("mapping=gpu")
            .set("hide-kvm=yes")
            .set("machine=q35")
            .set("rombar=no"),
        Host::on_lvm()
            .set("acs-override=downstream,multifunction")
            .set("unsafe-interrupts=yes")
            .set("blacklist=nouveau"),
        integrated().set("igd-legacy=yes"),
        virtual_functions().set("sriov=4"),
    ] {
        settles(host);
    }
}

fn twins() -> Host {
    Host::on_lvm().function("0000:02:00.0", 0x03_00_00, (0x10de, 0x1b80), 7)
}

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

fn built_in() -> Host {
    Host::on_lvm().kernel("5.4.30-1-pve", "CONFIG_VFIO_PCI=y\nCONFIG_VFIO_VIRQFD=m\n")
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
    let new = Host::on_lvm().file("etc/modules", "loop\nvfio_virqfd\n");
    let plan = new.plan();
    assert!(!plan.text(MODULES).contains("virqfd"));
    assert_eq!(plan.text("/etc/modules"), "loop\n");
}

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

fn boot_display() -> Host {
    Host::on_lvm()
        .on("0000:00:02.0", |function| {
            function.boot_vga = Reading::Known(false)
        })
        .on(GPU, |function| function.boot_vga = Reading::Known(true))
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
fn the_rom_is_copied_and_the_guest_names_it() {
    let mut host = Host::on_lvm();
    host.choice.rom = Some(rom(b"no rom at all"));
    host.choice.accepted.insert("rom-bad".to_owned());
    let plan = host.plan();
    assert!(!plan.is_refused());
    assert_eq!(plan.changes[0].path, "/usr/share/kvm/my_card.rom");
    assert!(
        matches!(&plan.changes[0].after.body, Body::File(path) if path == "/stick/roms/my card.rom")
    );
    assert!(
        plan.text(GUEST)
            .contains("hostpci0: 0000:01:00,pcie=1,romfile=my_card.rom\n")
    );
}

#[test]
fn a_guests_firmware_and_machine_change_only_when_asked() {
    let plain = Host::on_lvm().pve(GUEST, "memory: 512\n");
    assert_eq!(
        plain.plan().text(GUEST),
        "hostpci0: 0000:01:00\nmemory: 512\n"
    );
    let asked = plain.set("machine=q35").set("bios=ovmf").plan();
    assert_eq!(
        asked.text(GUEST),
        "bios: ovmf\nhostpci0: 0000:01:00,pcie=1\nmachine: q35\nmemory: 512\n"
    );
    assert!(
        asked
            .warnings
            .iter()
            .any(|warning| warning.contains("EFI disk"))
    );
}

#[test]
fn a_device_that_the_guest_has_already_keeps_its_line() {
    let host = Host::on_lvm().pve(
        GUEST,
        "hostpci3: 01:00,x-vga=1\nmachine: q35\n[snap]\nhostpci0: 01:00\n",
    );
    assert_eq!(
        host.plan().text(GUEST),
        "hostpci3: 01:00,x-vga=1,pcie=1\nmachine: q35\n[snap]\nhostpci0: 01:00\n"
    );
}

#[test]
fn a_mapping_names_what_the_device_is() {
    let plan = Host::on_lvm().set("mapping=gpu").plan();
    assert_eq!(
        plan.text("mapping/pci.cfg"),
        "gpu\n\tmap id=10de:1b80,iommugroup=1,node=pve,path=0000:01:00,subsystem-id=1043:85aa\n"
    );
    assert!(plan.text(GUEST).contains("hostpci0: mapping=gpu,pcie=1\n"));
}

fn integrated() -> Host {
    let mut host = Host::on_lvm()
        .on("0000:00:02.0", |function| {
            function.id = pci::FunctionId::new(0x8086, 0x3e92)
        })
        .pve(GUEST, "bios: seabios\nmemory: 4096\nvga: std\n");
    host.choice.devices = vec![address("0000:00:02.0")];
    host
}

#[test]
fn legacy_mode_of_intels_display_comes_with_its_arguments() {
    let plan = integrated().set("igd-legacy=yes").plan();
    assert_eq!(
        plan.text(GUEST),
        "args: -set device.hostpci0.x-igd-opregion=on -set device.hostpci0.x-igd-gms=0x2\nbios: seabios\n\
         hostpci0: 0000:00:02.0,legacy-igd=1\nmemory: 4096\nvga: none\n"
    );
}

fn virtual_functions() -> Host {
    let mut host = Host::on_lvm().on(NIC, |function| {
        function.total_virtual_functions = Reading::Known(7)
    });
    host.choice.devices = vec![address(NIC)];
    host.choice.guest = None;
    host
}

#[test]
fn virtual_functions_are_made_at_every_start_and_the_card_stays_with_the_host() {
    let plan = settles(virtual_functions().set("sriov=4"));
    assert!(
        plan.text("/etc/sysfs.d/preflight.conf")
            .contains("bus/pci/devices/0000:03:00.0/sriov_numvfs = 4\n")
    );
    assert_eq!(plan.needs.packages, ["sysfsutils"]);
    assert!(!plan.changes_file(OWN));
}

fn gvt() -> Host {
    integrated().set("mdev=i915-GVTg_V5_4")
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
fn a_host_with_libvirt_gets_the_elements_for_a_domain_and_a_hook_where_the_framebuffer_stays() {
    let debian = |host: Host| {
        let mut host = host
            .file(
                "var/lib/dpkg/status",
                "Package: libvirt-daemon\nStatus: install ok installed\nVersion: 9.0.0\n",
            )
            .file("etc/os-release", "ID=debian\nPRETTY_NAME=\"Debian 12\"\n");
        host.choice.guest = None;
        host
    };
    let plan = settles(debian(Host::on_lvm()));
    let xml = plan.text("libvirt-hostdev.xml");
    assert!(
        xml.contains("<address domain='0x0000' bus='0x01' slot='0x00' function='0x1'/>"),
        "{xml}"
    );
    assert!(!plan.changes_file("/etc/libvirt/hooks/qemu.d/preflight-rescan"));
    let held = settles(debian(boot_display().set("framebuffer=leave")));
    let hook = held.text("/etc/libvirt/hooks/qemu.d/preflight-rescan");
    assert!(
        hook.contains("/sys/bus/pci/devices/0000:01:00.0/remove"),
        "{hook}"
    );
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
fn a_plan_reads_back_from_its_json() {
    let plan = twins().plan();
    let text = serde_json::to_string(&plan).unwrap();
    assert!(text.starts_with("{\"schema\":\"preflight.plan/1\""));
    assert_eq!(serde_json::from_str::<Plan>(&text).unwrap(), plan);
}

/// One host for each refusal.
fn refused() -> Vec<(&'static str, Host)> {
    let chosen = |devices: &[&str]| {
        let mut host = Host::on_lvm();
        host.choice.devices = devices.iter().map(|text| address(text)).collect();
        host
    };
    let changed = |change: fn(&mut proxmox::Installation)| Host {
        change,
        ..Host::on_lvm()
    };
    let guest = |number: u32, text: &str| {
        let mut host = Host::on_lvm().pve(GUEST, text);
        host.choice.guest = Some(number);
        host
    };
    let in_group =
        |place: &str, class: u32| Host::on_lvm().function(place, class, (0x1b21, 0x1142), 1);
    let mut bad_rom = Host::on_lvm();
    bad_rom.choice.rom = Some(rom(b"nothing"));
    let no_guests = Host::on_lvm().without_guests();
    vec![
        ("nothing-chosen", chosen(&[])),
        ("device-missing", chosen(&["0000:77:00.0"])),
        ("device-is-bridge", {
            let mut host = Host::on_lvm().function("0000:00:1c.0", 0x06_04_00, (0x8086, 0xa110), 9);
            host.choice.devices = vec![address("0000:00:1c.0")];
            host
        }),
        (
            "other-system",
            changed(|system| system.release = proxmox::system::release::Release::Unknown),
        ),
        (
            "no-vfio",
            Host::on_lvm().kernel("6.5.13-1-pve", "CONFIG_X=y\n"),
        ),
        (
            "card-blocked",
            Host {
                judge: |assessment| {
                    for card in &mut assessment.cards {
                        card.verdict = Verdict::Blocked;
                    }
                },
                ..Host::on_lvm()
            },
        ),
        (
            "host-disk",
            in_group("0000:06:00.0", 0x01_06_01).with(HostRole::Disk, "sda", "0000:06:00.0"),
        ),
        ("host-network", chosen(&[NIC])),
        (
            "host-keyboard",
            in_group("0000:06:00.0", 0x0c_03_30).with(
                HostRole::Keyboard,
                "keyboard",
                "0000:06:00.0",
            ),
        ),
        ("only-display", {
            let mut host = boot_display().without_ssh();
            host.choice.devices = vec![address("0000:00:02.0"), address(GPU)];
            host
        }),
        ("cluster", Host::on_lvm().pve("corosync.conf", "totem {}\n")),
        (
            "no-iommu",
            Host {
                judge: |assessment| assessment.iommu.firmware = assess::Answer::No,
                ..Host::on_lvm()
            },
        ),
        (
            "mdev-not-possible",
            gvt().on("0000:00:02.0", |function| {
                function.mediated_types = Reading::Known(vec!["i915-GVTg_V5_8".to_owned()])
            }),
        ),
        ("sriov-not-possible", Host::on_lvm().set("sriov=2")),
        ("ids-shared", twins().set("bind=ids")),
        (
            "address-with-dracut",
            Host {
                change: |system| system.initramfs_tool = Reading::Known(InitramfsTool::Dracut),
                ..twins()
            },
        ),
        (
            "blacklist-host-driver",
            Host::on_lvm().set("blacklist=nvme"),
        ),
        (
            "initramfs-unknown",
            changed(|system| system.initramfs_tool = Reading::Known(InitramfsTool::Mkinitcpio)),
        ),
        (
            "disable-vga-with-legacy-igd",
            integrated().set("igd-legacy=yes").set("disable-vga=yes"),
        ),
        ("rom-bad", bad_rom),
        ("guest-unreadable", no_guests),
        ("guest-missing", guest(101, "memory: 1\n")),
        ("guest-is-container", {
            let mut host = guest(102, "memory: 1\n").pve("nodes/pve/lxc/102.conf", "memory: 1\n");
            host.choice.guest = Some(102);
            host
        }),
        ("guest-is-template", guest(100, "template: 1\n")),
        (
            "igd-legacy-not-possible",
            Host::on_lvm().set("igd-legacy=yes"),
        ),
        (
            "mapping-not-possible",
            Host::on_lvm()
                .pve(
                    "mapping/pci.cfg",
                    "gpu\n\tmap id=1:2,node=pve,path=0000:09:00\n",
                )
                .set("mapping=gpu"),
        ),
        (
            "file-not-understood",
            Host::on_lvm().file("etc/default/grub", "GRUB_CMDLINE_LINUX_DEFAULT=\"quiet\n"),
        ),
        (
            "file-unread",
            Host::on_lvm().unreadable("etc/initramfs-tools/modules"),
        ),
    ]
}

#[test]
fn every_refusal_is_met_and_nothing_else_is_refused() {
    let hosts = refused();
    let covered: BTreeSet<&str> = hosts.iter().map(|(id, _)| *id).collect();
    assert_eq!(covered, refusal_ids().collect::<BTreeSet<_>>());
    for (id, mut host) in hosts {
        let plan = host.plan();
        assert!(plan.refused().contains(&id), "{id}: {}", diff(&plan));
        assert!(plan.is_refused());
        let refusal = plan
            .refusals
            .iter()
            .find(|refusal| refusal.id == id)
            .unwrap()
            .clone();
        host.choice.accepted = refusal_ids().map(str::to_owned).collect();
        assert_eq!(
            !host.plan().refused().contains(&id),
            refusal.can_be_accepted,
            "{id}"
        );
    }
}

#[test]
fn the_manual_has_every_option_and_every_refusal() {
    let manual = include_str!("../../../../docs/plan.md");
    for option in crate::OPTIONS {
        let row = format!(
            "| `{}` | `{}` |",
            option.name,
            option.values.replace('|', "\\|")
        );
        assert!(manual.contains(&row), "{row}");
    }
    for id in refusal_ids() {
        assert!(manual.contains(&format!("| `{id}` |")), "{id}");
    }
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
