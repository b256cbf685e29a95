use std::time::Duration;

use qemu_tests::Ovmf;

use crate::lab::{Lab, is_saved_on, machine};

#[test]
fn one_program_signed_with_a_key_of_ones_own_starts_where_no_other_key_is_known() {
    let Some(lab) = Lab::open() else { return };
    let stick = lab.stick_with_uki(Some(Ovmf::test_key(lab.folder()).unwrap()));
    let firmware = Ovmf::with_test_key(lab.folder()).unwrap();
    let mut run = lab.start("media-uki", machine(&stick).firmware(firmware));
    let seen = lab.finish(&mut run);
    is_saved_on(&stick, &seen.result);
    seen.was_started_with("preflight.mode=assess");
    seen.was_locked_down(&stick);
}

#[test]
#[ignore = "takes long: make soak"]
fn without_a_signature_it_does_not_start_there() {
    let Some(lab) = Lab::open() else { return };
    let stick = lab.stick_with_uki(None);
    let firmware = Ovmf::with_test_key(lab.folder()).unwrap();
    let mut run = lab.start("media-uki-unsigned", machine(&stick).firmware(firmware));
    run.wait_text("Access Denied", Duration::from_secs(60))
        .unwrap();
    assert_eq!(stick.files().unwrap(), []);
}
