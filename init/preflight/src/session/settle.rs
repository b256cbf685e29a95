use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use storage::DataPlace;

use super::devices::Devices;

/// Without an event for so long, what was going on has ended.
const QUIET: Duration = Duration::from_millis(400);
/// The same where nothing can come by itself: what was sent already is then taken in.
const SHORT: Duration = Duration::from_millis(10);
/// Between two looks at what has come.
const A_MOMENT: Duration = Duration::from_millis(50);
/// The same while modules are loaded, and where nothing can come.
const AN_INSTANT: Duration = Duration::from_millis(5);
/// Where the kernel has what brings disks and keyboards in its own time, after its driver was loaded. Hyper-V's bus has
/// no device yet when its driver has asked for them.
const BRING_DISKS: &[&str] = &[
    "bus/vmbus",
    "bus/xen/devices",
    "bus/usb/devices",
    "bus/thunderbolt/devices",
    "class/ata_port",
    "class/block",
    "class/mmc_host",
    "class/nvme",
    "class/scsi_host",
];
/// A hub needs so long to show a stick after its host controller came up (USB 2.0 specification, 7.1.7.3,
/// debounce and reset on two levels of hubs, with room).
const STICK_MAY_COME: Duration = Duration::from_secs(4);
/// Longest wait of all.
const DEADLINE: Duration = Duration::from_secs(20);
/// A module that takes longer may be held by a disk.
const SLOW_MODULE: Duration = Duration::from_secs(2);

/// Waits until devices are ready, and says when those that were there at the start have been seen to.
/// Returns what it still waited for when the time ran out, in words.
pub fn wait(devices: &Devices, data: &DataPlace, coldplugged: &mut dyn FnMut()) -> Option<String> {
    let started = Instant::now();
    let mut told = false;
    let mut asked = started;
    loop {
        if !told && devices.coldplugged() {
            told = true;
            coldplugged();
        }
        // Of a disk whose partitions it still reads the kernel sends no event.
        if !devices.loading().is_empty() && asked.elapsed() > SLOW_MODULE {
            asked = Instant::now();
            devices.hold_all();
        }
        let may_come = bring_disks(Path::new("/sys"));
        let missing = missing(devices, data, may_come, started.elapsed())?;
        if started.elapsed() > DEADLINE {
            return Some(format!(
                "after {} s there is still no end: {missing}",
                DEADLINE.as_secs()
            ));
        }
        thread::sleep(if told && may_come {
            A_MOMENT
        } else {
            AN_INSTANT
        });
    }
}

/// `may_come`: whether a disk or keyboard could still come by itself.
fn missing(
    devices: &Devices,
    data: &DataPlace,
    may_come: bool,
    waited: Duration,
) -> Option<String> {
    let mut going_on = Vec::new();
    for module in devices.loading() {
        going_on.push(format!("the module {module} is being loaded"));
    }
    if going_on.is_empty() && !devices.coldplugged() {
        going_on.push("modules are being loaded".to_owned());
    }
    for disk in devices.holding() {
        going_on.push(format!("the disk {disk} does not answer"));
    }
    if !going_on.is_empty() {
        return Some(going_on.join(", "));
    }
    let quiet = if may_come { QUIET } else { SHORT };
    if !devices.all_done() || devices.quiet_for() < quiet {
        return Some("devices keep coming and going".to_owned());
    }
    let waiting = usb_storage_without_disk(Path::new("/sys/bus/usb/devices"));
    if let Some(interface) = waiting.first() {
        return Some(format!(
            "USB storage at {} has not shown its disk",
            interface.display()
        ));
    }
    let has_usb = fs::read_dir("/sys/bus/usb/devices").is_ok_and(|mut hubs| hubs.next().is_some());
    let stick = storage::find_stick(Path::new("/sys"), data).ok().flatten();
    if stick.is_none() && has_usb && waited < STICK_MAY_COME {
        return Some("no stick has come up".to_owned());
    }
    None
}

/// Whether the machine has anything that could still bring a disk or keyboard.
fn bring_disks(sys: &Path) -> bool {
    let mut folders = BRING_DISKS.iter();
    folders.any(|folder| {
        fs::read_dir(sys.join(folder)).is_ok_and(|mut devices| devices.next().is_some())
    })
}

/// USB interfaces of class 08 (mass storage) below which no block device stands yet.
fn usb_storage_without_disk(usb: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(usb).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.path())
        .filter(|interface| {
            fs::read_to_string(interface.join("bInterfaceClass"))
                .is_ok_and(|class| class.trim() == "08")
        })
        .filter(|interface| interface.join("driver").exists() && !has_block_device(interface, 0))
        .collect()
}

/// `host6/target6:0:0/6:0:0:0/block/sdb`, and with UAS the same.
fn has_block_device(folder: &Path, depth: usize) -> bool {
    if depth > 4 {
        return false;
    }
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .any(|entry| entry.file_name() == "block" || has_block_device(&entry.path(), depth + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_waits_for_quiet_as_soon_as_it_has_one_thing_that_brings_disks() {
        let sys = tempfile::tempdir().unwrap();
        assert!(!bring_disks(sys.path()));
        fs::create_dir_all(sys.path().join("class/scsi_host")).unwrap();
        assert!(!bring_disks(sys.path()));
        fs::create_dir_all(sys.path().join("class/scsi_host/host0")).unwrap();
        assert!(bring_disks(sys.path()));
    }

    #[test]
    fn usb_storage_is_waited_for_until_its_disk_is_there() {
        let root = tempfile::tempdir().unwrap();
        let interface = root.path().join("2-1:1.0");
        fs::create_dir_all(interface.join("driver")).unwrap();
        fs::write(interface.join("bInterfaceClass"), "08\n").unwrap();
        let keyboard = root.path().join("1-1:1.0");
        fs::create_dir_all(keyboard.join("driver")).unwrap();
        fs::write(keyboard.join("bInterfaceClass"), "03\n").unwrap();
        assert_eq!(
            usb_storage_without_disk(root.path()),
            std::slice::from_ref(&interface)
        );
        fs::create_dir_all(interface.join("host6/target6:0:0/6:0:0:0/block/sdb")).unwrap();
        assert!(usb_storage_without_disk(root.path()).is_empty());
    }
}
