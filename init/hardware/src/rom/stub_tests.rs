use std::fs;
use std::path::Path;

use super::*;
use crate::FailureKind;

/// `struct pci_setup_rom` as the EFI stub fills it in.
fn data(ids: (u16, u16), place: [u64; 4], length: u64, rom: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend(ids.0.to_le_bytes());
    bytes.extend(ids.1.to_le_bytes());
    bytes.extend([0; 4]);
    bytes.extend(length.to_le_bytes());
    for number in place {
        bytes.extend(number.to_le_bytes());
    }
    bytes.extend(rom);
    bytes
}

fn write(sys: &Path, number: usize, kind: &str, data: &[u8]) {
    let folder = sys.join(SETUP_DATA).join(number.to_string());
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("type"), kind).unwrap();
    fs::write(folder.join("data"), data).unwrap();
}

fn readings(sys: &Path) -> (Vec<RomReading>, Vec<Progress>) {
    let mut notes = Vec::new();
    let tree = Tree::open(sys).unwrap();
    let readings = read(&tree, &[], &mut |note| notes.push(note));
    (readings, notes)
}

#[test]
fn roms_that_the_stub_kept_are_found_among_other_items() {
    let sys = tempfile::tempdir().unwrap();
    let rom = [0x55, 0xaa, 1, 2];
    write(sys.path(), 0, "0x9\n", &[1; 64]);
    let gpu = data((0x10de, 0x0fc6), [0, 1, 0, 1], 4, &rom);
    write(sys.path(), 1, "0x3\n", &gpu);
    // Firmware counts the header into the data at times: the ROM's own length ends it.
    let other = data(
        (0x1002, 0x67df),
        [0x10, 0xc1, 31, 7],
        4,
        &[rom.as_slice(), &[9; 8]].concat(),
    );
    write(sys.path(), 2, "0x3\n", &other);
    let (readings, notes) = readings(sys.path());
    assert_eq!(notes, []);
    let found: Vec<_> = readings
        .iter()
        .map(|reading| {
            let id = reading.id.unwrap().to_string();
            (
                reading.address.to_string(),
                id,
                reading.bytes.clone().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        found,
        [
            (
                "0000:01:00.1".to_owned(),
                "10de:0fc6".to_owned(),
                rom.to_vec()
            ),
            (
                "0010:c1:1f.7".to_owned(),
                "1002:67df".to_owned(),
                rom.to_vec()
            ),
        ]
    );
    assert!(
        readings[0].place.ends_with("setup_data/1/data"),
        "{}",
        readings[0].place
    );
}

#[test]
fn a_machine_started_by_bios_has_none() {
    let sys = tempfile::tempdir().unwrap();
    assert_eq!(readings(sys.path()), (vec![], vec![]));
}

#[test]
fn an_item_that_makes_no_sense_is_named() {
    let sys = tempfile::tempdir().unwrap();
    write(sys.path(), 0, "0x3\n", &[1; 47]);
    write(
        sys.path(),
        1,
        "0x3\n",
        &data((1, 2), [0, 1, 32, 0], 4, &[1; 4]),
    );
    write(
        sys.path(),
        2,
        "0x3\n",
        &data((1, 2), [0, u64::MAX, 0, 0], 4, &[1; 4]),
    );
    let (readings, notes) = readings(sys.path());
    assert_eq!(readings, []);
    assert_eq!(notes.len(), 3, "{notes:?}");
}

#[test]
fn a_length_beyond_the_data_takes_what_is_there_and_ones_are_no_copy() {
    let sys = tempfile::tempdir().unwrap();
    write(
        sys.path(),
        0,
        "0x3\n",
        &data((1, 2), [0, 1, 0, 0], u64::MAX, &[0x55, 0xaa]),
    );
    write(
        sys.path(),
        1,
        "0x3\n",
        &data((1, 2), [0, 2, 0, 0], 4, &[0xff; 4]),
    );
    let (readings, _) = readings(sys.path());
    assert_eq!(readings[0].bytes.as_deref(), Ok([0x55, 0xaa].as_slice()));
    assert_eq!(
        readings[1].bytes.as_ref().unwrap_err().kind,
        FailureKind::AllOnes
    );
}

proptest::proptest! {
    #[test]
    fn any_data_is_read_without_panic(data: Vec<u8>) {
        if let Ok(rom) = StubRom::parse(&data) {
            assert!(rom.rom.len() <= data.len());
        }
    }
}
