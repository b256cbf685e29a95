use std::fs;
use std::io::Write;

use hardware::capture::{Capture, CaptureError};
use hardware::{Source, load};
use proptest::prelude::*;
use tar::{Builder, EntryType, Header};

use crate::machine::folder;
use crate::{captured, unpacked};

fn compress(archive: &[u8]) -> Vec<u8> {
    zstd::encode_all(archive, 1).unwrap()
}

fn honest() -> Vec<u8> {
    let folder = folder();
    captured(Source::folder(folder.path()).unwrap(), false)
        .1
        .bytes
}

/// The error that an archive with one more entry gives.
fn with_entry(path: &[u8], kind: EntryType, link: Option<&str>) -> CaptureError {
    let mut tar = Builder::new(Vec::new());
    for entry in tar::Archive::new(unpacked(&honest()).as_slice())
        .entries()
        .unwrap()
    {
        let entry = entry.unwrap();
        let header = entry.header().clone();
        tar.append(&header, entry).unwrap();
    }
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_size(0);
    // The library refuses to write such paths.
    header.as_gnu_mut().unwrap().name[..path.len()].copy_from_slice(path);
    if let Some(link) = link {
        header.set_link_name_literal(link).unwrap();
    }
    header.set_cksum();
    tar.append(&header, std::io::empty()).unwrap();
    error(&compress(&tar.into_inner().unwrap()))
}

fn error(bytes: &[u8]) -> CaptureError {
    match Capture::read(bytes) {
        Ok(_) => panic!("it was read"),
        Err(error) => error,
    }
}

#[test]
fn paths_that_lead_out_and_things_that_no_capture_has_are_refused() {
    for path in [
        "../outside",
        "/etc/shadow",
        "sys/../../outside",
        "sys/./x",
        "sys//x",
        "./sys",
    ] {
        for kind in [EntryType::Symlink, EntryType::Directory] {
            let error = with_entry(path.as_bytes(), kind, Some("x"));
            assert!(
                matches!(error, CaptureError::Foreign { .. }),
                "{path}: {error}"
            );
        }
    }
    for kind in [
        EntryType::Char,
        EntryType::Block,
        EntryType::Fifo,
        EntryType::Link,
    ] {
        let error = with_entry(b"sys/device", kind, Some("/dev/watchdog"));
        assert!(matches!(error, CaptureError::Foreign { .. }), "{error}");
    }
    let error = with_entry(b"sys/new", EntryType::Regular, None);
    assert!(error.to_string().contains("does not name"), "{error}");
    let error = with_entry(b"kernel.log/x", EntryType::Symlink, Some("y"));
    assert!(error.to_string().contains("on the way"), "{error}");
}

#[test]
fn links_that_lead_out_or_round_in_a_circle_are_followed_nowhere() {
    let folder = folder();
    let card = folder
        .path()
        .join("sys/devices/pci0000:00/0000:00:01.0/0000:01:00.0");
    for (name, target) in [
        ("numa_node", "/etc/hostname"),
        ("reset_method", "../../../../../../../../etc/hostname"),
        ("power_state", "power_state"),
    ] {
        let _ = fs::remove_file(card.join(name));
        std::os::unix::fs::symlink(target, card.join(name)).unwrap();
    }
    let (plain, packed) = captured(Source::folder(folder.path()).unwrap(), true);
    let again = crate::machine_in(&packed);
    for machine in [&plain, &again] {
        let function = &machine.functions[1];
        assert!(function.numa_node.is_unknown() && function.power_state.is_unknown());
        assert!(function.reset_methods.is_unknown());
    }
    assert_eq!(again, plain);
}

#[test]
fn a_bomb_is_refused_before_it_fills_memory() {
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    let archive = unpacked(&honest());
    // All but the two empty blocks at the end.
    encoder.write_all(&archive[..archive.len() - 1024]).unwrap();
    let mut header = Header::new_gnu();
    header.set_entry_type(EntryType::Regular);
    header.set_path("sys/bomb").unwrap();
    header.set_size(8 << 30);
    header.set_cksum();
    encoder.write_all(header.as_bytes()).unwrap();
    encoder.write_all(&vec![0; 1 << 20]).unwrap();
    let error = error(&encoder.finish().unwrap());
    assert!(error.to_string().contains("does not name"), "{error}");

    // A long name is read before anything is known of the file.
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.write_all(&archive[..archive.len() - 1024]).unwrap();
    let mut header = Header::new_gnu();
    header.set_entry_type(EntryType::GNULongName);
    header.set_size(1 << 30);
    header.set_cksum();
    encoder.write_all(header.as_bytes()).unwrap();
    for _ in 0..600 {
        encoder.write_all(&vec![b'x'; 1 << 20]).unwrap();
    }
    let error = self::error(&encoder.finish().unwrap());
    assert!(matches!(error, CaptureError::TooLarge(_)), "{error}");
}

#[test]
fn a_changed_file_is_not_what_was_captured() {
    let mut archive = unpacked(&honest());
    let place = archive
        .windows(7)
        .rposition(|window| window == b"flr bus")
        .unwrap();
    archive[place] = b'x';
    let error = error(&compress(&archive));
    assert!(matches!(error, CaptureError::Changed { .. }), "{error}");
}

#[test]
fn a_capture_of_another_kind_says_so() {
    let manifest = |json: &str| {
        let mut tar = Builder::new(Vec::new());
        let mut header = Header::new_gnu();
        header.set_size(json.len() as u64);
        tar.append_data(&mut header, "manifest.json", json.as_bytes())
            .unwrap();
        compress(&tar.into_inner().unwrap())
    };
    let newer = error(&manifest(r#"{"schema": "preflight.capture/2"}"#));
    assert!(newer.to_string().contains("preflight.capture/2"), "{newer}");
    assert!(matches!(error(&manifest("{")), CaptureError::Manifest(_)));
    assert!(matches!(
        error(&manifest(r#"{"schema": "preflight.capture/1"}"#)),
        CaptureError::Manifest(_)
    ));
    assert!(matches!(error(&compress(&[])), CaptureError::NoManifest));
    assert!(matches!(error(b"text"), CaptureError::Archive(_)));
    let cut = honest();
    assert!(Capture::read(&cut[..cut.len() / 2]).is_err());
}

#[test]
fn a_file_that_is_no_source_is_named_as_what_it_is() {
    let file = tempfile::NamedTempFile::new().unwrap();
    for (content, expected) in [
        (b"\x1f\x8b\x08".as_slice(), "gzip"),
        (b"{\"schema\": \"preflight.assessment/1\"}", "JSON"),
        (b"\x00\x01\x02", "neither text nor a capture"),
        (b"hello\n", "lspci -nnvvvxxxx"),
        (b"", "lspci -nnvvvxxxx"),
    ] {
        fs::write(file.path(), content).unwrap();
        let Err(error) = load(file.path(), None) else {
            panic!("{expected}: it was read")
        };
        let error = error.to_string();
        assert!(error.contains(expected), "{error}");
        assert!(error.contains(file.path().to_str().unwrap()), "{error}");
        assert!(error.contains("preflight capture"), "{error}");
    }
    assert!(load(&file.path().join("nowhere"), None).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn a_damaged_archive_is_read_without_panic(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in any::<Option<prop::sample::Index>>(),
    ) {
        static ARCHIVE: std::sync::OnceLock<Vec<u8>> = std::sync::OnceLock::new();
        let mut archive = ARCHIVE.get_or_init(|| unpacked(&honest())).clone();
        for (place, byte) in changes {
            let place = place.index(archive.len());
            archive[place] = byte;
        }
        if let Some(cut) = cut {
            archive.truncate(cut.index(archive.len()));
        }
        if let Ok(capture) = Capture::read(compress(&archive).as_slice()) {
            let _ = hardware::read(&capture.source);
        }
    }

    #[test]
    fn any_bytes_are_read_without_panic(bytes: Vec<u8>) {
        let _ = Capture::read(bytes.as_slice());
        let _ = Capture::read(compress(&bytes).as_slice());
    }
}
