//! The guest's own file, and the ROM that it names.

use rom_maker::{EfiImage, RomMaker};

use super::*;
use crate::Body;

#[test]
fn the_rom_is_copied_and_the_guest_names_it() {
    let mut host = Host::on_lvm();
    host.choice.rom = Some(rom(b"no rom at all"));
    host.choice.accepted.insert("rom-bad".to_owned());
    let plan = host.plan();
    assert!(!plan.is_refused());
    assert_eq!(plan.changes[0].path, "/usr/share/kvm/my_card.rom");
    assert!(
        matches!(&plan.changes[0].after.body, Body::File(path) if path == "/stick/roms/my card.rom")
    );
    assert!(
        plan.text(GUEST)
            .contains("hostpci0: 0000:01:00,pcie=1,romfile=my_card.rom\n")
    );
}

#[test]
fn a_guests_firmware_and_machine_change_only_when_asked() {
    let plain = Host::on_lvm().pve(GUEST, "memory: 512\n");
    assert_eq!(
        plain.plan().text(GUEST),
        "hostpci0: 0000:01:00\nmemory: 512\n"
    );
    let asked = plain.set("machine=q35").set("bios=ovmf").plan();
    assert_eq!(
        asked.text(GUEST),
        "bios: ovmf\nhostpci0: 0000:01:00,pcie=1\nmachine: q35\nmemory: 512\n"
    );
    assert!(
        asked
            .warnings
            .iter()
            .any(|warning| warning.contains("EFI disk"))
    );
}

#[test]
fn a_device_that_the_guest_has_already_keeps_its_line() {
    let host = Host::on_lvm().pve(
        GUEST,
        "hostpci3: 01:00,x-vga=1\nmachine: q35\n[snap]\nhostpci0: 01:00\n",
    );
    assert_eq!(
        host.plan().text(GUEST),
        "hostpci3: 01:00,x-vga=1,pcie=1\nmachine: q35\n[snap]\nhostpci0: 01:00\n"
    );
}

#[test]
fn two_cards_at_once_are_lines_of_their_own_and_each_option_is_said_once() {
    let plan = two_cards().plan();
    let guest = plan.text(GUEST);
    assert!(
        guest.contains("hostpci0: 0000:01:00,pcie=1\nhostpci1: 0000:05:00.0,pcie=1\n"),
        "{guest}"
    );
    let used = plan.options.iter().filter(|used| used.option == "x-vga");
    assert_eq!(used.count(), 1, "{}", diff(&plan));
}

#[test]
fn another_machine_type_leaves_the_rest_of_the_property() {
    let host = Host::on_lvm().pve(GUEST, "machine: pc-i440fx-9.0,viommu=virtio\n");
    let plan = host.set("machine=q35").plan();
    assert!(plan.text(GUEST).contains("machine: q35,viommu=virtio\n"));
    let host = Host::on_lvm().pve(GUEST, "machine: enable-s3=1,type=q35\n");
    let plan = host.set("machine=i440fx").plan();
    assert!(plan.text(GUEST).contains("machine: pc,enable-s3=1\n"));
}

#[test]
fn a_rom_never_takes_the_place_of_another_file() {
    let with = |name: &str| {
        let mut host = Host::on_lvm();
        host.choice.rom = Some(RomFile {
            path: name.to_owned(),
            ..rom(b"no rom at all")
        });
        host.choice.accepted.insert("rom-bad".to_owned());
        host
    };
    let firmware = |host: Host| host.file("usr/share/kvm/efi-e1000.rom", "QEMU's own");
    let plan = firmware(with("/stick/efi-e1000.rom")).plan();
    assert_eq!(plan.refused(), ["rom-name-taken"]);
    assert!(!plan.changes_file("/usr/share/kvm/efi-e1000.rom"));
    // With the ending, no name is that of firmware for the guest itself.
    assert!(
        with("/stick/bios.bin")
            .plan()
            .changes_file("/usr/share/kvm/bios.bin.rom")
    );
    let same = with("/stick/card.rom").file("usr/share/kvm/card.rom", "no rom at all");
    assert!(!same.plan().is_refused());
    let unread = with("/stick/card.rom").unreadable("usr/share/kvm/card.rom");
    assert_eq!(unread.plan().refused(), ["file-unread"]);
}

/// The line of the guest's file after a plan.
fn line(host: &Host) -> String {
    let text = host.plan().text(GUEST);
    let line = text.lines().find(|line| line.starts_with("hostpci"));
    line.unwrap().to_owned()
}

#[test]
fn a_line_that_contradicts_what_is_chosen_is_put_right() {
    let on = |line: &str| Host::on_lvm().pve(GUEST, &format!("{line}\nmachine: q35\n"));
    assert_eq!(
        line(&on("hostpci0: 01:00.0,pcie=1")),
        "hostpci0: 0000:01:00,pcie=1"
    );
    let plain = Host::on_lvm().pve(GUEST, "hostpci0: 01:00,pcie=1\nmemory: 512\n");
    assert_eq!(line(&plain), "hostpci0: 01:00");
    assert_eq!(
        line(&on("hostpci0: 01:00,pcie=1,x-vga=1").set("x-vga=no")),
        "hostpci0: 01:00,pcie=1"
    );
    assert_eq!(
        line(&on("hostpci0: 01:00,pcie=1,mdev=nvidia-35")),
        "hostpci0: 01:00,pcie=1"
    );
    assert_eq!(
        line(&on("hostpci0: 01:00,pcie=1").set("mapping=gpu")),
        "hostpci0: mapping=gpu,pcie=1"
    );
}

#[test]
fn the_cards_rom_is_shown_or_hidden_when_that_is_asked_for() {
    let on = |old: &str| Host::on_lvm().pve(GUEST, &format!("{old}machine: q35\n"));
    let of = |old: &str, setting: &str| line(&on(old).set(setting));
    let card = "hostpci0: 0000:01:00,pcie=1";
    assert_eq!(of("", "rombar=no"), format!("{card},rombar=0"));
    assert_eq!(of("", "rombar=yes"), format!("{card},rombar=1"));
    assert_eq!(of("", "rombar=leave"), card);
    let hidden = format!("{card},rombar=0\n");
    assert_eq!(of(&hidden, "rombar=yes"), format!("{card},rombar=1"));
    assert!(!on(&hidden).plan().changes_file(GUEST));
}

#[test]
fn the_card_is_the_first_display_where_the_guest_has_no_other_or_that_is_asked_for() {
    let on = |vga: &str| Host::on_lvm().pve(GUEST, &format!("machine: q35\nvga: {vga}\n"));
    let card = "hostpci0: 0000:01:00,pcie=1";
    assert_eq!(line(&on("none")), format!("{card},x-vga=1"));
    assert_eq!(line(&on("none").set("x-vga=no")), card);
    assert_eq!(line(&on("std")), card);
    assert_eq!(line(&on("std").set("x-vga=yes")), format!("{card},x-vga=1"));
}

#[test]
fn a_card_that_is_given_function_by_function_stays_so() {
    let host = Host::on_lvm().pve(
        GUEST,
        "hostpci0: 01:00.0\nhostpci1: 01:00.1\nmachine: q35\n",
    );
    assert_eq!(
        host.plan().text(GUEST),
        "hostpci0: 01:00.0,pcie=1\nhostpci1: 01:00.1,pcie=1\nmachine: q35\n"
    );
}

#[test]
fn a_mapping_that_the_guest_has_already_is_the_card() {
    let host = Host::on_lvm()
        .pve(
            "mapping/pci.cfg",
            "gpu\n\tmap id=10de:1b80,node=pve,path=0000:01:00\n",
        )
        .pve(GUEST, "hostpci2: mapping=gpu\nmachine: q35\n");
    assert_eq!(line(&host), "hostpci2: mapping=gpu,pcie=1");
}

#[test]
fn what_the_guest_has_already_is_no_change_when_it_is_asked_for() {
    let of = |file: &str, settings: [&str; 2]| {
        let host = Host::on_lvm().pve(GUEST, file);
        let plan = host.set(settings[0]).set(settings[1]).plan();
        let changes = plan.warnings.iter();
        let changes = changes.filter(|warning| warning.contains("changes: a system"));
        (plan.text(GUEST), changes.count())
    };
    let i440fx = ["machine=i440fx", "bios=seabios"];
    let card = "hostpci0: 0000:01:00";
    assert_eq!(
        of("memory: 512\n", i440fx),
        (format!("{card}\nmemory: 512\n"), 0)
    );
    for machine in ["pc-i440fx-9.0", "pc", "viommu=virtio"] {
        let file = format!("bios: seabios\nmachine: {machine}\n");
        let after = format!("bios: seabios\n{card}\nmachine: {machine}\n");
        assert_eq!(of(&file, i440fx), (after, 0));
    }
    let q35 = ["machine=q35", "bios=ovmf"];
    let file = "bios: ovmf\nmachine: pc-q35-8.1\n";
    assert_eq!(of(file, q35).1, 0);
    assert_eq!(of(file, i440fx).1, 2);
    assert_eq!(of("memory: 512\n", q35).1, 2);
}

#[test]
fn a_guest_that_is_not_told_of_kvm_keeps_its_model() {
    let of = |file: &str| {
        let plan = Host::on_lvm().pve(GUEST, file).set("hide-kvm=yes").plan();
        let text = plan.text(GUEST);
        let cpu = text.lines().find(|line| line.starts_with("cpu:"));
        cpu.unwrap().to_owned()
    };
    let hidden = "hidden=1,hv-vendor-id=preflight";
    assert_eq!(of("memory: 512\n"), format!("cpu: kvm64,{hidden}"));
    let newer = "cpu: x86-64-v2-AES,flags=+pcid";
    assert_eq!(of(&format!("{newer}\n")), format!("{newer},{hidden}"));
}

/// A host whose plan has a ROM that is taken as said.
fn with_rom(mut host: Host) -> Host {
    host.choice.rom = Some(rom(b"no rom at all"));
    host.choice.accepted.insert("rom-bad".to_owned());
    host
}

fn target(host: &Host) -> Option<pci::Address> {
    crate::rom_target(&host.machine, &host.choice).map(|function| function.address)
}

#[test]
fn the_rom_goes_to_the_function_that_it_is_judged_for_and_to_no_other() {
    let mut nic =
        with_rom(Host::on_lvm().function("0000:05:00.0", 0x02_00_00, (0x8086, 0x10fb), 5));
    nic.choice.devices = vec![address("0000:05:00.0")];
    assert_eq!(
        line(&nic),
        "hostpci0: 0000:05:00.0,pcie=1,romfile=my_card.rom"
    );
    assert_eq!(target(&nic), Some(address("0000:05:00.0")));
    nic.choice.devices.push(address(GPU));
    let text = nic.plan().text(GUEST);
    assert_eq!(text.matches("romfile").count(), 1, "{text}");
    assert!(text.contains("0000:01:00,pcie=1,romfile"), "{text}");
    assert_eq!(target(&nic), Some(address(GPU)));
    // What was not chosen is not what the ROM is for.
    let mut audio = Host::on_lvm().set("functions=chosen");
    audio.choice.devices = vec![address(crate::testing::AUDIO)];
    assert_eq!(target(&audio), Some(address(crate::testing::AUDIO)));
}

#[test]
fn a_rom_that_two_displays_could_have_is_given_to_neither() {
    let plan = with_rom(two_cards()).plan();
    assert_eq!(plan.refused(), ["rom-not-for-one"]);
    assert_eq!(plan.refusals[1].evidence.len(), 3);
    assert!(!plan.text(GUEST).contains("romfile"));
    assert!(!plan.changes_file("/usr/share/kvm/my_card.rom"));
}

#[test]
fn of_a_card_that_is_given_whole_only_the_first_function_can_have_a_rom() {
    let host = || {
        with_rom(Host::on_lvm())
            .on(GPU, |function| function.class = pci::ClassCode(0x0c_03_30))
            .on(crate::testing::AUDIO, |function| {
                function.class = pci::ClassCode(0x03_00_00)
            })
    };
    assert_eq!(host().plan().refused(), ["rom-not-for-one"]);
    let mut each = host().set("functions=chosen");
    each.choice.devices = vec![address(crate::testing::AUDIO)];
    assert_eq!(
        line(&each),
        "hostpci0: 0000:01:00.1,pcie=1,romfile=my_card.rom"
    );
}

/// What is said of the guest's firmware, where the card's own ROM is this one.
fn said_of_firmware(bios: &str, maker: RomMaker) -> Option<String> {
    let host = Host::on_lvm().pve(GUEST, &format!("bios: {bios}\nmemory: 512\n"));
    let warnings = host.rom(GPU, maker.build()).plan().warnings;
    let mut said = warnings
        .into_iter()
        .filter(|text| text.contains("shows nothing on it"));
    let first = said.next();
    assert_eq!(said.next(), None);
    first
}

#[test]
fn a_rom_that_the_guests_firmware_does_not_run_is_said_with_the_firmware_that_does() {
    let empty = || RomMaker::new(pci::FunctionId::new(0x10de, 0x1b80));
    let x86 = || empty().legacy(1024);
    let efi = || empty().efi(EfiImage::x64());
    let for_seabios = said_of_firmware("ovmf", x86()).unwrap();
    assert!(
        for_seabios.contains("no EFI image, so OVMF"),
        "{for_seabios}"
    );
    assert!(for_seabios.contains("--set bios=seabios"), "{for_seabios}");
    let for_ovmf = said_of_firmware("seabios", efi()).unwrap();
    assert!(
        for_ovmf.contains("EFI image alone, so SeaBIOS"),
        "{for_ovmf}"
    );
    assert!(for_ovmf.contains("--set bios=ovmf"), "{for_ovmf}");
    for (bios, fitting) in [
        ("ovmf", efi()),
        ("seabios", x86()),
        ("ovmf", x86().efi(EfiImage::x64())),
        ("seabios", x86().efi(EfiImage::x64())),
    ] {
        assert_eq!(said_of_firmware(bios, fitting), None, "{bios}");
    }
}

#[test]
fn the_firmware_that_is_asked_for_is_the_one_that_the_rom_is_held_against() {
    let x86 = RomMaker::new(pci::FunctionId::new(0x10de, 0x1b80)).legacy(1024);
    let host = Host::on_lvm().rom(GPU, x86.build());
    let said = |host: Host| {
        let warnings = host.plan().warnings;
        warnings
            .iter()
            .any(|text| text.contains("so OVMF shows nothing"))
    };
    assert!(!said(host.set("bios=seabios")));
    let seabios = Host::on_lvm().pve(GUEST, "memory: 512\n");
    assert!(said(seabios.rom(GPU, x86.build()).set("bios=ovmf")));
}

#[test]
fn of_the_firmwares_display_a_clean_copy_is_named_where_one_was_read() {
    let said = |host: Host| {
        let warnings = host.plan().warnings;
        let mut own = warnings.into_iter();
        own.find(|text| text.contains("may be a changed copy"))
            .unwrap()
    };
    let whole = RomMaker::new(pci::FunctionId::new(0x10de, 0x1b80)).efi(EfiImage::x64());
    let clean = "A clean one was read from the ROM BAR";
    assert!(said(boot_display().rom(GPU, whole.build())).contains(clean));
    let shadow = || {
        let x86 = RomMaker::new(pci::FunctionId::new(0x10de, 0x1b80)).legacy(1024);
        let mut host = boot_display().rom(GPU, x86.build());
        for reading in host.roms.iter_mut().flatten() {
            reading.taint = Some("the legacy copy".to_owned());
        }
        host
    };
    let advised = |host: &Host| {
        let assessment = assess::assess(&host.machine, host.roms.as_deref(), &assess::NoNames);
        crate::rom_advised(&host.machine, &assessment, &host.choice)
    };
    assert!(
        advised(&boot_display().rom(GPU, whole.build())).is_some_and(|why| why.contains(clean))
    );
    let broken = boot_display().rom(GPU, vec![0; 512]);
    for host in [boot_display(), shadow(), broken] {
        assert_eq!(advised(&host), None);
        assert!(said(host).ends_with("Give a clean one with --rom."));
    }
    // What the card itself shows is as good.
    assert_eq!(advised(&Host::on_lvm().rom(GPU, whole.build())), None);
    // That it has no EFI image says nothing of the card.
    let warnings = shadow().plan().warnings;
    assert!(
        !warnings
            .iter()
            .any(|text| text.contains("so OVMF shows nothing"))
    );
}
