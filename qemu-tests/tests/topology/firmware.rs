//! UEFI in place of SeaBIOS.

use qemu_tests::{Device, Iommu, Machine, Ovmf, OvmfError, Port};

use crate::look::{Lab, Look};

fn look(lab: &Lab, name: &str, ovmf: Result<Ovmf, OvmfError>) -> Option<Look> {
    let ovmf = match ovmf {
        Ok(ovmf) => ovmf,
        Err(why) => {
            qemu_tests::skip(&why.to_string());
            return None;
        }
    };
    let machine = Machine::q35()
        .iommu(Iommu::Intel {
            interrupt_remapping: true,
        })
        .firmware(ovmf)
        .card(Port::RootPort, Device::E1000e { rom: None });
    let look = lab.look(lab.boot(name, machine)).unwrap();
    assert_eq!(look.result.assessment["machine"]["firmware"], "uefi");
    assert_eq!(look.group("01:00.0"), ["01:00.0"]);
    assert_eq!(look.differences(), [""; 0]);
    Some(look)
}

#[test]
fn a_machine_with_ovmf_is_a_uefi_machine() {
    let Some(lab) = Lab::open() else { return };
    let ovmf = Ovmf::obtain(lab.folder());
    let Some(look) = look(&lab, "firmware-uefi", ovmf) else {
        return;
    };
    assert!(!look.serial.contains("Secure boot enabled"));
}

#[test]
fn a_machine_with_secure_boot_locks_the_kernel_down() {
    let Some(lab) = Lab::open() else { return };
    let ovmf = Ovmf::with_secure_boot(lab.folder());
    let Some(look) = look(&lab, "firmware-secure-boot", ovmf) else {
        return;
    };
    assert!(
        look.serial.contains("Secure boot enabled"),
        "{}",
        look.serial
    );
}
