//! A plan that the image makes for the system on the disk, on the machine that the system is on.

use std::time::Duration;

use cards::profiles::nvidia_gtx650;
use qemu_tests::golden::Golden;
use qemu_tests::{Boot, Device, Images, Iommu, Port, ServedCard, Stick, StickShell, skip};

use crate::lab::Lab;
use crate::untouched::Harm;

/// On the reference machine, some ten times what is seen there.
const A_PLAN: Duration = Duration::from_secs(300);

/// Behind the second port: the system's own network card is behind the first.
const CARD: &str = "0000:02:00.0";

#[test]
fn a_card_is_planned_for_a_guest_of_the_system_on_the_disk_and_nothing_is_written() {
    let Some((lab, [installed])) = Lab::with([Golden::LvmExt4Bios]) else {
        return;
    };
    if !lab.qemu.is_recent() {
        skip("this QEMU takes no card in software");
        return;
    }
    let card = ServedCard::start(&nvidia_gtx650()).unwrap();
    let disks = lab.overlays("planned", &installed.disks);
    let stick = Stick::new(lab.folder()).unwrap();
    let machine = installed.machine(&disks, lab.folder()).unwrap();
    let machine = machine
        .iommu(Iommu::Intel {
            interrupt_remapping: true,
        })
        .card(Port::RootPort, Device::Card(card))
        .stick(&stick);
    let images = Images::unpacked().unwrap();
    let boot = Boot::new("installed-planned", &images, machine).deadlines(lab.patient());
    let mut shell = StickShell::open(boot, &lab.qemu).unwrap();
    let plan = format!("preflight plan --root auto --device {CARD} --vm 102");
    let said = shell.ask(&plan, A_PLAN).unwrap();
    println!("{}", said.text);
    let harm = Harm::counted_of_disks(shell.run());
    drop(shell);
    assert_eq!(harm.and_in(&lab.qemu, &disks), Harm::default());
    // The packages of the day have another kernel.
    let mut told = said.text;
    for kernel in &installed.manifest.kernels {
        told = told.replace(kernel.as_str(), "KERNEL");
    }
    insta::assert_snapshot!(told);
    assert_eq!(said.status, 0);
}
