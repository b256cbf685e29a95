use hardware::{Reading, Source};

use crate::machine::{
    BOARD_SERIAL, DEVICE_SERIAL, MAC, MAC_IN_NAME, PRODUCT_KEY, UUID, folder, holds,
};
use crate::{captured, machine_in, unpacked};

const SECRETS: &[&[u8]] = &[
    BOARD_SERIAL.as_bytes(),
    MAC.as_bytes(),
    MAC_IN_NAME.as_bytes(),
    UUID.as_bytes(),
    &DEVICE_SERIAL,
    PRODUCT_KEY.as_bytes(),
];

#[test]
fn identifiers_are_left_out_unless_they_are_asked_for() {
    let folder = folder();
    let capture = |identifiers| {
        let (_, packed) = captured(Source::folder(folder.path()).unwrap(), identifiers);
        (unpacked(&packed.bytes), packed.manifest)
    };
    let (with, manifest) = capture(true);
    for secret in SECRETS {
        assert!(holds(&with, secret), "{}", String::from_utf8_lossy(secret));
    }
    assert!(manifest.identifiers && manifest.left_out.is_empty());

    let (without, manifest) = capture(false);
    for secret in SECRETS {
        assert!(
            !holds(&without, secret),
            "{}",
            String::from_utf8_lossy(secret)
        );
    }
    assert!(!holds(&without, b"secret-host"));
    assert!(!manifest.identifiers);
    let mut kinds: Vec<&str> = manifest
        .left_out
        .iter()
        .map(|left| left.what.as_str())
        .collect();
    kinds.sort_unstable();
    kinds.dedup();
    assert_eq!(
        kinds,
        [
            "MAC addresses",
            "UUIDs",
            "messages of programs",
            "product keys",
            "serial numbers"
        ]
    );
}

#[test]
fn what_is_left_out_changes_nothing_else() {
    let folder = folder();
    let (plain, packed) = captured(Source::folder(folder.path()).unwrap(), false);
    let again = machine_in(&packed);
    assert_eq!(again.board.serial, Reading::Known("<serial-1>".to_owned()));
    assert_eq!(
        again.kernel.command_line,
        Reading::Known("root=UUID=<uuid-1> intel_iommu=on".to_owned())
    );
    assert_eq!(again.kernel.log, plain.kernel.log);
    assert_eq!(again.board.name, plain.board.name);
    assert_eq!(again.groups, plain.groups);
    assert_eq!(again.iommu_unit_registers, plain.iommu_unit_registers);
    assert!(
        plain
            .iommu_unit_registers
            .known()
            .is_some_and(|units| !units.is_empty())
    );
    assert_eq!(again.functions[1].slot, Reading::Known("3".to_owned()));
    let device = |machine: &hardware::Machine| machine.host_devices.known().unwrap()[0].clone();
    let (before, after) = (device(&plain), device(&again));
    // The second one: the log names another before.
    assert_eq!(after.name, "enx<mac-2>");
    assert_eq!(
        (after.function, after.detail),
        (before.function, before.detail)
    );
    for (again, plain) in again.functions.iter().zip(&plain.functions) {
        assert_eq!(again.driver, plain.driver);
        let length = |function: &hardware::Function| function.config.known().unwrap().bytes().len();
        assert_eq!(length(again), length(plain));
        assert_eq!(
            again.config.known().unwrap().extended_capabilities(),
            plain.config.known().unwrap().extended_capabilities()
        );
    }
    let length = |machine: &hardware::Machine| {
        machine.tables.known().unwrap()["MSDM"]
            .known()
            .map(Vec::len)
    };
    assert_eq!(length(&again), length(&plain));
}
