//! Microcode in front of an image, as the kernel wants it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

mod common;
#[path = "../src/microcode/testing.rs"]
mod testing;

use std::fs;
use std::path::{Path, PathBuf};

use common::{Sample, deb, refusal};
use image_builder::inspect::{Content, Initramfs, inspect};
use testing::{amd_container, intel_update};

const INTEL: &str = "kernel/x86/microcode/GenuineIntel.bin";
const AMD: &str = "kernel/x86/microcode/AuthenticAMD.bin";
const LIST: &str = "[disks]\nahci\n";

fn build(folder: &Path, microcode: &[PathBuf]) -> PathBuf {
    let output = folder.join("initramfs.img");
    let sample = Sample::new();
    let mut recipe = sample.recipe(LIST);
    recipe.microcode = microcode.to_vec();
    image_builder::initramfs::build(&recipe, &output, &|_| {}).unwrap();
    output
}

fn seen(image: &Path) -> Initramfs {
    match inspect(image).unwrap().content {
        Content::Initramfs(initramfs) => initramfs,
        other => panic!("{other:?}"),
    }
}

fn early(initramfs: &Initramfs) -> Vec<&str> {
    initramfs
        .early
        .iter()
        .map(|file| file.path.as_str())
        .collect()
}

/// Debian's packages of both vendors.
fn packages(folder: &Path) -> [PathBuf; 2] {
    let copyright = b"Format: 1.0\n\nFiles: *\nLicense: binary-only\n".to_vec();
    let file = |path: &str, content: Vec<u8>| (path.to_owned(), content);
    let intel = [
        file(
            "lib/firmware/intel-ucode/06-9e-0a",
            intel_update(0x0512_2023),
        ),
        file(
            "lib/firmware/intel-ucode/06-55-04.initramfs",
            intel_update(0x0214_2024),
        ),
        file("lib/firmware/intel-ucode/README", b"Words.\n".to_vec()),
        file("usr/share/doc/intel-microcode/copyright", copyright.clone()),
    ];
    let amd = [
        file(
            "usr/lib/firmware/amd-ucode/microcode_amd_fam17h.bin",
            amd_container(&[0x0607_2023]),
        ),
        file(
            "usr/lib/firmware/amd-ucode/microcode_amd_fam17h.bin.asc",
            b"signature".to_vec(),
        ),
        file("usr/share/doc/amd64-microcode/copyright", copyright),
    ];
    [
        deb(folder, "intel-microcode_1_amd64", &intel),
        deb(folder, "amd64-microcode_1_amd64", &amd),
    ]
}

#[test]
fn packages_of_both_vendors_become_one_plain_archive_in_front() {
    let folder = tempfile::tempdir().unwrap();
    let image = build(folder.path(), &packages(folder.path()));
    let initramfs = seen(&image);
    assert_eq!(early(&initramfs), [AMD, INTEL]);
    assert_eq!(initramfs.differences, Vec::<String>::new());
    let kinds: Vec<_> = initramfs
        .segments
        .iter()
        .map(|segment| segment.compression.name())
        .collect();
    assert_eq!(kinds, ["plain", "zstd"]);
    assert_eq!(initramfs.segments[0].offset, 0);

    // Where the kernel looks: the first archive, file after file (lib/earlycpio.c).
    let bytes = fs::read(&image).unwrap();
    assert_eq!(&bytes[..6], b"070701");
    let intel = [intel_update(0x0214_2024), intel_update(0x0512_2023)].concat();
    assert_eq!(
        find_cpio_data(&bytes, INTEL).map(|at| &bytes[at..at + intel.len()]),
        Some(intel.as_slice()),
        "updates follow each other by name"
    );

    let manifest = manifest(&image);
    let lines: Vec<[&str; 3]> = manifest["files"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|file| file["path"].as_str().unwrap().contains("microcode/"))
        .map(|file| ["path", "package", "reason"].map(|key| file[key].as_str().unwrap()))
        .collect();
    let slash = |path: &'static str| format!("/{path}");
    let (amd, intel) = (slash(AMD), slash(INTEL));
    assert_eq!(
        lines,
        [
            [
                amd.as_str(),
                "amd64-microcode",
                "microcode: AMD, 1 updates, the newest of 2023-06-07"
            ],
            [
                intel.as_str(),
                "intel-microcode",
                "microcode: Intel, 2 updates, the newest of 2024-02-14"
            ],
        ]
    );
    assert_eq!(
        manifest["packages"]["intel-microcode"]["licenses"][0],
        "binary-only"
    );
    assert!(initramfs.license_texts.contains("amd64-microcode"));
}

/// Where the content of a file begins, as Linux finds it (lib/earlycpio.c): headers at multiples of four, and a name
/// that begins with the path and has fewer than 18 bytes behind it.
fn find_cpio_data(bytes: &[u8], path: &str) -> Option<usize> {
    let mut at = 0;
    loop {
        let number = |field: usize| {
            let digits = std::str::from_utf8(&bytes[at + 6 + field * 8..][..8]).unwrap();
            usize::from_str_radix(digits, 16).unwrap()
        };
        if !bytes[at..].starts_with(b"070701") {
            return None;
        }
        let (size, name) = (number(6), number(11));
        let content = (at + 110 + name).next_multiple_of(4);
        if bytes[at + 110..].starts_with(path.as_bytes()) && name >= path.len() {
            assert!(name - path.len() < 18, "MAX_CPIO_FILE_NAME");
            return Some(content);
        }
        at = (content + size).next_multiple_of(4);
    }
}

#[test]
fn updates_begin_where_intels_processors_take_them_from() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["GenuineIntel.bin", "a"] {
        let file = folder.path().join(name);
        fs::write(&file, intel_update(0x0512_2023)).unwrap();
        let both = [file, packages(folder.path())[1].clone()];
        let bytes = fs::read(build(folder.path(), &both)).unwrap();
        for path in [INTEL, AMD] {
            assert_eq!(find_cpio_data(&bytes, path).unwrap() % 16, 0, "{path}");
        }
    }
}

/// That of an image, unpacked by cpio and zstd from behind the archive in front.
fn manifest(image: &Path) -> serde_json::Value {
    let at = seen(image).segments[1].offset;
    let rest = image.with_extension("rest");
    fs::write(&rest, &fs::read(image).unwrap()[at..]).unwrap();
    let entries = common::unpack(&rest);
    let entry = entries
        .iter()
        .find(|entry| entry.header.name() == "usr/share/preflight/manifest.json");
    serde_json::from_slice(&entry.unwrap().content).unwrap()
}

#[test]
fn the_archive_in_front_stands_alone_and_is_taken_again() {
    let folder = tempfile::tempdir().unwrap();
    let image = build(folder.path(), &packages(folder.path()));
    let length = seen(&image).segments[1].offset;
    assert_eq!(length % 512, 0);
    let front = folder.path().join("front.cpio");
    fs::write(&front, &fs::read(&image).unwrap()[..length]).unwrap();
    let again = build(folder.path(), std::slice::from_ref(&front));
    assert_eq!(early(&seen(&again)), [AMD, INTEL]);
    // With another reader's eyes.
    let mut rest = fs::File::open(&front).unwrap();
    let mut names = Vec::new();
    loop {
        let reader = cpio::newc::Reader::new(&mut rest as &mut dyn std::io::Read).unwrap();
        let name = reader.entry().name().to_owned();
        if reader.entry().is_trailer() {
            break;
        }
        names.push(name);
        reader.finish().unwrap();
    }
    let folders = ["kernel", "kernel/x86", "kernel/x86/microcode"];
    assert_eq!(names, [&folders[..], &[AMD, INTEL]].concat());
}

#[test]
fn a_vendors_file_is_taken_as_it_is_and_an_image_by_itself_has_none() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ucode.bin");
    fs::write(&file, amd_container(&[0x0607_2023])).unwrap();
    assert_eq!(early(&seen(&build(folder.path(), &[file]))), [AMD]);
    let plain = seen(&build(folder.path(), &[]));
    assert!(plain.early.is_empty() && plain.segments.len() == 1);
}

#[test]
fn what_is_no_microcode_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("letter"), "Dear reader, this is no microcode.").unwrap();
    let mut cut = intel_update(0x0512_2023);
    cut.truncate(1000);
    fs::write(path("cut.bin"), cut.clone()).unwrap();
    let damaged = [("lib/firmware/intel-ucode/06-9e-0a".to_owned(), cut)];
    let other = [("usr/bin/other".to_owned(), b"x".to_vec())];
    let mut archive = Vec::new();
    cpio::newc::trailer(&mut archive).unwrap();
    fs::write(path("empty.cpio"), archive).unwrap();
    for (file, words) in [
        (
            path("letter"),
            "letter is no microcode for x86 processors: it begins neither",
        ),
        (
            path("cut.bin"),
            "cut.bin is no microcode for x86 processors: it is cut off",
        ),
        (
            deb(folder.path(), "damaged", &damaged),
            "damaged.deb/lib/firmware/intel-ucode/06-9e-0a is no microcode",
        ),
        (
            deb(folder.path(), "other", &other),
            "other.deb has no microcode",
        ),
        (path("empty.cpio"), "empty.cpio has no microcode"),
        (path("missing"), "missing"),
    ] {
        let sample = Sample::new();
        let mut recipe = sample.recipe(LIST);
        recipe.microcode = vec![file];
        let error = refusal(&recipe);
        assert!(error.contains(words), "{error}");
    }
}
