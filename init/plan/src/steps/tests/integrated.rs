//! Legacy mode of Intel's integrated display.

use super::*;

#[test]
fn legacy_mode_of_intels_display_comes_with_its_arguments() {
    let plan = integrated().set("igd-legacy=yes").plan();
    assert_eq!(
        plan.text(GUEST),
        "args: -set device.hostpci0.x-igd-opregion=on -set device.hostpci0.x-igd-gms=0x2\nbios: seabios\n\
         hostpci0: 0000:00:02.0,legacy-igd=1\nmemory: 4096\nvga: none\n"
    );
}

#[test]
fn legacy_mode_takes_away_what_proxmox_does_not_start_with() {
    let legacy = || integrated().set("igd-legacy=yes");
    let held = legacy().pve(
        GUEST,
        "args: -set device.hostpci10.x-igd-opregion=on\nhostpci0: 0000:00:02.0,x-vga=1,rombar=0\n",
    );
    let plan = held.plan();
    assert_eq!(
        plan.text(GUEST),
        "args: -set device.hostpci10.x-igd-opregion=on -set device.hostpci0.x-igd-opregion=on -set \
         device.hostpci0.x-igd-gms=0x2\nhostpci0: 0000:00:02.0,legacy-igd=1\nvga: none\n"
    );
    assert!(
        plan.warnings
            .iter()
            .any(|it| it.contains("OpRegion for another device"))
    );
    for asked in ["x-vga=yes", "rombar=no", "machine=q35"] {
        assert_eq!(
            legacy().set(asked).plan().refused(),
            ["igd-legacy-not-possible"],
            "{asked}"
        );
    }
    let ovmf = legacy().pve(GUEST, "bios: ovmf\n").plan();
    assert!(ovmf.warnings.iter().any(|it| it.contains("bios=seabios")));
}
