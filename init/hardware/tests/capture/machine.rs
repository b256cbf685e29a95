//! A machine as a folder laid out like /sys, with an identifier in every place that has one.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use tempfile::TempDir;

pub const BOARD_SERIAL: &str = "M80-CC01234567";
pub const MAC: &str = "04:42:1a:0c:0d:0e";
pub const MAC_IN_NAME: &str = "00e04c680001";
pub const UUID: &str = "9ff8c203-950b-4f46-8c41-6e994151ecd3";
pub const DEVICE_SERIAL: [u8; 8] = [0x5a, 0xa5, 0x5b, 0xb5, 0x5c, 0xc5, 0x5d, 0xd5];
pub const PRODUCT_KEY: &str = "VK7JG-NPHTM-C97JM-9MPGT-3V66T";

/// The folder. Its files lie where the kernel has them, its lists are links.
pub fn folder() -> TempDir {
    let root = tempfile::tempdir().unwrap();
    let file = |path: &str, content: &[u8]| {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    };
    let link = |path: &str, target: &str| {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        symlink(target, path).unwrap();
    };
    let function = |path: &str, files: &[(&str, &str)], config: &[u8]| {
        let name = path.rsplit('/').next().unwrap();
        link(
            &format!("sys/bus/pci/devices/{name}"),
            &format!("../../../devices/{path}"),
        );
        let ids = [
            ("vendor", "0x8086"),
            ("device", "0x1234"),
            ("power_state", "D0"),
        ];
        for (file_name, text) in ids.iter().chain(files) {
            file(
                &format!("sys/devices/{path}/{file_name}"),
                format!("{text}\n").as_bytes(),
            );
        }
        file(&format!("sys/devices/{path}/config"), config);
    };
    function(
        "pci0000:00/0000:00:01.0",
        &[("class", "0x060400")],
        &bridge(),
    );
    function(
        "pci0000:00/0000:00:01.0/0000:01:00.0",
        &[
            ("class", "0x020000"),
            ("reset_method", "flr bus"),
            ("numa_node", "0"),
        ],
        &endpoint(),
    );
    let card = "sys/devices/pci0000:00/0000:00:01.0/0000:01:00.0";
    link(&format!("{card}/driver"), "../../../../bus/pci/drivers/igb");
    link(
        &format!("{card}/iommu_group"),
        "../../../../kernel/iommu_groups/7",
    );
    link(
        "sys/kernel/iommu_groups/7/devices/0000:01:00.0",
        "../../../../devices/pci0000:00/0000:00:01.0/0000:01:00.0",
    );
    file(
        "sys/kernel/iommu_groups/7/reserved_regions",
        b"0x00000000fee00000 0x00000000feefffff msi\n",
    );
    for list in ["block", "class/input", "class/iommu"] {
        fs::create_dir_all(root.path().join("sys").join(list)).unwrap();
    }
    let interface = format!("enx{MAC_IN_NAME}");
    link(
        &format!("sys/class/net/{interface}"),
        &format!("../../devices/pci0000:00/0000:00:01.0/0000:01:00.0/net/{interface}"),
    );
    file(&format!("{card}/net/{interface}/operstate"), b"up\n");
    file(
        &format!("{card}/net/{interface}/address"),
        format!("{MAC}\n").as_bytes(),
    );
    file("sys/bus/pci/slots/3/address", b"0000:01:00\n");
    link("sys/class/iommu/dmar0", "../../devices/virtual/iommu/dmar0");
    for (name, text) in [
        ("address", "fed90000"),
        ("cap", "d2008c40660462"),
        ("ecap", "f050da"),
    ] {
        let unit = "sys/devices/virtual/iommu/dmar0/intel-iommu";
        file(&format!("{unit}/{name}"), format!("{text}\n").as_bytes());
    }
    link("sys/class/dmi/id", "../../devices/virtual/dmi/id");
    for (name, text) in [
        ("board_name", "B550"),
        ("board_vendor", "Maker"),
        ("board_serial", BOARD_SERIAL),
        ("bios_version", "1.0"),
    ] {
        file(
            &format!("sys/devices/virtual/dmi/id/{name}"),
            format!("{text}\n").as_bytes(),
        );
    }
    let mut key_table = b"MSDM".to_vec();
    key_table.resize(36, 1);
    key_table.extend(PRODUCT_KEY.as_bytes());
    file("sys/firmware/acpi/tables/MSDM", &key_table);
    file(
        "sys/firmware/acpi/tables/DMAR",
        &[b"DMAR".as_slice(), &[0x30; 44]].concat(),
    );
    file("sys/firmware/efi/fw_platform_size", b"64\n");
    file(
        "proc/cmdline",
        format!("root=UUID={UUID} intel_iommu=on\n").as_bytes(),
    );
    file(
        "proc/cpuinfo",
        b"vendor_id : GenuineIntel\nmodel name : x\nflags : vmx\n",
    );
    file("proc/sys/kernel/osrelease", b"6.8.12-4-pve\n");
    file(
        "kernel.log",
        format!(
            "[    0.000000] Command line: root=UUID={UUID} intel_iommu=on\n\
             [    0.100000] DMAR: IOMMU enabled\n\
             [    1.000000] igb 0000:01:00.0: {MAC}\n\
             [    2.000000] usb 1-1: SerialNumber: {BOARD_SERIAL}\n\
             [    3.000000] systemd[1]: Hostname set to <secret-host>.\n"
        )
        .as_bytes(),
    );
    root
}

fn bridge() -> Vec<u8> {
    let mut config = vec![0; 256];
    config[0x0e] = 1;
    config[0x18..0x1b].copy_from_slice(&[0, 1, 1]);
    config
}

/// A function with a Device Serial Number (extended capability 3) behind an empty one.
fn endpoint() -> Vec<u8> {
    let mut config = vec![0; 4096];
    config[0x100..0x104].copy_from_slice(&0x1401_0001_u32.to_le_bytes());
    config[0x140..0x144].copy_from_slice(&0x0001_0003_u32.to_le_bytes());
    config[0x144..0x14c].copy_from_slice(&DEVICE_SERIAL);
    config
}

/// Whether some bytes are anywhere in others.
pub fn holds(all: &[u8], part: &[u8]) -> bool {
    all.windows(part.len()).any(|window| window == part)
}

/// Unpacks an archive into a folder as `tar` does.
pub fn unpack(archive: &[u8], folder: &Path) {
    tar::Archive::new(archive).unpack(folder).unwrap();
}
