//! What the host runs on, and which function each device hangs on.

use crate::sys::Sys;
use hardware::Reading;

const KEYBOARD: &str = "1000000000007 ff9f207ac14057ff febeffdfffefffff fffffffffffffffe\n";
const POWER_BUTTON: &str = "10000000000000 0\n";

fn listed(sys: &Sys, class: &str, name: &str, place: &str, files: &[(&str, &str)]) {
    let up = "../".repeat(class.split('/').count());
    sys.link(
        &format!("{class}/{name}"),
        &format!("{up}devices/{place}/{name}"),
    );
    sys.folder(&format!("devices/{place}/{name}"));
    for (file, content) in files {
        sys.file(&format!("devices/{place}/{name}/{file}"), content);
    }
}

#[test]
fn disks_interfaces_and_keyboards_are_found_with_their_function() {
    let sys = Sys::new();
    let disk = [
        ("size", "1953525168\n"),
        ("device/model", "Some  SSD 1TB   \n"),
    ];
    listed(
        &sys,
        "block",
        "sda",
        "pci0000:00/0000:00:17.0/ata1/host0/target0:0:0/0:0:0:0/block",
        &disk,
    );
    listed(
        &sys,
        "block",
        "vda",
        "pci0000:00/0000:00:05.0/virtio1/block",
        &[("size", "8388608\n")],
    );
    listed(
        &sys,
        "block",
        "sdb",
        "pci0000:00/0000:00:14.0/usb1/1-3/host1/block",
        &[("size", "0\n")],
    );
    listed(
        &sys,
        "block",
        "mmcblk0",
        "platform/mmc/block",
        &[("size", "9\n")],
    );
    for name in ["loop0", "dm-0", "md0", "sr0", "zram0", "nvme0c0n1"] {
        listed(
            &sys,
            "block",
            name,
            "pci0000:00/0000:00:17.0/block",
            &[("size", "9\n")],
        );
    }
    let up = [("operstate", "up\n"), ("device/vendor", "")];
    listed(
        &sys,
        "class/net",
        "eno1",
        "pci0000:00/0000:00:1f.6/net",
        &up,
    );
    listed(
        &sys,
        "class/net",
        "lo",
        "virtual/net",
        &[("operstate", "unknown\n")],
    );
    let usb = "pci0000:00/0000:00:14.0/usb1/1-2/1-2:1.0/0003:046D:C31C.0001/input";
    let keyboard = [("capabilities/key", KEYBOARD), ("name", "Some  Keyboard\n")];
    listed(&sys, "class/input", "input4", usb, &keyboard);
    listed(&sys, "class/input", "event4", usb, &keyboard);
    listed(
        &sys,
        "class/input",
        "input3",
        "platform/i8042/serio0/input",
        &keyboard,
    );
    let button = [
        ("capabilities/key", POWER_BUTTON),
        ("name", "Power Button\n"),
    ];
    listed(
        &sys,
        "class/input",
        "input0",
        "pci0000:00/0000:00:02.0/input",
        &button,
    );

    let machine = sys.read();
    let found: Vec<_> = machine
        .host_devices
        .known()
        .unwrap()
        .iter()
        .map(|device| {
            format!(
                "{:?} {} {} {}",
                device.role, device.name, device.function, device.detail
            )
        })
        .collect();
    assert_eq!(
        found,
        [
            "Disk sda 0000:00:17.0 Some SSD 1TB, 1000 GB",
            "Disk vda 0000:00:05.0 4294 MB",
            "Network eno1 0000:00:1f.6 up",
            "Keyboard input4 0000:00:14.0 Some Keyboard",
        ]
    );
}

#[test]
fn a_multipath_nvme_disk_hangs_on_each_of_its_controllers() {
    let sys = Sys::new();
    sys.folder("class/net").folder("class/input");
    let subsystem = "virtual/nvme-subsystem/nvme-subsys0";
    listed(
        &sys,
        "block",
        "nvme0n1",
        subsystem,
        &[("size", "2000409264\n")],
    );
    listed(
        &sys,
        "class/nvme-subsystem",
        "nvme-subsys0",
        "virtual/nvme-subsystem",
        &[],
    );
    for (name, function) in [("nvme0", "0000:03:00.0"), ("nvme1", "0000:04:00.0")] {
        sys.link(
            &format!("devices/{subsystem}/{name}"),
            &format!("../../../pci0000:00/{function}/nvme/{name}"),
        );
    }
    let functions = |sys: &Sys| -> Vec<String> {
        let machine = sys.read();
        machine
            .host_devices
            .known()
            .unwrap()
            .iter()
            .map(|one| one.function.to_string())
            .collect()
    };
    assert_eq!(functions(&sys), ["0000:03:00.0", "0000:04:00.0"]);

    let sys = Sys::new();
    sys.folder("class/net").folder("class/input");
    listed(&sys, "block", "nvme0n1", subsystem, &[]);
    listed(
        &sys,
        "class/nvme",
        "nvme0",
        "pci0000:00/0000:03:00.0/nvme",
        &[],
    );
    assert_eq!(
        functions(&sys),
        ["0000:03:00.0"],
        "by the controller's number"
    );
}

#[test]
fn host_devices_of_a_copy_without_links_are_unknown() {
    let sys = Sys::new();
    sys.folder("class/net")
        .folder("class/input")
        .file("block/sda/size", "9\n");
    let Reading::Unknown(why) = sys.read().host_devices else {
        panic!("not unknown")
    };
    assert!(why.contains("block/sda is no link in this copy"), "{why}");
    assert!(Sys::new().read().host_devices.is_unknown());
}
