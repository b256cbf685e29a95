//! What is given away, and what must hold then.

use cards::CardProfile;
use cards::profiles::{amd_rx480, intel_hd630};
use qemu_tests::golden::Golden;
use qemu_tests::{Device, Iommu, Port, ServedCard};

use super::Variant;
use crate::lab::counted;

pub(super) const VT_D: Iommu = Iommu::Intel {
    interrupt_remapping: true,
};
pub(super) const AMD_VI: Iommu = Iommu::Amd {
    interrupt_remapping: true,
    x2apic: false,
};

/// What VT-d says of itself.
const REMAPPED: &[&str] = &["DMAR: IOMMU enabled", "DMAR-IR: Enabled IRQ remapping"];
const SOUND: Option<&str> = Some("snd_hda_intel");
const VFIO: Option<&str> = Some("vfio-pci");

/// A card in software as a device.
pub(super) fn served(profile: &CardProfile) -> Device {
    Device::Card(ServedCard::start(profile).unwrap())
}

/// Two cards of one kind, of which the second goes: it is not the first that any order finds.
pub(super) const TWINS: Variant = Variant {
    name: "twins",
    golden: Golden::LvmExt4Bios,
    card: counted,
    fit: |machine, card| {
        let machine = machine.iommu(VT_D).card(Port::RootPort, served(&counted()));
        machine.card(Port::RootPort, card)
    },
    prepared_by: None,
    choice: "--device 0000:03:00.0 --vm 102",
    drivers: &[
        ("0000:02:00.1", SOUND),
        ("0000:03:00.0", VFIO),
        ("0000:03:00.1", VFIO),
    ],
    words: &["intel_iommu=on", "iommu=pt"],
    never: &["vfio-pci.ids"],
    log: REMAPPED,
    prints: &[],
    is_used: false,
};

/// AMD's IOMMU is on by itself.
pub(super) const AMD: Variant = Variant {
    name: "amd",
    golden: Golden::LvmExt4Bios,
    card: amd_rx480,
    fit: |machine, card| machine.iommu(AMD_VI).card(Port::RootPort, card),
    prepared_by: None,
    choice: "--device 0000:02:00.0 --vm 102",
    drivers: &[("0000:02:00.0", VFIO), ("0000:02:00.1", VFIO)],
    words: &["iommu=pt"],
    never: &["intel_iommu", "amd_iommu"],
    log: &["AMD-Vi: Interrupt remapping enabled"],
    prints: &[],
    is_used: false,
};

/// What a kernel with VFIO built in looks like from outside.
pub(super) const WITH_VFIO_BUILT_IN: &str = "for all in lib/modules/*; do version=${all##*/}; \
     sed -i 's/^\\(CONFIG_VFIO.*\\)=m$/\\1=y/' boot/config-$version; \
     (cd $all; find kernel/drivers/vfio -name '*.ko' >>modules.builtin); rm -r $all/kernel/drivers/vfio; \
     chroot . /sbin/depmod $version; done";

/// Such a kernel is none that starts here, so that nobody takes the card: what there is to be seen is the command
/// line.
pub(super) const BUILT_IN: Variant = Variant {
    name: "built-in",
    golden: Golden::LvmExt4Bios,
    card: counted,
    fit: |machine, card| machine.iommu(VT_D).card(Port::RootPort, card),
    prepared_by: Some(WITH_VFIO_BUILT_IN),
    choice: "--device 0000:02:00.0 --vm 102",
    drivers: &[("0000:02:00.0", None), ("0000:02:00.1", SOUND)],
    words: &[
        "intel_iommu=on",
        "iommu=pt",
        "vfio-pci.ids=10de:0fc6,10de:0e1b",
    ],
    never: &[],
    log: REMAPPED,
    prints: &[],
    is_used: true,
};

/// The only card that the firmware can show anything on; another one stays.
pub(super) const BOOT_DISPLAY: Variant = Variant {
    name: "boot-display",
    golden: Golden::LvmExt4Uefi,
    card: counted,
    fit: |machine, card| {
        let machine = machine.iommu(VT_D).without_display();
        machine
            .card(Port::RootPort, Device::StandardVga)
            .card(Port::RootPort, card)
    },
    prepared_by: None,
    choice: "--device 0000:02:00.0 --vm 102",
    drivers: &[("0000:02:00.0", VFIO), ("0000:03:00.1", SOUND)],
    words: &[
        "intel_iommu=on",
        "iommu=pt",
        "initcall_blacklist=sysfb_init",
    ],
    never: &[],
    log: REMAPPED,
    prints: &[
        ("cat /proc/fb; ls /sys/class/drm | grep card", ""),
        ("grep -ciE 'fb|simple' /proc/iomem", "0"),
        ("ls /sys/bus/platform/devices | grep -c framebuffer", "0"),
    ],
    is_used: true,
};

/// The card stays, and has functions to give away.
pub(super) const VIRTUAL_FUNCTIONS: Variant = Variant {
    name: "virtual-functions",
    golden: Golden::LvmExt4Bios,
    card: counted,
    fit: |machine, card| {
        let machine = machine.iommu(VT_D).card(Port::RootPort, card);
        machine.card(Port::RootPort, Device::Igb)
    },
    prepared_by: None,
    choice: "--device 0000:03:00.0 --set sriov=4",
    drivers: &[
        ("0000:03:00.0", Some("igb")),
        ("0000:03:10.0", Some("igbvf")),
        ("0000:03:10.2", Some("igbvf")),
        ("0000:03:10.4", Some("igbvf")),
        ("0000:03:10.6", Some("igbvf")),
    ],
    words: &["intel_iommu=on", "iommu=pt"],
    never: &[],
    log: REMAPPED,
    prints: &[("cat /sys/bus/pci/devices/0000:03:00.0/sriov_numvfs", "4")],
    is_used: true,
};

/// Beside a card that the firmware shows its screen on.
pub(super) const INTEGRATED_DISPLAY: Variant = Variant {
    name: "integrated-display",
    golden: Golden::LvmXfsUefi,
    card: intel_hd630,
    fit: |machine, card| {
        let machine = machine.iommu(VT_D).without_display().display(card);
        machine.card(Port::RootPort, Device::StandardVga)
    },
    prepared_by: None,
    choice: "--device 0000:00:02.0 --vm 102 --set igd-legacy=yes",
    drivers: &[("0000:00:02.0", VFIO), ("0000:02:00.0", Some("bochs-drm"))],
    words: &["intel_iommu=on", "iommu=pt"],
    never: &["initcall_blacklist"],
    log: REMAPPED,
    prints: &[("cat /sys/module/vfio_pci/parameters/disable_vga", "N")],
    is_used: false,
};
