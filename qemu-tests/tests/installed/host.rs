//! The settings and guests that installed systems were given, as a session reads them: from `qemu-tests/golden`.

use proxmox::guests::Guest;
use proxmox::settings::{DriverOverride, ModprobeDirective};
use proxmox::{Installation, Place};
use qemu_tests::golden::Golden;

fn place(text: &Place) -> String {
    text.to_string()
}

/// What Proxmox VE's hosts have in common, and where they differ.
pub fn proxmox(golden: Golden, installation: &Installation) {
    modprobe(golden, installation);
    modules(installation);
    command_line_sources(golden, installation);
    overrides(installation);
    guests(golden, installation);
    network(installation);
    assert_eq!(installation.domains, []);
    assert_eq!(installation.logs, []);
}

fn directives(installation: &Installation, file: &str) -> Vec<(String, ModprobeDirective)> {
    let mut files = installation.settings.modprobe.iter();
    let file = files.find(|one| one.path == file).unwrap();
    let directives = file.directives.iter();
    directives
        .map(|one| (place(&one.place), one.value.clone()))
        .collect()
}

fn options(ids: &str, more: &[&str]) -> ModprobeDirective {
    let options = std::iter::once(ids).chain(more.iter().copied());
    ModprobeDirective::Options {
        module: "vfio_pci".to_owned(),
        options: options.map(str::to_owned).collect(),
    }
}

fn before_vfio(module: &str) -> ModprobeDirective {
    ModprobeDirective::Softdep {
        module: module.to_owned(),
        pre: vec!["vfio_pci".to_owned()],
        post: Vec::new(),
    }
}

fn modprobe(golden: Golden, installation: &Installation) {
    const FILE: &str = "/etc/modprobe.d/vfio.conf";
    let at = |line: u32| format!("{FILE}:{line}");
    let wanted = if golden == Golden::LvmXfsUefi {
        vec![(at(1), options("ids=1002:67df,1002:aaf0", &[]))]
    } else {
        vec![
            (
                at(1),
                options("ids=10de:1b81,10de:10f0", &["disable_vga=1"]),
            ),
            (at(2), before_vfio("nouveau")),
            (at(3), before_vfio("snd_hda_intel")),
        ]
    };
    assert_eq!(directives(installation, FILE), wanted);
    // The initrd has the file that was there when it was made, which is another one on the changed host.
    let initrd = installation.kernels[0].initrds[0].content.known().unwrap();
    let inside = &initrd.holds.files["etc/modprobe.d/vfio.conf"];
    assert!(inside.contains("ids=10de:1b81,10de:10f0"), "{inside}");
    let blacklist = |module: &str| ModprobeDirective::Blacklist {
        module: module.to_owned(),
    };
    const BLACKLIST: &str = "/etc/modprobe.d/pve-blacklist.conf";
    assert_eq!(
        directives(installation, BLACKLIST),
        [
            (format!("{BLACKLIST}:3"), blacklist("nvidiafb")),
            (format!("{BLACKLIST}:4"), blacklist("nouveau")),
        ]
    );
}

fn modules(installation: &Installation) {
    let listed = installation.settings.modules.iter();
    let at_boot: Vec<(String, &str)> = listed
        .filter(|one| one.place.file == "/etc/modules")
        .map(|one| (place(&one.place), one.value.module.as_str()))
        .collect();
    let wanted = ["vfio", "vfio_iommu_type1", "vfio_pci", "vfio_virqfd"];
    let wanted = (2..)
        .zip(wanted)
        .map(|(line, module)| (format!("/etc/modules:{line}"), module));
    assert_eq!(at_boot, wanted.collect::<Vec<_>>());
}

fn command_line_sources(golden: Golden, installation: &Installation) {
    let settings = &installation.settings;
    let written = settings.kernel_cmdline.known();
    let written = written.map(|one| one.command_line.as_str());
    match golden {
        Golden::ZfsSystemdBoot => assert!(written.unwrap().contains("intel_iommu=on iommu=pt")),
        Golden::ZfsGrub => {
            assert_eq!(
                written,
                Some("root=ZFS=rpool/ROOT/pve-1 boot=zfs intel_iommu=on")
            );
        }
        _ => assert_eq!(written, None),
    }
    let Some(grub) = settings.grub.known() else {
        assert_eq!(golden, Golden::ZfsSystemdBoot);
        return;
    };
    let line = &grub.variables["GRUB_CMDLINE_LINUX"];
    assert!(
        line.certain && line.value.contains("console=ttyS0,115200"),
        "{line:?}"
    );
    let places: Vec<String> = line.places.iter().map(place).collect();
    assert!(
        places.contains(&"/etc/default/grub.d/installer.cfg:1".to_owned()),
        "{places:?}"
    );
}

fn overrides(installation: &Installation) {
    let [driverctl, udev] = installation.settings.driver_overrides.as_slice() else {
        panic!("{:?}", installation.settings.driver_overrides);
    };
    let wanted = DriverOverride::Driverctl {
        address: "0000:03:00.0".parse().unwrap(),
        driver: "vfio-pci".to_owned(),
    };
    assert_eq!(driverctl.value, wanted);
    assert_eq!(place(&driverctl.place), "/etc/driverctl.d/0000:03:00.0:1");
    assert!(matches!(&udev.value, DriverOverride::Udev { rule } if rule.contains("0x0c0330")));
    assert_eq!(
        place(&udev.place),
        "/etc/udev/rules.d/99-passthrough.rules:1"
    );
}

/// Number, name, onboot, HA, and each hostpci: its line, what it names, its options.
fn row(guest: &Guest) -> String {
    let devices = guest.hostpci.iter().map(|device| {
        let hosts: Vec<String> = device.hosts.iter().map(ToString::to_string).collect();
        let named = device.mapping.clone().unwrap_or_else(|| hosts.join(";"));
        let options = device
            .options
            .iter()
            .map(|(key, value)| format!(",{key}={value}"));
        format!(
            " {}:hostpci{}={named}{}",
            device.line,
            device.index,
            options.collect::<String>()
        )
    });
    let name = guest.name.as_deref().unwrap_or_default();
    let onboot = if guest.onboot { " onboot" } else { "" };
    let ha = if guest.ha { " ha" } else { "" };
    format!(
        "{} {name}{onboot}{ha}{}",
        guest.number,
        devices.collect::<String>()
    )
}

fn guests(golden: Golden, installation: &Installation) {
    let guests = installation.guests.known().unwrap();
    assert!(
        guests
            .guests
            .iter()
            .all(|guest| guest.node == golden.name())
    );
    let rows: Vec<String> = guests.guests.iter().map(row).collect();
    // That it starts by itself is in the write-ahead log alone where pmxcfs died.
    let died = golden == Golden::LvmExt4Uefi;
    let media = if died {
        "101 media onboot"
    } else {
        "101 media"
    };
    assert_eq!(
        rows,
        [
            "100 desktop onboot 7:hostpci0=0000:01:00,pcie=1,romfile=gpu.rom,x-vga=1".to_owned(),
            format!("{media} 2:hostpci0=gpu,pcie=1 3:hostpci1=0000:03:00.0;0000:03:00.1"),
            "102 router ha".to_owned(),
            "200 files onboot".to_owned(),
        ]
    );
    assert_eq!(
        guests.log.as_ref().map(|log| log.commits),
        died.then_some(1)
    );
    assert_eq!(
        (guests.nodes.as_slice(), guests.cluster),
        (&[golden.name().to_owned()][..], false)
    );
    assert!(guests.faults.is_empty());
    let mappings: Vec<(&str, String, Option<u32>)> = guests
        .mappings
        .iter()
        .flat_map(|mapping| mapping.devices.iter().map(move |device| (mapping, device)))
        .map(|(mapping, device)| {
            (
                mapping.id.as_str(),
                device.paths[0].to_string(),
                device.group,
            )
        })
        .collect();
    assert_eq!(
        mappings,
        [
            ("gpu", "0000:01:00".to_owned(), Some(14)),
            ("nic", "0000:03:00.0".to_owned(), Some(17)),
        ]
    );
}

/// The interface whose name hangs on the number of its bus is the bridge's port.
fn network(installation: &Installation) {
    let port = installation
        .network
        .iter()
        .find(|one| one.name == "enp1s0")
        .unwrap();
    assert_eq!(place(&port.place), "/etc/network/interfaces:4");
    assert_eq!(port.port_of.as_deref(), Some("vmbr0"));
    assert_eq!(
        port.function.map(|one| one.to_string()).as_deref(),
        Some("0000:01:00.0")
    );
    assert!(!port.pinned);
}

/// The host of libvirt.
pub fn libvirt(installation: &Installation) {
    const FILE: &str = "/etc/modprobe.d/vfio.conf";
    assert_eq!(
        directives(installation, FILE),
        [
            (format!("{FILE}:1"), options("ids=1002:67df,1002:aaf0", &[])),
            (format!("{FILE}:2"), before_vfio("amdgpu")),
        ]
    );
    let initrd = installation.kernels[0].initrds[0].content.known().unwrap();
    for module in ["vfio", "vfio_iommu_type1", "vfio_pci"] {
        assert!(
            initrd.holds.modules.contains(module),
            "{:?}",
            initrd.holds.modules
        );
    }
    let domains: Vec<String> = installation
        .domains
        .iter()
        .map(|domain| {
            let devices = domain.host_devices.iter().map(|device| {
                let managed = if device.managed { " managed" } else { "" };
                format!(" {}:{}{managed}", device.line, device.address)
            });
            let start = if domain.autostart { " autostart" } else { "" };
            format!(
                "{} {}{start}{}",
                domain.name,
                domain.file,
                devices.collect::<String>()
            )
        })
        .collect();
    assert_eq!(
        domains,
        [
            "nas /etc/libvirt/qemu/nas.xml 10:0000:04:00.0",
            "win11 /etc/libvirt/qemu/win11.xml autostart 24:0000:01:00.0 managed 31:0000:01:00.1 managed",
        ]
    );
    assert!(installation.guests.known().is_none());
    let [line] = installation.logs.as_slice() else {
        panic!("{:?}", installation.logs);
    };
    assert_eq!(line.file, "/var/log/libvirt/qemu/win11.log");
    assert!(
        line.text.contains("group 14 is not viable"),
        "{}",
        line.text
    );
}
