use std::time::Duration;

use qemu_tests::{Device, Disk, Machine, Run, Stick};
use serde_json::json;

use crate::lab::{A_MOMENT, Lab, says};

/// An NVMe, an AHCI and a virtio disk, each with an ext4 whose journal waits for a replay.
struct Dirty {
    disks: [Disk; 3],
    machine: Machine,
}

fn dirty(lab: &Lab) -> Dirty {
    let disk = |name| Disk::dirty_ext4(lab.folder(), name).unwrap();
    let [nvme, sata, virtio] = ["nvme", "sata", "virtio"].map(disk);
    let image = |disk: &Disk| disk.path().to_owned();
    let machine = Machine::q35()
        .display(Device::StandardVga)
        .integrated(Device::Nvme {
            image: image(&nvme),
        })
        .integrated(Device::VirtioBlock {
            image: image(&virtio),
        })
        .sata(&sata);
    Dirty {
        disks: [nvme, sata, virtio],
        machine,
    }
}

fn hashes(disks: &[Disk]) -> Vec<String> {
    disks.iter().map(|disk| disk.sha256().unwrap()).collect()
}

#[test]
fn dirty_disks_have_the_same_bytes_after_a_look_as_before() {
    let Some(lab) = Lab::open() else { return };
    let Dirty { disks, machine } = dirty(&lab);
    let before = hashes(&disks);
    let stick = Stick::new(lab.folder()).unwrap();
    let session = lab.look(lab.boot("disks-look", machine.stick(&stick)));
    // They were there to be seen, and the stick was written at the same time.
    let held = "Held read-only: nvme0n1, sda, vda";
    assert!(says(&session.serial, held), "{}", session.serial);
    assert!(session.result.saved.is_some());
    assert_eq!(hashes(&disks), before);
}

/// Types a command and waits for its exit status.
fn status(run: &mut Run, command: &str) -> i32 {
    let before = run.serial().text().len();
    run.type_text(&format!("{command}; echo STATUS=$?.\r"))
        .unwrap();
    let answer = |text: &str| {
        let (_, rest) = text.split_once("\nSTATUS=")?;
        rest.split_once('.')?.0.parse().ok()
    };
    run.wait(command, A_MOMENT, |run| {
        let text = run.serial().text();
        answer(text.get(before..)?).map(Ok)
    })
    .unwrap()
}

#[test]
fn a_write_to_a_disk_from_the_shell_is_refused() {
    let Some(lab) = Lab::open() else { return };
    let Dirty { disks, machine } = dirty(&lab);
    let before = hashes(&disks);
    let boot = lab
        .boot("disks-shell", machine)
        .option("preflight.mode=shell");
    let mut run = lab.start(boot);
    run.wait_text("preflight# ", Duration::from_secs(120))
        .unwrap();

    let write = |node: &str| format!("dd if=/bin/busybox of={node} bs=4096 count=4 conv=fsync");
    for node in ["nvme0n1", "nvme0n1p1", "sda", "sda1", "vda", "vda1"] {
        let node = format!("/dev/{node}");
        assert_eq!(status(&mut run, &format!("test -b {node}")), 0, "{node}");
        assert_ne!(status(&mut run, &write(&node)), 0, "{node}");
    }
    assert_eq!(status(&mut run, "sync"), 0);
    assert_eq!(hashes(&disks), before);

    // The same write, once a person has lifted the flag, arrives: so it was the flag that refused it.
    assert_eq!(status(&mut run, "blockdev --setrw /dev/vda"), 0);
    assert_eq!(status(&mut run, &write("/dev/vda")), 0);
    let after = hashes(&disks);
    assert_eq!(after[..2], before[..2]);
    assert_ne!(after[2], before[2]);
}

#[test]
fn a_disk_that_is_plugged_in_later_is_held_read_only_too() {
    let Some(lab) = Lab::open() else { return };
    let disk = Disk::blank(lab.folder(), "late").unwrap();
    let before = disk.sha256().unwrap();
    let stick = Stick::new(lab.folder()).unwrap();
    let boot = lab
        .boot("disks-late", Machine::q35().stick(&stick))
        .option("preflight.mode=shell");
    let mut run = lab.start(boot);
    run.wait_text("preflight# ", Duration::from_secs(120))
        .unwrap();
    run.qmp(
        "blockdev-add",
        json!({"driver": "raw", "node-name": "late",
               "file": {"driver": "file", "filename": disk.path()}}),
    )
    .unwrap();
    run.qmp(
        "device_add",
        json!({"driver": "usb-storage", "drive": "late", "id": "late"}),
    )
    .unwrap();
    run.wait_text("sdb is held read-only", A_MOMENT).unwrap();
    for node in ["/dev/sdb", "/dev/sdb1"] {
        let write = format!("dd if=/bin/busybox of={node} bs=4096 count=4 conv=fsync");
        assert_ne!(status(&mut run, &write), 0, "{node}");
    }
    assert_eq!(disk.sha256().unwrap(), before);
}

#[test]
fn leaving_a_shell_brings_the_menu_back_and_its_keys_work() {
    let Some(lab) = Lab::open() else { return };
    let boot = lab
        .boot("shell-menu", Machine::q35().display(Device::StandardVga))
        .option("preflight.mode=shell")
        .option("preflight.end=menu");
    let mut run = lab.start(boot);
    let seen = |run: &mut Run, words: &'static str, times: usize| {
        run.wait(words, A_MOMENT * 12, |run| {
            (run.serial().text().matches(words).count() >= times).then_some(Ok(()))
        })
        .unwrap();
    };
    seen(&mut run, "preflight# ", 1);
    run.type_text("exit\r").unwrap();
    seen(&mut run, "p  power off", 1);
    run.type_text("s").unwrap();
    seen(&mut run, "preflight# ", 2);
    run.type_text("exit\r").unwrap();
    seen(&mut run, "p  power off", 2);
    run.type_text("p").unwrap();
    run.wait_end().unwrap();
}
