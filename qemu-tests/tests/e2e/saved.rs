use std::fs;

use qemu_tests::{Showcase, sha256};

use crate::lab::{Lab, first_line, reports, says};

#[test]
fn the_showcase_machine_is_judged_well_and_its_roms_are_saved_byte_for_byte() {
    let Some(lab) = Lab::open() else { return };
    let showcase = Showcase::new(&lab.qemu, lab.folder()).unwrap();
    let disk = showcase.disk.sha256().unwrap();
    let session = lab.look(lab.boot("showcase-saved", showcase.machine.clone()));
    let stick = &showcase.stick;

    let report = session.report(stick);
    let first = first_line(&report);
    assert!(first.starts_with("YES. "), "{first}");
    assert!(first.contains("0000:01:00.0"), "{first}");
    let (before_drivers, _) = session.serial.split_once("Making disks").unwrap();
    assert!(says(before_drivers, &first), "{before_drivers}");
    assert!(reports(&session.serial, &first), "{}", session.serial);

    let card = fs::read(&showcase.card_rom).unwrap();
    let nic = fs::read(&showcase.nic_rom).unwrap();
    let saved_card = session.file(stick, "roms/0000-01-00.0_1002-5159_rom-bar_good.rom");
    assert!(saved_card == card, "{} bytes differ", saved_card.len());
    let saved_nic = session.file(stick, "roms/0000-02-00.0_8086-10d3_rom-bar_good.rom");
    assert!(
        saved_nic == nic[..saved_nic.len()],
        "{} bytes differ",
        saved_nic.len()
    );

    let card_rom = &session.function("0000:01:00.0")["rom"];
    assert_eq!(card_rom["state"], "read", "{card_rom:#}");
    assert_eq!(card_rom["source"], "rom-bar");
    assert_eq!(card_rom["taint"], serde_json::Value::Null);
    assert_eq!(card_rom["sha256"], sha256(&card));
    assert_eq!(card_rom["length"], card.len());
    let types = |rom: &serde_json::Value| -> Vec<String> {
        let images = rom["images"].as_array().unwrap().iter();
        images
            .map(|image| image["type"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(types(card_rom), ["x86"]);
    let nic_rom = &session.function("0000:02:00.0")["rom"];
    assert_eq!(types(nic_rom), ["x86", "efi"]);

    assert_eq!(showcase.disk.sha256().unwrap(), disk);
}

#[test]
fn the_stick_holds_what_the_machine_says_it_has_saved_and_is_a_clean_file_system() {
    let Some(lab) = Lab::open() else { return };
    let showcase = Showcase::new(&lab.qemu, lab.folder()).unwrap();
    let session = lab.look(lab.boot("showcase-stick", showcase.machine.clone()));

    let saved = session.result.saved.clone().unwrap();
    assert_eq!(session.result.save_error, None);
    assert_eq!(session.result.schema, "preflight.run/1");
    assert!(saved.folder.contains("LAB-0001-1"), "{}", saved.folder);
    for file in &saved.files {
        let bytes = session.file(&showcase.stick, &file.path);
        assert_eq!(bytes.len() as u64, file.length, "{}", file.path);
        assert_eq!(sha256(&bytes), file.sha256, "{}", file.path);
    }
    let on_stick = showcase.stick.files().unwrap();
    assert_eq!(on_stick.len(), saved.files.len(), "{on_stick:?}");
    for path in ["report.txt", "report.json", "kernel.log", "capture.tar.zst"] {
        assert!(saved.files.iter().any(|file| file.path == path), "{path}");
    }
    assert_eq!(showcase.stick.complaint().unwrap(), None);

    let json = session.file(&showcase.stick, "report.json");
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(json, session.result.assessment);
    assert_eq!(json["schema"], "preflight.assessment/1");
    qemu_tests::same_from_capture(&session.result, &showcase.stick).unwrap();
}
