use std::fs;

use image_builder::inspect::{Content, inspect, spdx};
use image_builder::{netboot, uki, usb};

use crate::bill::Bill;
use crate::common::RELEASE;
use crate::parts::{KERNEL_PACKAGE, Parts, skip};
use crate::{EFI, disk, esp, packages, said};

#[test]
fn a_unified_kernel_image_shows_its_sections_and_what_is_in_them() {
    let Some(parts) = Parts::new() else {
        return;
    };
    let image = parts.path("preflight.efi");
    if let Err(error) = uki::build(&parts.recipe, "assess", None, &parts.cache, &image, &|_| {}) {
        return skip(&format!("{error}"));
    }
    let Content::EfiProgram(program) = inspect(&image).unwrap().content else {
        panic!("it is a program for UEFI");
    };
    assert_eq!(program.signed_by, None);
    let names: Vec<_> = program
        .sections
        .iter()
        .map(|section| section.name.as_str())
        .collect();
    assert!(
        names.ends_with(&[".osrel", ".uname", ".cmdline", ".initrd", ".linux"]),
        "{names:?}"
    );
    assert!(
        program.sbat.iter().any(|line| line.starts_with("systemd")),
        "{:?}",
        program.sbat
    );
    let unified = program.unified.unwrap();
    assert_eq!(
        (unified.system.as_deref(), unified.release.as_deref()),
        (Some("Preflight"), Some(RELEASE))
    );
    assert!(
        unified
            .command_line
            .unwrap()
            .contains("preflight.mode=assess")
    );
    assert_eq!(unified.kernel.unwrap().release(), Some(RELEASE));
    assert_eq!(unified.initramfs.unwrap().differences, Vec::<String>::new());
    let text = said(&image, "text");
    for words in [
        "unified kernel image, kernel 6.1.0-test",
        "system          Preflight",
        ".cmdline",
        "needed by ahci",
    ] {
        assert!(text.contains(words), "{words} is missing in:\n{text}");
    }
    let kernel = text.lines().find(|line| line.trim().starts_with(".linux"));
    assert!(kernel.unwrap().contains(KERNEL_PACKAGE), "{text}");
}

#[test]
fn a_unified_kernel_image_and_a_folder_for_network_boot_say_where_all_in_them_is_from() {
    let Some(parts) = Parts::new() else {
        return;
    };
    let module = format!("lib/modules/{RELEASE}/kernel/drivers/ata/ahci.ko");
    let folder = parts.path("served");
    netboot::build(&parts.recipe, &folder).unwrap();
    let bill = Bill::of(&folder);
    assert!(bill.is_from(KERNEL_PACKAGE, "./vmlinuz"));
    assert!(bill.is_from(KERNEL_PACKAGE, &format!("./initramfs.img/{module}")));
    bill.each_identifier_is_there_once();

    let image = parts.path("preflight.efi");
    if let Err(error) = uki::build(&parts.recipe, "assess", None, &parts.cache, &image, &|_| {}) {
        return skip(&format!("{error}"));
    }
    let bill = Bill::of(&image);
    assert!(bill.is_from(KERNEL_PACKAGE, "./.linux"));
    assert!(bill.is_from(KERNEL_PACKAGE, &format!("./.initrd/{module}")));
    let stub = bill.package("systemd-boot-efi");
    assert!(stub["versionInfo"].is_string(), "{stub}");
    bill.each_identifier_is_there_once();

    // One that was added later is of none, whatever its name.
    let added = uki::Section {
        name: ".linux",
        bytes: b"another kernel",
    };
    let image = parts.path("more.efi");
    let bytes = uki::with_sections(&fs::read(parts.path("preflight.efi")).unwrap(), &[added]);
    fs::write(&image, bytes.unwrap()).unwrap();
    let bill = Bill::of(&image);
    assert!(bill.is_from(KERNEL_PACKAGE, "./.linux"));
    assert_eq!(bill.files_of_no_package("./.linux ("), 1);
    let Content::EfiProgram(program) = inspect(&image).unwrap().content else {
        panic!("it is a program for UEFI");
    };
    let kernels = program.sections.iter().filter(|part| part.name == ".linux");
    let named: Vec<bool> = kernels.map(|part| part.package.is_some()).collect();
    assert_eq!(named, [true, false]);

    // Cut off in the middle of the kernel it says what is missing.
    let whole = fs::read(parts.path("preflight.efi")).unwrap();
    let cut = parts.path("cut.efi");
    fs::write(&cut, &whole[..whole.len() - 4096]).unwrap();
    let error = spdx(&cut).unwrap_err().to_string();
    assert!(error.contains(".linux cannot be read"), "{error}");

    // A section that was changed later is of no package any more.
    let mut bytes = fs::read(&image).unwrap();
    let last = bytes.iter().rposition(|byte| *byte == 0x5a).unwrap();
    bytes[last] = 0;
    fs::write(&image, bytes).unwrap();
    assert!(!Bill::of(&image).is_from(KERNEL_PACKAGE, "./.linux"));
}

#[test]
fn a_stick_with_a_unified_kernel_image_carries_the_copyright_of_what_is_on_it_alone() {
    let Some(mut parts) = Parts::new() else {
        return;
    };
    let image = parts.path("preflight.efi");
    if let Err(error) = uki::build(&parts.recipe, "assess", None, &parts.cache, &image, &|_| {}) {
        return skip(&format!("{error}"));
    }
    parts.recipe.uki = Some(image);
    let seen = disk(inspect(&parts.stick()).unwrap().content);
    let paths = esp(&seen).iter().map(|file| file.path.as_str());
    let licenses: Vec<_> = paths
        .filter_map(|path| path.strip_prefix("licenses/"))
        .collect();
    assert_eq!(
        licenses,
        ["grub-pc-bin.txt", "manifest.json", "systemd-boot-efi.txt"]
    );
    assert_eq!(packages(esp(&seen)).get(EFI[0].0), None);

    // What is no such image is refused, and so is what is no initramfs.
    let refused = |parts: &Parts| {
        let image = parts.path("refused.img");
        let error = usb::build(&parts.recipe, &parts.packages, &image, &|_| {}).unwrap_err();
        assert!(!image.exists());
        error.to_string()
    };
    parts.recipe.uki = Some(parts.recipe.initramfs.clone());
    let error = refused(&parts);
    assert!(error.contains("is no unified kernel image"), "{error}");
    parts.recipe.uki = None;
    parts.recipe.initramfs = parts.recipe.kernel.clone();
    let error = refused(&parts);
    assert!(error.contains("vmlinuz is no initramfs"), "{error}");
}
