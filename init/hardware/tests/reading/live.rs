//! The machine that runs the tests, whatever it is.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use crate::sys::Sys;
use hardware::{Machine, Names, Reading, RomSource, Source, kernel_log, read, rom};

const NOBODY: u32 = 65534;

/// This machine, or none where it has no PCI at all.
fn this_machine() -> Option<Machine> {
    read(&Source::live())
        .map_err(|error| println!("skipped: {error}"))
        .ok()
}

fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

#[test]
fn every_function_of_this_machine_is_read() {
    let Some(machine) = this_machine() else {
        return;
    };
    let listed = fs::read_dir("/sys/bus/pci/devices").unwrap().count();
    assert_eq!(machine.functions.len(), listed);
    for function in &machine.functions {
        let path = format!("/sys/bus/pci/devices/{}", function.address);
        let vendor = fs::read_to_string(format!("{path}/vendor")).unwrap();
        assert_eq!(format!("0x{}", function.id.vendor), vendor.trim());
        assert!(function.bars.known().is_some() && function.parent.is_unknown().eq(&false));
        let config = function.config.known().unwrap();
        assert_eq!(
            config.u16(0),
            Some(function.id.vendor.0),
            "{}",
            function.address
        );
        assert_eq!(config.bytes().len() >= 256, is_root());
        let driver = fs::read_link(format!("{path}/driver")).ok();
        let driver = driver.map(|link| link.file_name().unwrap().to_str().unwrap().to_owned());
        assert_eq!(function.driver.known(), driver.as_ref());
    }
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    assert_eq!(machine.kernel.release.known().unwrap(), release.trim());
    assert!(machine.cpu.model.known().is_some());
}

#[test]
fn the_kernel_log_is_read_by_root_and_looks_like_dmesg() {
    match kernel_log(&Source::live()) {
        Reading::Known(log) => assert!(log.lines().all(|line| line.starts_with('[')), "{log}"),
        Reading::Unknown(why) => assert!(!is_root() || why.contains("/dev/kmsg"), "{why}"),
        Reading::Absent => panic!("absent"),
    }
}

#[test]
fn reading_the_machine_twice_gives_the_same() {
    let (Some(first), Some(second)) = (this_machine(), this_machine()) else {
        return;
    };
    assert_eq!(first.functions, second.functions);
    assert_eq!(first.tables, second.tables);
}

#[test]
fn no_rom_is_read_while_a_driver_is_bound() {
    let Some(mut machine) = this_machine() else {
        return;
    };
    machine
        .functions
        .retain(|function| function.driver.known().is_some());
    for reading in rom::read_all(&Source::live(), &machine.functions, &mut |_| {}) {
        if reading.source != RomSource::EfiStub && reading.source != RomSource::Vfct {
            assert!(reading.bytes.unwrap_err().why.contains("is bound"));
        }
    }
}

/// What a copy of this machine's /sys keeps must read the same as the running one.
#[test]
fn a_copy_without_links_reads_like_the_machine_it_was_made_of() {
    let Some(live) = this_machine() else { return };
    let sys = Sys::new();
    for function in &live.functions {
        let folder = format!("bus/pci/devices/{}", function.address);
        copy_files(&Path::new("/sys").join(&folder), &sys, &folder);
    }
    for folder in ["firmware/acpi/tables", "firmware/memmap", "class/dmi/id"] {
        copy_files(&Path::new("/sys").join(folder), &sys, folder);
    }
    for group in fs::read_dir("/sys/kernel/iommu_groups")
        .into_iter()
        .flatten()
        .flatten()
    {
        let folder = format!(
            "kernel/iommu_groups/{}",
            group.file_name().to_str().unwrap()
        );
        copy_files(&group.path(), &sys, &folder);
        for member in fs::read_dir(group.path().join("devices"))
            .unwrap()
            .flatten()
        {
            sys.folder(&format!(
                "{folder}/devices/{}",
                member.file_name().to_str().unwrap()
            ));
        }
    }
    sys.folder("kernel/iommu_groups")
        .folder("class/iommu")
        .folder("bus/pci/slots");
    for slot in fs::read_dir("/sys/bus/pci/slots")
        .into_iter()
        .flatten()
        .flatten()
    {
        let folder = format!("bus/pci/slots/{}", slot.file_name().to_str().unwrap());
        copy_files(&slot.path(), &sys, &folder);
    }
    for unit in fs::read_dir("/sys/class/iommu")
        .into_iter()
        .flatten()
        .flatten()
    {
        sys.folder(&format!(
            "class/iommu/{}",
            unit.file_name().to_str().unwrap()
        ));
    }
    for file in ["cpuinfo", "iomem", "cmdline", "sys/kernel/osrelease"] {
        sys.file(
            &format!("proc/{file}"),
            fs::read(Path::new("/proc").join(file)).unwrap(),
        );
    }
    let copy = sys.read();
    assert_eq!(copy.functions, live.functions);
    assert_eq!(
        (copy.groups, copy.iommu_units),
        (live.groups, live.iommu_units)
    );
    assert_eq!((copy.cpu, copy.framebuffers), (live.cpu, live.framebuffers));
    assert_eq!(copy.kernel.release, live.kernel.release);
    if is_root() {
        assert_eq!(copy.tables, live.tables);
    }
}

/// Copies the regular files of a folder that can be read, without those that a read or the time
/// changes.
fn copy_files(from: &Path, sys: &Sys, to: &str) {
    for entry in fs::read_dir(from).into_iter().flatten().flatten() {
        let name = entry.file_name().to_str().unwrap().to_owned();
        if entry.file_type().unwrap().is_file()
            && name != "rom"
            && let Ok(content) = fs::read(entry.path())
        {
            sys.file(&format!("{to}/{name}"), content);
        }
    }
}

#[test]
fn names_of_this_system_are_found_where_it_has_them() {
    let Some(names) = Names::find() else {
        return println!("skipped: no pci.ids");
    };
    assert!(
        names
            .vendor(pci::VendorId(0x8086))
            .unwrap()
            .contains("Intel")
    );
    let e1000 = names.device(pci::FunctionId::new(0x8086, 0x100e)).unwrap();
    assert!(e1000.contains("82540EM"), "{e1000}");
    assert_eq!(
        names.class(pci::ClassCode(0x03_00_00)),
        Some("VGA controller")
    );
}

/// Runs itself again as nobody; the second run is the one that looks.
#[test]
fn a_user_is_told_what_needs_root() {
    if !is_root() {
        return assert_needs_root();
    }
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let program = folder.path().join("test");
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let run = Command::new(&program)
        .args([
            "--exact",
            "live::a_user_is_told_what_needs_root",
            "--nocapture",
        ])
        .current_dir("/")
        .uid(NOBODY)
        .gid(NOBODY)
        .output()
        .unwrap();
    let output = String::from_utf8_lossy(&run.stdout);
    assert!(
        run.status.success() && output.contains("1 passed"),
        "{output}"
    );
}

fn assert_needs_root() {
    let Some(machine) = this_machine() else {
        return;
    };
    let because = |why: &str| assert!(why.contains("needs root"), "{why}");
    let Reading::Unknown(why) = &machine.framebuffers else {
        panic!("{:?}", machine.framebuffers)
    };
    because(why);
    for (name, table) in machine.tables.known().into_iter().flatten() {
        let Reading::Unknown(why) = table else {
            panic!("{name}: {table:?}")
        };
        because(why);
    }
    for function in &machine.functions {
        let config = function.config.known().unwrap();
        assert_eq!(config.bytes().len(), 64);
        assert_eq!(config.extended_capabilities(), None);
    }
    for reading in rom::read_all(&Source::live(), &machine.functions, &mut |_| {}) {
        let is_file = matches!(reading.source, RomSource::EfiStub | RomSource::Vfct);
        assert!(is_file || reading.bytes.is_err());
        assert!(reading.not_restored.is_empty());
    }
}
