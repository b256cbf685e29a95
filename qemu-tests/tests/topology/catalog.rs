//! The machines that a person can ask for by name.

use qemu_tests::catalog::{self, CARDS, CatalogError, MACHINES, named};

use crate::look::Lab;

/// Boots the machine with a network card in it.
fn look_at(name: &str) {
    let Some(lab) = Lab::open() else { return };
    if !lab.qemu.is_recent() {
        return qemu_tests::skip(&format!("{} takes no cards", lab.qemu.place()));
    }
    let made = catalog::machine(
        named(MACHINES, name).unwrap(),
        named(CARDS, "generic").unwrap(),
        lab.folder(),
    );
    let machine = match made {
        Err(CatalogError::Firmware(why)) => return qemu_tests::skip(&why.to_string()),
        made => made.unwrap(),
    };
    let look = lab
        .look(lab.boot(&format!("catalog-{name}"), machine))
        .unwrap();
    assert_eq!(look.differences(), [""; 0]);
}

macro_rules! machines {
    ($($test:ident = $name:literal),+ $(,)?) => {
        $(
            #[test]
            fn $test() {
                look_at($name);
            }
        )+

        /// Those above, in the catalogue's order.
        const TESTED: &[&str] = &[$($name),+];
    };
}

machines! {
    q35_has_the_predicted_groups = "q35",
    amd_vi_has_the_predicted_groups = "amd-vi",
    no_iommu_has_no_groups_to_compare = "no-iommu",
    no_remapping_has_the_predicted_groups = "no-remapping",
    only_display_has_the_predicted_groups = "only-display",
    uefi_has_the_predicted_groups = "uefi",
    secure_boot_has_the_predicted_groups = "secure-boot",
    no_acs_has_the_predicted_groups = "no-acs",
    shared_has_the_predicted_groups = "shared",
    switch_has_the_predicted_groups = "switch",
    bridge_has_the_predicted_groups = "bridge",
    two_roots_has_the_predicted_groups = "two-roots",
    sr_iov_has_the_predicted_groups = "sr-iov",
    disks_has_the_predicted_groups = "disks",
    i440fx_has_no_groups_to_compare = "i440fx",
}

#[test]
fn every_machine_of_the_catalogue_is_compared() {
    let names: Vec<&str> = MACHINES.iter().map(|machine| machine.name).collect();
    assert_eq!(TESTED, names);
}
