//! What is read of the machine as a whole: kernel, board, tables, groups, framebuffers, host devices.

use crate::sys::{Sys, at};
use hardware::{FirmwareKind, Reading, Source, kernel_log, read, rom};

/// A keyboard's bit map has all letters; the low word is printed last.
#[test]
fn an_iommu_that_is_off_shows_empty_lists_and_no_groups() {
    let sys = Sys::new();
    sys.function("0000:00:01.0", &[])
        .folder("kernel/iommu_groups")
        .folder("class/iommu");
    let machine = sys.read();
    assert_eq!(machine.iommu_units, Reading::Known(vec![]));
    assert_eq!(machine.groups, Reading::Known(vec![]));
    assert_eq!(at(&machine, "0000:00:01.0").group, Reading::Absent);
}

#[test]
fn groups_keep_their_numbers_and_regions_where_numbers_have_holes() {
    let sys = Sys::new();
    sys.function("0000:00:02.0", &[])
        .function("0000:01:00.0", &[])
        .function("0000:01:00.1", &[]);
    sys.folder("class/iommu/dmar0").folder("class/iommu/dmar1");
    for member in [
        "12/devices/0000:01:00.1",
        "12/devices/0000:01:00.0",
        "3/devices/0000:00:02.0",
    ] {
        sys.folder(&format!("kernel/iommu_groups/{member}"));
    }
    let line = "0x000000009d000000 0x000000009fffffff direct-relaxable\n";
    sys.file("kernel/iommu_groups/3/reserved_regions", line);
    let machine = sys.read();
    assert_eq!(machine.iommu_units.known().unwrap(), &["dmar0", "dmar1"]);
    let groups = machine.groups.known().unwrap();
    assert_eq!(
        groups.iter().map(|group| group.id).collect::<Vec<_>>(),
        [3, 12]
    );
    assert_eq!(
        groups[0].reserved_regions.known().unwrap()[0].kind,
        "direct-relaxable"
    );
    assert!(groups[1].reserved_regions.is_unknown());
    let members: Vec<String> = groups[1]
        .functions
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(members, ["0000:01:00.0", "0000:01:00.1"]);
    assert_eq!(at(&machine, "0000:01:00.1").group, Reading::Known(12));
}

#[test]
fn groups_come_from_the_functions_links_where_the_list_was_not_copied() {
    let sys = Sys::new();
    for (address, id) in [
        ("0000:00:01.0", 1),
        ("0000:01:00.0", 1),
        ("0000:02:00.0", 20),
    ] {
        sys.function(address, &[]).link(
            &format!("bus/pci/devices/{address}/iommu_group"),
            &format!("../../../kernel/iommu_groups/{id}"),
        );
    }
    let machine = sys.read();
    let sizes = machine
        .groups
        .known()
        .unwrap()
        .iter()
        .map(|group| (group.id, group.functions.len()));
    assert_eq!(sizes.collect::<Vec<_>>(), [(1, 2), (20, 1)]);
}

#[test]
fn tables_are_read_whole_but_for_machine_code_and_what_is_too_long() {
    let sys = Sys::new();
    for (name, length) in [
        ("DMAR", 120),
        ("DSDT", 9),
        ("SSDT12", 9),
        ("OEM1", (1 << 20) + 1),
    ] {
        sys.file(&format!("firmware/acpi/tables/{name}"), vec![7; length]);
    }
    sys.folder("firmware/acpi/tables/dynamic")
        .folder("firmware/acpi/tables/data");
    let machine = sys.read();
    let tables = machine.tables.known().unwrap();
    assert_eq!(tables.keys().collect::<Vec<_>>(), ["DMAR", "OEM1"]);
    assert_eq!(tables["DMAR"].known().unwrap().len(), 120);
    assert!(tables["OEM1"].is_unknown());
    assert!(Sys::new().read().tables.is_unknown());
}

#[test]
fn all_tables_together_have_a_limit() {
    let sys = Sys::new();
    for number in 0..9 {
        sys.file(
            &format!("firmware/acpi/tables/OEM{number}"),
            vec![7; 1 << 20],
        );
    }
    let machine = sys.read();
    let known = machine
        .tables
        .known()
        .unwrap()
        .values()
        .filter(|table| table.known().is_some());
    assert_eq!(known.count(), 8);
}

#[test]
fn firmware_is_told_by_its_folder_or_by_the_log() {
    assert_eq!(
        Sys::new().folder("firmware/efi").read().firmware.known(),
        Some(&FirmwareKind::Uefi)
    );
    let whole = Sys::new();
    whole.folder("firmware/acpi").folder("firmware/memmap");
    assert_eq!(whole.read().firmware.known(), Some(&FirmwareKind::Bios));
    let part = Sys::new();
    part.folder("firmware/acpi");
    assert!(part.read().firmware.is_unknown());
    part.file(
        "kernel.log",
        "[    0.000000] efi: EFI v2.70 by American Megatrends\n",
    );
    assert_eq!(part.read().firmware.known(), Some(&FirmwareKind::Uefi));
}

#[test]
fn kernel_and_processor_come_from_proc_and_else_from_the_log() {
    let sys = Sys::new();
    sys.file(
        "kernel.log",
        "[    0.000000] Linux version 6.8.12-4-pve (build@host) (gcc)\n\
        [    0.000000] Command line: BOOT_IMAGE=/vmlinuz quiet\n\
        [    0.010000] DMAR: IOMMU enabled\n\
        [    1.000000] usb 1-1: new device\n",
    );
    let kernel = sys.read().kernel;
    assert_eq!(kernel.release.known().unwrap(), "6.8.12-4-pve");
    assert_eq!(
        kernel.command_line.known().unwrap(),
        "BOOT_IMAGE=/vmlinuz quiet"
    );
    assert_eq!(kernel.log.known().unwrap(), &["DMAR: IOMMU enabled"]);
    let source = Source::folder(sys.path()).unwrap();
    assert!(kernel_log(&source).known().unwrap().contains("usb 1-1"));

    sys.file("proc/sys/kernel/osrelease", "6.1.0-44-amd64\n")
        .file("proc/cmdline", "quiet\n");
    sys.file(
        "proc/cpuinfo",
        "processor\t: 0\nvendor_id\t: GenuineIntel\nmodel name\t: Some CPU\n\
        flags\t\t: fpu vmx sse\n\nprocessor\t: 1\nvendor_id\t: GenuineIntel\n",
    );
    let machine = sys.read();
    assert_eq!(machine.kernel.release.known().unwrap(), "6.1.0-44-amd64");
    assert_eq!(machine.cpu.vendor.known().unwrap(), "GenuineIntel");
    assert_eq!(machine.cpu.model.known().unwrap(), "Some CPU");
    assert_eq!(machine.cpu.virtualization, Reading::Known(true));
    assert_eq!(machine.cpu.hypervisor, Reading::Known(false));
}

#[test]
fn proc_and_log_may_lie_beside_a_folder_named_sys() {
    let root = Sys::new();
    root.folder("capture/sys/bus/pci/devices/0000:00:01.0");
    root.file("capture/proc/cmdline", "quiet\n")
        .file("capture/kernel.log", "DMAR: IOMMU enabled\n");
    let machine = read(&Source::folder(&root.path().join("capture")).unwrap()).unwrap();
    assert_eq!(machine.functions.len(), 1);
    assert_eq!(machine.kernel.command_line.known().unwrap(), "quiet");
    assert_eq!(machine.kernel.log.known().unwrap().len(), 1);
}

#[test]
fn the_board_is_named_and_fillers_are_no_names() {
    let sys = Sys::new();
    sys.file("class/dmi/id/board_name", "B550 AORUS ELITE\n");
    sys.file("class/dmi/id/board_serial", "Default string\n");
    sys.file("class/dmi/id/bios_version", "F17\n");
    let board = sys.read().board;
    assert_eq!(board.name.known().unwrap(), "B550 AORUS ELITE");
    assert_eq!(board.serial, Reading::Absent);
    assert_eq!(board.bios_version.known().unwrap(), "F17");
    assert!(Sys::new().read().board.name.is_unknown());
}

#[test]
fn framebuffers_come_from_iomem() {
    let sys = Sys::new();
    sys.file(
        "proc/iomem",
        "d0000000-dfffffff : 0000:01:00.0\n  d0000000-d02fffff : efifb\n",
    );
    let machine = sys.read();
    let framebuffers = machine.framebuffers.known().unwrap();
    assert_eq!(framebuffers[0].owner, "efifb");
    assert!(Sys::new().read().framebuffers.is_unknown());
}

/// Lists a device in its class with a link to where it hangs, as /sys does.
#[test]
fn a_copy_has_no_roms_to_read() {
    let sys = Sys::new();
    sys.function("0000:01:00.0", &[("rom", "")]);
    let source = Source::folder(sys.path()).unwrap();
    let functions = sys.read().functions;
    assert!(functions[0].has_rom_file);
    let mut asked = 0;
    assert_eq!(rom::read_all(&source, &functions, &mut |_| asked += 1), []);
    assert_eq!(
        (
            asked,
            std::fs::read(sys.path().join("bus/pci/devices/0000:01:00.0/rom")).unwrap()
        ),
        (0, vec![])
    );
}
