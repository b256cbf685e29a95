use std::fs;
use std::os::unix::fs::PermissionsExt;

use hardware::capture::{Capture, Details};
use hardware::{
    FailureKind, Names, Reading, RomFailure, RomReading, RomSource, Source, kernel_log, load, read,
};

use crate::machine::{folder, unpack};
use crate::{captured, machine_in, unpacked};

#[test]
fn this_machine_captured_is_this_machine() {
    let plain = match read(&Source::live()) {
        Ok(plain) => plain,
        Err(error) => {
            println!("skipped: {error}");
            return;
        }
    };
    let (recorded, packed) = captured(Source::live(), true);
    assert_eq!(machine_in(&packed), recorded);
    // Recording changes nothing about what is read, but for what changes by itself meanwhile.
    assert_eq!(recorded.functions, plain.functions);
    assert_eq!((recorded.board, recorded.cpu), (plain.board, plain.cpu));
    assert_eq!(
        (recorded.tables, recorded.groups),
        (plain.tables, plain.groups)
    );
    assert_eq!(recorded.host_devices, plain.host_devices);
}

#[test]
fn a_copied_folder_captured_is_that_machine_in_the_same_words() {
    let folder = folder();
    let plain = read(&Source::folder(folder.path()).unwrap()).unwrap();
    let (recorded, packed) = captured(Source::folder(folder.path()).unwrap(), true);
    assert_eq!(recorded, plain);
    assert_eq!(machine_in(&packed), plain);
    let capture = Capture::read(packed.bytes.as_slice()).unwrap();
    assert_eq!(
        kernel_log(&capture.source),
        kernel_log(&Source::folder(folder.path()).unwrap())
    );
    assert_eq!(capture.manifest, packed.manifest);
    assert_eq!(packed.manifest.taken, "2024-11-20T23:59:59Z");
    assert_eq!(packed.manifest.kernel.as_deref(), Some("6.8.12-4-pve"));
}

#[test]
fn unpacked_by_hand_a_capture_is_a_folder_to_read_from() {
    let folder = folder();
    let (plain, packed) = captured(Source::folder(folder.path()).unwrap(), true);
    let by_hand = tempfile::tempdir().unwrap();
    unpack(&unpacked(&packed.bytes), by_hand.path());
    let again = load(by_hand.path(), None).unwrap().machine;
    // All but the folders' names.
    let told = |machine, place: &std::path::Path| {
        format!("{machine:#?}").replace(place.to_str().unwrap(), "PLACE")
    };
    assert_eq!(told(again, by_hand.path()), told(plain, folder.path()));
}

#[test]
fn what_could_not_be_read_is_unknown_for_the_same_reason() {
    let folder = folder();
    let card = folder
        .path()
        .join("sys/devices/pci0000:00/0000:00:01.0/0000:01:00.0");
    let closed = card.join("resource");
    fs::write(&closed, "0x0 0x0 0x0\n").unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o0)).unwrap();
    // Root reads it all the same: a folder where a file should be is unreadable for everybody.
    fs::create_dir(card.join("power_state.d")).unwrap();
    fs::remove_file(card.join("power_state")).unwrap();
    fs::rename(card.join("power_state.d"), card.join("power_state")).unwrap();
    let (plain, packed) = captured(Source::folder(folder.path()).unwrap(), false);
    let again = machine_in(&packed);
    let state = |machine: &hardware::Machine| machine.functions[1].power_state.clone();
    assert!(
        matches!(state(&again), Reading::Unknown(_)),
        "{:?}",
        state(&again)
    );
    assert_eq!(state(&again), state(&plain));
    assert_eq!(again.functions[1].bars, plain.functions[1].bars);
}

#[test]
fn option_roms_and_names_come_along() {
    let folder = folder();
    let address = "0000:01:00.0".parse().unwrap();
    let rom = |bytes| RomReading {
        address,
        id: None,
        source: RomSource::Shadow,
        place: "resource, line 7".to_owned(),
        taint: Some("a copy".to_owned()),
        bytes,
        not_restored: vec!["command".to_owned()],
    };
    let roms = [
        rom(Ok(vec![0x55, 0xaa, 1])),
        rom(Err(RomFailure {
            kind: FailureKind::InputOutput,
            why: "EIO".to_owned(),
        })),
    ];
    let names = Names::from_text("8086  Intel\n\t1234  A card\n\t1235  Another\n".to_owned());
    let (source, recording) = Source::folder(folder.path()).unwrap().record();
    let machine = read(&source).unwrap();
    let packed = recording.pack(&Details {
        version: "1",
        taken: std::time::UNIX_EPOCH,
        identifiers: false,
        machine: &machine,
        boot_stick: None,
        names: Some(&names),
        roms: Some(&roms),
    });
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), packed.unwrap().bytes).unwrap();
    let saved = load(file.path(), None).unwrap();
    assert_eq!(saved.roms.as_deref(), Some(roms.as_slice()));
    let id = machine.functions[1].id;
    assert_eq!(saved.names.unwrap().device(id), Some("A card"));
}

#[test]
fn the_disk_that_was_booted_from_is_still_told_apart() {
    let folder = folder();
    let disk = folder.path().join("sys/block");
    fs::create_dir_all(&disk).unwrap();
    std::os::unix::fs::symlink(
        "../devices/pci0000:00/0000:00:01.0/0000:01:00.0/usb1/block/sda",
        disk.join("sda"),
    )
    .unwrap();
    let (source, recording) = Source::folder(folder.path()).unwrap().record();
    let mut machine = read(&source).unwrap();
    machine.mark_boot_stick("sda");
    let packed = recording.pack(&Details {
        version: "1",
        taken: std::time::UNIX_EPOCH,
        identifiers: true,
        machine: &machine,
        boot_stick: Some("sda"),
        names: None,
        roms: None,
    });
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), packed.unwrap().bytes).unwrap();
    let saved = load(file.path(), None).unwrap();
    assert_eq!(saved.machine.host_devices, machine.host_devices);
    assert_eq!(saved.machine, machine);
}
