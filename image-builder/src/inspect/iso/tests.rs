#![allow(clippy::cast_possible_truncation, reason = "a sample is small")]

use proptest::prelude::*;

use super::*;

/// A file of a CD: its short identifier, its name of Rock Ridge, its bytes.
type File<'a> = (&'a str, &'a str, &'a [u8]);

fn both(number: u32) -> [u8; 8] {
    let mut bytes = [0; 8];
    bytes[..4].copy_from_slice(&number.to_le_bytes());
    bytes[4..].copy_from_slice(&number.to_be_bytes());
    bytes
}

fn record(identifier: &[u8], name: &str, sector: u32, bytes: u32, flags: u8) -> Vec<u8> {
    let mut record = vec![0; 33];
    record[2..10].copy_from_slice(&both(sector));
    record[10..18].copy_from_slice(&both(bytes));
    record[25] = flags;
    record[32] = identifier.len() as u8;
    record.extend(identifier);
    record.resize(record.len().next_multiple_of(2), 0);
    if !name.is_empty() {
        record.extend([b'N', b'M', 5 + name.len() as u8, 1, 0]);
        record.extend(name.bytes());
        record.resize(record.len().next_multiple_of(2), 0);
    }
    record[0] = record.len() as u8;
    record
}

/// A CD with these files in a folder `boot`, a catalogue for both kinds of firmware, and nothing else.
fn cd(files: &[File]) -> Vec<u8> {
    const ROOT: u32 = 20;
    const BOOT: u32 = 21;
    const CATALOGUE: u32 = 22;
    let mut bytes = vec![0; 24 * 2048];
    let mut put = |sector: u32, at: usize, part: &[u8]| {
        let at = sector as usize * 2048 + at;
        bytes.resize(bytes.len().max((at + part.len()).next_multiple_of(2048)), 0);
        bytes[at..at + part.len()].copy_from_slice(part);
    };
    for (sector, kind) in [(16, 1), (17, 0), (18, 255)] {
        put(sector, 0, &[kind]);
        put(sector, 1, b"CD001\x01");
    }
    put(16, 40, b"SAMPLE                          ");
    put(16, 156, &record(&[0], "", ROOT, 2048, FOLDER));
    put(16, 813, b"2023111422132000");
    put(17, 7, b"EL TORITO SPECIFICATION");
    put(17, 71, &CATALOGUE.to_le_bytes());
    let dots = |above: u32| {
        [
            record(&[0], "", ROOT, 2048, FOLDER),
            record(&[1], "", above, 2048, FOLDER),
        ]
        .concat()
    };
    put(
        ROOT,
        0,
        &[dots(ROOT), record(b"BOOT", "boot", BOOT, 2048, FOLDER)].concat(),
    );
    let mut folder = dots(ROOT);
    let mut sector = 24;
    for (identifier, name, content) in files {
        folder.extend(record(
            identifier.as_bytes(),
            name,
            sector,
            content.len() as u32,
            0,
        ));
        put(sector, 0, content);
        sector += content.len().div_ceil(2048).max(1) as u32;
    }
    put(BOOT, 0, &folder);
    let entry = |sectors: u16, at: u32| {
        let mut entry = [0; 32];
        entry[0] = 0x88;
        entry[6..8].copy_from_slice(&sectors.to_le_bytes());
        entry[8..12].copy_from_slice(&at.to_le_bytes());
        entry
    };
    put(CATALOGUE, 0, &[1, 0]);
    put(CATALOGUE, 32, &entry(4, 24));
    put(CATALOGUE, 64, &[0x91, 0xef, 1, 0]);
    put(CATALOGUE, 96, &entry(100, 500));
    put(16, 80, &both(sector));
    bytes
}

fn seen(bytes: &[u8]) -> Option<Iso> {
    read(&Source::Bytes(bytes), &mut Budget::default())
}

const FOLDER: u8 = 2;
const FILES: [File; 2] = [
    ("ELTORITO.IMG;1", "eltorito.img", &[7; 3000]),
    ("A_LONG_N.CFG;1", "a long name.cfg", b"menu"),
];

#[test]
fn files_have_their_long_names_and_firmware_its_entries() {
    let bytes = cd(&FILES);
    let iso = seen(&bytes).unwrap();
    assert_eq!(
        (iso.volume.as_str(), iso.made.as_deref()),
        ("SAMPLE", Some("20231114221320"))
    );
    let files: Vec<_> = iso
        .files
        .iter()
        .map(|file| (file.path.as_str(), file.bytes))
        .collect();
    assert_eq!(
        files,
        [("boot/a long name.cfg", 4), ("boot/eltorito.img", 3000)]
    );
    assert_eq!(iso.files[0].sha256, Some(crate::digest::sha256(b"menu")));
    let boot = |image: &BootImage| {
        (
            image.firmware.clone(),
            image.start,
            image.length,
            image.file.clone(),
        )
    };
    assert_eq!(
        iso.boot.iter().map(boot).collect::<Vec<_>>(),
        [
            (
                "BIOS".to_owned(),
                24 * 2048,
                2048,
                Some("boot/eltorito.img".to_owned())
            ),
            ("UEFI".to_owned(), 500 * 2048, 51_200, None),
        ]
    );
    assert_eq!((iso.broken, iso.disk), (None, None));
}

#[test]
fn a_cd_without_rock_ridge_shows_its_short_names() {
    let bytes = cd(&[("KERNEL.;1", "", b"x")]);
    let iso = seen(&bytes).unwrap();
    assert_eq!(iso.files[0].path, "boot/KERNEL");
}

#[test]
fn a_cut_cd_says_so_and_shows_what_is_there() {
    let bytes = cd(&FILES);
    let iso = seen(&bytes[..25 * 2048]).unwrap();
    assert!(iso.broken.unwrap().contains("ends before"));
    assert_eq!(iso.files[1].sha256, None, "its second sector is missing");
    assert!(seen(&bytes[..16 * 2048]).is_none());
}

#[test]
fn a_folder_in_itself_ends() {
    let mut bytes = cd(&[("AGAIN", "again", b"x")]);
    // The file becomes a folder that is its own.
    let at = 21 * 2048 + 34 + 34;
    bytes[at + 2..at + 6].copy_from_slice(&21_u32.to_le_bytes());
    bytes[at + 10..at + 14].copy_from_slice(&2048_u32.to_le_bytes());
    bytes[at + 25] = FOLDER;
    let iso = seen(&bytes).unwrap();
    assert!(iso.broken.unwrap().contains("cannot be read"));
}

proptest! {
    #[test]
    fn a_damaged_cd_never_ends_the_program(
        damage in proptest::collection::vec((16_usize * 2048..25 * 2048, any::<u8>()), 1..60),
    ) {
        let mut bytes = cd(&FILES);
        for (at, byte) in damage {
            bytes[at] = byte;
        }
        let _ = seen(&bytes);
    }
}
