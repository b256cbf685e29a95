//! What `inspect` says of sticks, CDs and unified kernel images: every file that a machine boots with, and where it is
//! from.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

mod bill;
mod built;
#[path = "../common/mod.rs"]
mod common;
mod parts;
mod unified;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use bill::Bill;
use common::RELEASE;
use image_builder::inspect::{BootCode, Content, Disk, StoredFile, inspect};
use image_builder::iso::{self, Xorriso};
use image_builder::medium::MANIFEST;
use image_builder::usb;
use parts::{KERNEL_PACKAGE, Parts, skip};
use serde_json::Value;

fn disk(content: Content) -> Disk {
    match content {
        Content::Disk(disk) => disk,
        other => panic!("{other:?}"),
    }
}

fn esp(disk: &Disk) -> &[StoredFile] {
    let fat = disk.partitions[1].fat.as_ref().unwrap();
    assert_eq!(fat.differences, Vec::<String>::new());
    &fat.files
}

/// The name of the package of each file that has one, without versions.
fn packages(files: &[StoredFile]) -> BTreeMap<&str, &str> {
    let named = files.iter().filter_map(|file| {
        let label = file.package.as_deref()?;
        Some((file.path.as_str(), label.split(' ').next()?))
    });
    named.collect()
}

const EFI: [(&str, &str); 3] = [
    ("EFI/BOOT/BOOTX64.EFI", "shim-signed"),
    ("EFI/BOOT/grubx64.efi", "grub-efi-amd64-signed"),
    ("EFI/BOOT/mmx64.efi", "shim-helpers-amd64-signed"),
];

fn said(file: &Path, format: &str) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_image-builder"));
    let said = command
        .arg("inspect")
        .arg(file)
        .args(["--format", format])
        .output()
        .unwrap();
    assert!(said.status.success(), "{said:?}");
    String::from_utf8(said.stdout).unwrap()
}

#[test]
fn each_boot_file_of_a_stick_has_its_package_packed_or_not_and_a_changed_one_has_none() {
    let Some(parts) = Parts::new() else {
        return;
    };
    let stick = parts.stick();
    let plain = inspect(&stick).unwrap();
    assert_eq!(plain.packed, None);
    let plain = disk(plain.content);
    let named = packages(esp(&plain));
    for (path, package) in EFI.into_iter().chain([("boot/vmlinuz", KERNEL_PACKAGE)]) {
        assert_eq!(named.get(path), Some(&package), "{named:?}");
    }
    let shim = esp(&plain)
        .iter()
        .find(|file| file.path == EFI[0].0)
        .unwrap();
    assert!(
        shim.package.as_ref().unwrap().contains(' '),
        "a version: {shim:?}"
    );
    let Some(Content::EfiProgram(program)) = &shim.content else {
        panic!("{shim:?}");
    };
    assert!(
        program.sbat.iter().any(|line| line.starts_with("shim,")),
        "{:?}",
        program.sbat
    );
    assert!(program.unified.is_none() && program.signed_by.is_some());

    for (name, bytes) in [
        (
            "stick.img.zst",
            zstd::encode_all(fs::File::open(&stick).unwrap(), 1).unwrap(),
        ),
        (
            "stick.img.xz",
            liblzma::encode_all(fs::File::open(&stick).unwrap(), 0).unwrap(),
        ),
    ] {
        let packed = parts.path(name);
        fs::write(&packed, bytes).unwrap();
        let seen = inspect(&packed).unwrap();
        assert_eq!(seen.bytes, fs::metadata(&packed).unwrap().len());
        assert_eq!(
            seen.packed.unwrap().unpacked,
            fs::metadata(&stick).unwrap().len()
        );
        assert_eq!(disk(seen.content), plain, "{name}");
    }
    let zst = fs::read(parts.path("stick.img.zst")).unwrap();
    let cut = parts.path("cut.img.zst");
    fs::write(&cut, &zst[..zst.len() / 2]).unwrap();
    let error = inspect(&cut).unwrap_err().to_string();
    assert!(
        error.contains("cannot unpack") && error.contains("cut.img.zst"),
        "{error}"
    );

    // Another kernel in the place of the one that the manifest speaks of.
    let mut bytes = fs::read(&stick).unwrap();
    let at = bytes
        .windows(12)
        .position(|part| part == b"6.1.0-test (")
        .unwrap();
    bytes[at + 20] ^= 1;
    fs::write(&stick, bytes).unwrap();
    let changed = disk(inspect(&stick).unwrap().content);
    let fat = changed.partitions[1].fat.as_ref().unwrap();
    assert_eq!(
        fat.differences,
        ["/boot/vmlinuz has another content than the manifest says"]
    );
    assert_eq!(packages(&fat.files).get("boot/vmlinuz"), None);
    assert!(said(&stick, "text").contains("CHANGED         /boot/vmlinuz has another content"));
}

#[test]
fn the_bill_of_materials_of_a_stick_has_boot_files_and_those_of_the_initramfs() {
    let Some(parts) = Parts::new() else {
        return;
    };
    let bill = Bill::of(&parts.stick());
    for (file, package) in EFI {
        assert!(bill.is_from(package, &format!("./{file}")), "{file}");
    }
    assert!(bill.is_from(KERNEL_PACKAGE, "./boot/vmlinuz"));
    let module = format!("./boot/initramfs.img/lib/modules/{RELEASE}/kernel/drivers/ata/ahci.ko");
    assert!(bill.is_from(KERNEL_PACKAGE, &module));
    let grub = bill.package("grub-pc-bin");
    assert!(
        grub["versionInfo"].is_string() && grub["licenseDeclared"] != "NOASSERTION",
        "{grub}"
    );
    bill.each_identifier_is_there_once();
}

#[test]
fn a_cd_says_what_firmware_starts_and_where_its_files_are_from() {
    let Some(parts) = Parts::new() else {
        return;
    };
    let xorriso = match Xorriso::fetch(&parts.cache) {
        Ok(xorriso) => xorriso,
        Err(error) => return skip(&error.to_string()),
    };
    let image = parts.path("cd.iso");
    iso::build(&parts.recipe, &parts.packages, &xorriso, &image, &|_| {}).unwrap();
    let Content::Iso(iso) = inspect(&image).unwrap().content else {
        panic!("it is a CD");
    };
    assert_eq!(
        (iso.volume.as_str(), iso.made.as_deref()),
        ("PREFLIGHT", Some("19800101000000"))
    );
    let boot: Vec<_> = iso
        .boot
        .iter()
        .map(|image| {
            (
                image.firmware.as_str(),
                image.bootable,
                image.file.as_deref(),
                image.partition,
            )
        })
        .collect();
    assert_eq!(
        boot,
        [
            ("BIOS", true, Some("boot/grub/eltorito.img"), None),
            ("UEFI", true, None, Some(2)),
        ]
    );
    assert_eq!((iso.broken, iso.differences), (None, Vec::new()));
    let named = packages(&iso.files);
    for (path, package) in EFI.into_iter().chain([("boot/vmlinuz", KERNEL_PACKAGE)]) {
        assert_eq!(named.get(path), Some(&package), "{named:?}");
    }
    // The same bytes on a stick.
    let disk = iso.disk.unwrap();
    let Some(BootCode::Grub {
        file: Some(file), ..
    }) = &disk.boot_code
    else {
        panic!("{:?}", disk.boot_code);
    };
    assert_eq!(file, "boot/grub/eltorito.img");
    let on_esp: Vec<_> = esp(&disk).iter().map(|file| file.path.as_str()).collect();
    assert_eq!(
        on_esp,
        [EFI[0].0, EFI[1].0, EFI[2].0, "EFI/debian/grub.cfg"]
    );

    let bill: Value = serde_json::from_str(&said(&image, "spdx")).unwrap();
    let names: Vec<_> = bill["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| file["fileName"].as_str().unwrap())
        .collect();
    for name in [
        "./EFI/BOOT/BOOTX64.EFI",
        "./boot/initramfs.img/init",
        "./ventoy.dat",
    ] {
        assert!(names.contains(&name), "no {name} in {names:?}");
    }
    let text = said(&image, "text");
    for words in [
        "as a CD",
        "made            1980-01-01 00:00:00",
        "program for UEFI, shim-signed ",
        "as a stick:",
    ] {
        assert!(text.contains(words), "{words} is missing in:\n{text}");
    }
}

#[test]
fn a_sticks_manifest_lists_every_other_file_with_its_digest() {
    let Some(parts) = Parts::new() else {
        return;
    };
    let built = usb::build(
        &parts.recipe,
        &parts.packages,
        &parts.path("stick.img"),
        &|_| {},
    )
    .unwrap();
    let seen = disk(inspect(&parts.path("stick.img")).unwrap().content);
    let listed: Vec<_> = built.files.iter().map(|file| file.path.as_str()).collect();
    let mut there: Vec<_> = esp(&seen).iter().map(|file| file.path.as_str()).collect();
    assert_eq!(listed.last(), Some(&MANIFEST));
    let mut sorted = listed.clone();
    sorted.sort_unstable();
    there.sort_unstable();
    assert_eq!(sorted, there);
}
