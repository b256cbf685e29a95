//! What is read of a function, and what is told apart: known, absent, unknown.

use crate::sys::{Sys, at};
use hardware::{Error, Link, LinkRate, Reading, Source, read};
use pci::FunctionId;

fn known<T>(value: impl Into<T>) -> Reading<T> {
    Reading::Known(value.into())
}

pub fn assert_unknown<T: std::fmt::Debug>(reading: &Reading<T>, because: &str) {
    let Reading::Unknown(why) = reading else {
        panic!("{reading:?}")
    };
    assert!(why.contains(because), "{why}");
}

#[test]
fn a_folder_that_is_not_like_sys_is_refused_and_told_what_it_lacks() {
    let folder = tempfile::tempdir().unwrap();
    let Err(error) = Source::folder(folder.path()) else {
        panic!("taken")
    };
    assert!(matches!(
        error,
        Error::NotLikeSys {
            missing: "bus/pci/devices",
            ..
        }
    ));
    let text = error.to_string();
    assert!(text.contains("bus/pci/devices") && text.contains(folder.path().to_str().unwrap()));
    assert!(Source::folder(&folder.path().join("nowhere")).is_err());
}

#[test]
fn a_copy_of_the_list_without_the_folders_is_refused() {
    let sys = Sys::new();
    let target = "../../../devices/pci0000:00/0000:00:01.0";
    sys.link("bus/pci/devices/0000:00:01.0", target);
    let Err(error) = read(&Source::folder(sys.path()).unwrap()) else {
        panic!("read")
    };
    assert!(
        error.to_string().contains("copy /sys/devices as well"),
        "{error}"
    );
}

#[test]
fn files_that_tar_padded_with_zeros_read_the_same() {
    let sys = Sys::new();
    let padded = |text: &str| format!("{text}{}", "\0".repeat(4096 - text.len()));
    let files = [
        ("class", &*padded("0x030000\n")),
        ("power_state", &*padded("D0\n")),
    ];
    sys.function("0000:01:00.0", &files);
    let machine = sys.read();
    let function = at(&machine, "0000:01:00.0");
    assert!(function.class.is_vga());
    assert_eq!(function.power_state, known("D0"));
}

#[test]
fn functions_come_in_ascending_order_and_with_wide_domains() {
    let sys = Sys::new();
    for address in [
        "10000:e1:00.0",
        "0000:0a:00.1",
        "0000:0a:00.0",
        "0000:02:00.0",
    ] {
        sys.function(address, &[]);
    }
    sys.file("bus/pci/devices/not-an-address", "")
        .file("bus/pci/devices/1:2.3", "");
    let addresses: Vec<String> = sys
        .read()
        .functions
        .iter()
        .map(|function| function.address.to_string())
        .collect();
    assert_eq!(
        addresses,
        [
            "0000:02:00.0",
            "0000:0a:00.0",
            "0000:0a:00.1",
            "10000:e1:00.0"
        ]
    );
}

#[test]
fn a_functions_files_become_values() {
    let sys = Sys::new();
    let files = [
        ("vendor", "0x10de\n"),
        ("device", "0x0fc6\n"),
        ("class", "0x030000\n"),
        ("revision", "0xa1\n"),
        ("subsystem_vendor", "0x1043\n"),
        ("subsystem_device", "0x8428\n"),
        ("numa_node", "1\n"),
        ("boot_vga", "1\n"),
        ("power_state", "D3hot\n"),
        ("reset_method", "flr bus\n"),
        ("sriov_totalvfs", "7\n"),
        ("current_link_speed", "2.5 GT/s PCIe\n"),
        ("current_link_width", "8\n"),
        ("max_link_speed", "8 GT/s\n"),
        ("max_link_width", "16\n"),
        ("rom", ""),
        (
            "resource",
            "0x00000000fb000000 0x00000000fbffffff 0x0000000000040200\n\
             0x00000000d0000000 0x00000000dfffffff 0x000000000014220c\n\
             0x0000000000000000 0x0000000000000000 0x0000000000000000\n\
             0x0000000000000000 0x0000000000000000 0x0000000000000000\n\
             0x0000000000000000 0x0000000000000000 0x0000000000000000\n\
             0x000000000000e000 0x000000000000e07f 0x0000000000040101\n\
             0x00000000000c0000 0x00000000000dffff 0x0000000000000212\n\
             0x0000000011110000 0x000000001111ffff 0x0000000000000200\n",
        ),
    ];
    sys.linked("pci0000:00/0000:00:01.0", "0000:01:00.0", &files);
    let place = "devices/pci0000:00/0000:00:01.0/0000:01:00.0";
    sys.link(
        &format!("{place}/driver"),
        "../../../../bus/pci/drivers/nouveau",
    );
    sys.link(
        &format!("{place}/iommu_group"),
        "../../../../kernel/iommu_groups/14",
    );
    sys.file("bus/pci/slots/PCIEX16_1/address", "0000:01:00\n");
    sys.file("bus/pci/slots/PCIEX1_1/address", "0000:05:00\n");

    let machine = sys.read();
    let function = at(&machine, "0000:01:00.0");
    assert_eq!(function.id, FunctionId::new(0x10de, 0x0fc6));
    assert!(function.class.is_vga() && function.has_rom_file);
    assert_eq!(function.revision, known(0xa1));
    assert_eq!(function.subsystem, known(FunctionId::new(0x1043, 0x8428)));
    assert_eq!(function.numa_node, known(1_u16));
    assert_eq!(function.boot_vga, known(true));
    assert_eq!(function.power_state, known("D3hot"));
    assert_eq!(
        function.reset_methods,
        known(["flr", "bus"].map(str::to_owned))
    );
    assert_eq!(function.total_virtual_functions, known(7_u16));
    assert_eq!(function.driver, known("nouveau"));
    assert_eq!(function.group, known(14_u32));
    assert_eq!(function.slot, known("PCIEX16_1"));
    assert_eq!(function.parent.known().unwrap().to_string(), "0000:00:01.0");
    let link = Link {
        current: LinkRate {
            speed: 2.5,
            width: 8,
        },
        max: LinkRate {
            speed: 8.0,
            width: 16,
        },
    };
    assert_eq!(function.link, known(link));
    let bars = function.bars.known().unwrap();
    assert_eq!(
        bars.iter().map(|bar| bar.index).collect::<Vec<_>>(),
        [0, 1, 5]
    );
    let rom = function.rom_region.known().unwrap();
    assert_eq!((rom.index, rom.start, rom.flags), (6, 0xc_0000, 0x212));
}

#[test]
fn what_a_function_does_not_have_is_absent() {
    let sys = Sys::new();
    let files = [
        ("numa_node", "-1\n"),
        ("subsystem_vendor", "0x0000\n"),
        ("subsystem_device", "0x0000\n"),
        ("reset_method", "\n"),
        ("resource", &"0x0 0x0 0x0\n".repeat(13)),
    ];
    sys.linked("pci0000:00", "0000:00:02.0", &files)
        .folder("kernel/iommu_groups");
    sys.folder("bus/pci/slots")
        .file("proc/sys/kernel/osrelease", "6.8.12-4-pve\n");
    let machine = sys.read();
    let function = at(&machine, "0000:00:02.0");
    assert_eq!(function.numa_node, Reading::Absent);
    assert_eq!(function.subsystem, Reading::Absent);
    assert_eq!(function.reset_methods, Reading::Absent);
    assert_eq!(function.driver, Reading::Absent);
    assert_eq!(function.link, Reading::Absent);
    assert_eq!(function.boot_vga, Reading::Absent);
    assert_eq!(function.rom_region, Reading::Absent);
    assert_eq!(function.bars, known([]));
    assert_eq!(function.slot, Reading::Absent);
    assert_eq!(function.group, Reading::Absent);
    assert_eq!(function.parent, Reading::Absent);
    assert_eq!(function.physical_function, Reading::Absent);
    assert_eq!(function.total_virtual_functions, Reading::Absent);
}

#[test]
fn what_a_bare_copy_does_not_hold_is_unknown() {
    let sys = Sys::new();
    sys.function("0000:01:00.0", &[("class", "0x030000\n")])
        .folder("bus/pci/devices/0000:01:00.0/driver");
    let machine = sys.read();
    let function = at(&machine, "0000:01:00.0");
    assert_unknown(&function.config, "config is not there");
    assert_unknown(&function.driver, "no link in this copy");
    assert_unknown(&function.bars, "resource is not there");
    assert_unknown(&function.rom_region, "resource is not there");
    assert_unknown(&function.boot_vga, "boot_vga is not there");
    assert_unknown(&function.reset_methods, "5.15");
    assert_unknown(&function.power_state, "power_state is not there");
    assert_unknown(&function.group, "iommu_groups is not there");
    assert_unknown(&function.slot, "slots is not there");
}

#[test]
fn without_reset_methods_the_kernels_version_tells_absent_from_unknown() {
    let with_release = |release: &str| {
        let sys = Sys::new();
        sys.function("0000:00:01.0", &[])
            .file("proc/sys/kernel/osrelease", release);
        at(&sys.read(), "0000:00:01.0").reset_methods.clone()
    };
    assert_eq!(with_release("6.1.0-44-amd64"), Reading::Absent);
    assert_unknown(&with_release("5.10.0-30-amd64"), "5.15");

    let sys = Sys::new();
    sys.function("0000:00:01.0", &[])
        .function("0000:00:02.0", &[("reset_method", "pm\n")]);
    let machine = sys.read();
    assert_eq!(at(&machine, "0000:00:01.0").reset_methods, Reading::Absent);
}

#[test]
fn files_that_hold_nonsense_are_unknown_and_hurt_nothing_else() {
    let sys = Sys::new();
    let files = [
        ("numa_node", "many\n"),
        ("resource", "0x0\n"),
        ("revision", "0x1ff\n"),
        ("current_link_speed", "inf\n"),
        ("current_link_width", "x\n"),
        ("max_link_speed", "8.0 GT/s PCIe\n"),
        ("max_link_width", "255\n"),
    ];
    sys.function("0000:01:00.0", &files);
    let machine = sys.read();
    let function = at(&machine, "0000:01:00.0");
    assert_unknown(&function.numa_node, "'many' is not a number");
    assert_unknown(&function.bars, "not a region");
    assert_unknown(&function.revision, "too large");
    let link = function.link.known().unwrap();
    assert_eq!(
        link.current,
        LinkRate {
            speed: 0.0,
            width: 0
        }
    );
    assert_eq!(
        link.max,
        LinkRate {
            speed: 8.0,
            width: 0
        }
    );
    assert_eq!(function.id, FunctionId::new(0x8086, 0x1234));
}

#[test]
fn a_copy_with_configuration_space_alone_still_says_what_each_function_is() {
    let sys = Sys::new();
    let mut config = vec![0; 64];
    config[..4].copy_from_slice(&[0x86, 0x80, 0x33, 0x15]);
    config[8..12].copy_from_slice(&[3, 0, 0, 2]);
    sys.file("bus/pci/devices/0000:01:00.0/config", config);
    sys.folder("bus/pci/devices/0000:02:00.0");
    let machine = sys.read();
    let function = at(&machine, "0000:01:00.0");
    assert_eq!(function.id, FunctionId::new(0x8086, 0x1533));
    assert_eq!(
        (function.class.to_string().as_str(), &function.revision),
        ("020000", &known(3))
    );
    assert_eq!(
        at(&machine, "0000:02:00.0").id,
        FunctionId::new(0xffff, 0xffff)
    );
}

#[test]
fn names_that_links_would_give_come_from_uevent_and_the_list_of_groups() {
    let sys = Sys::new();
    let files = [
        ("uevent", "DRIVER=igbvf\nPCI_SLOT_NAME=0000:01:10.0\n"),
        ("driver/bind", ""),
        ("iommu_group/type", "DMA\n"),
        ("physfn/uevent", "DRIVER=igb\nPCI_SLOT_NAME=0000:01:00.0\n"),
    ];
    sys.function("0000:01:10.0", &files);
    sys.file(
        "kernel/iommu_groups/3/devices/0000:01:10.0/vendor",
        "0x8086\n",
    );
    let machine = sys.read();
    let function = at(&machine, "0000:01:10.0");
    assert_eq!(function.driver, known("igbvf"));
    assert_eq!(function.group, known(3_u32));
    assert_eq!(
        function.physical_function.known().unwrap().to_string(),
        "0000:01:00.0"
    );
}

#[test]
fn a_hostile_copy_opens_nothing_outside() {
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("secret"), "0x0666\n").unwrap();
    std::fs::create_dir(outside.path().join("0000:01:00.0")).unwrap();
    std::fs::write(outside.path().join("0000:01:00.0/vendor"), "0x0666\n").unwrap();
    let secret = outside.path().join("secret");
    let sys = Sys::new();
    sys.folder("bus/pci/devices/0000:00:01.0");
    for name in ["vendor", "power_state"] {
        sys.link(
            &format!("bus/pci/devices/0000:00:01.0/{name}"),
            secret.to_str().unwrap(),
        );
    }
    sys.link("bus/pci/devices/0000:00:01.0/config", "/dev/zero");
    sys.link(
        "bus/pci/devices/0000:01:00.0",
        outside.path().join("0000:01:00.0").to_str().unwrap(),
    );
    sys.link("firmware/acpi/tables/DMAR", secret.to_str().unwrap());
    sys.link("kernel.log", "/dev/kmsg").link("proc", "/proc");

    let machine = sys.read();
    let function = at(&machine, "0000:00:01.0");
    assert_eq!(function.id, FunctionId::new(0xffff, 0xffff));
    assert_unknown(&function.power_state, "leads outside the folder");
    assert_unknown(&function.config, "leads outside the folder");
    assert_unknown(
        &at(&machine, "0000:01:00.0").power_state,
        "leads outside the folder",
    );
    assert_unknown(
        machine.tables.known().unwrap().get("DMAR").unwrap(),
        "leads outside the folder",
    );
    assert_unknown(&machine.kernel.log, "leads outside the folder");
    assert_unknown(&machine.cpu.vendor, "cpuinfo was not read");
}
