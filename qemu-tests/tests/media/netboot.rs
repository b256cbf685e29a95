use std::fs;
use std::time::Duration;

use image_builder::boot_menu::SCRIPT_FILE;
use qemu_tests::{Device, Ovmf, Stick};

use crate::lab::{Lab, is_saved_on, machine, without_stick};

#[test]
fn a_machine_boots_by_network_looks_and_saves_its_report_on_a_stick_in_it() {
    let Some(lab) = Lab::open() else { return };
    let stick = Stick::new(lab.folder()).unwrap();
    let network = Device::NetworkBoot {
        folder: lab.netboot(&[]),
        file: SCRIPT_FILE.to_owned(),
    };
    let mut run = lab.start("media-netboot-bios", machine(&stick).integrated(network));
    let seen = lab.finish(&mut run);
    is_saved_on(&stick, &seen.result);
    for word in ["preflight.mode=assess", "initrd=initramfs.img"] {
        seen.was_started_with(word);
    }
}

/// The PARTUUID of the place for results of every [`Stick::new`].
const PLACE: &str = "preflight.data=PARTUUID=22222222-2222-2222-2222-222222222222";

/// iPXE as a program for UEFI, in the package ipxe. What QEMU's cards have in their ROMs is its driver alone: the
/// firmware boots by network itself, and starts programs, not scripts.
const IPXE: &str = "usr/lib/ipxe/snponly.efi";

/// On the reference machine, some ten times what is seen there.
const TO_IPXE: Duration = Duration::from_secs(120);

#[test]
fn uefi_boots_by_network_and_the_report_goes_to_the_partition_that_is_named() {
    let Some(lab) = Lab::open() else { return };
    let Some(ipxe) = lab.package_file("ipxe", IPXE) else {
        return;
    };
    let place = Stick::new(lab.folder()).unwrap();
    let folder = lab.netboot(&[PLACE]);
    fs::copy(ipxe, folder.join("ipxe.efi")).unwrap();
    let network = Device::NetworkBoot {
        folder,
        file: "ipxe.efi".to_owned(),
    };
    let image = place.path().to_owned();
    let machine = without_stick()
        .firmware(Ovmf::obtain(lab.folder()).unwrap())
        .integrated(network)
        .integrated(Device::Nvme { image });
    let mut run = lab.start("media-netboot-uefi", machine);
    // DHCP offers every client the same file, and iPXE would start itself.
    run.wait_text("Ctrl-B", TO_IPXE).unwrap();
    run.type_text("\x02").unwrap();
    run.wait_text("iPXE>", TO_IPXE).unwrap();
    run.type_text(&format!("dhcp && chain tftp://10.0.2.2/{SCRIPT_FILE}\r"))
        .unwrap();
    let seen = lab.finish(&mut run);
    is_saved_on(&place, &seen.result);
    seen.was_started_with(PLACE);
    let log = seen.kernel_log(&place);
    assert!(log.contains("efi: EFI v"), "{log}");
}
