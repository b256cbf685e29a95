//! A plan that the image makes for the system on the disk, on the machine that the system is on.

use std::time::Duration;

use cards::profiles::nvidia_gtx650;
use qemu_tests::golden::Golden;
use qemu_tests::{
    Boot, Device, Failure, Images, Iommu, Milestone, Port, Run, ServedCard, Stick, skip,
};

use crate::lab::Lab;
use crate::untouched::Harm;

/// On the reference machine, some ten times what is seen there.
const A_PROMPT: Duration = Duration::from_secs(120);
const A_PLAN: Duration = Duration::from_secs(300);

/// Behind the second port: the system's own network card is behind the first.
const CARD: &str = "0000:02:00.0";

/// Exit status and all that a command prints, on the shell of the stick.
fn ask(run: &mut Run, command: &str) -> Result<(i32, String), Failure> {
    run.type_text(&format!(
        "{command} > /run/said 2>&1; printf '\\n<begin %s>\\n' $?; cat /run/said; printf '<%s>\\n' end\r"
    ))?;
    run.wait(command, A_PLAN, |run| {
        let spoken = run.serial().spoken().replace('\r', "");
        let (_, rest) = spoken.split_once("\n<begin ")?;
        let (status, rest) = rest.split_once(">\n")?;
        let (said, _) = rest.split_once("<end>")?;
        Some(Ok((status.parse().unwrap(), said.to_owned())))
    })
}

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
    let images = Images::find().unwrap();
    let boot = Boot::new("installed-planned", &images, machine).option("preflight.mode=shell");
    let mut run = boot.deadlines(lab.patient()).start(&lab.qemu).unwrap();
    run.wait_milestone(Milestone::Settled).unwrap();
    run.wait_text("preflight# ", A_PROMPT).unwrap();
    let plan = format!("preflight plan --root auto --device {CARD} --vm 102");
    let (status, said) = ask(&mut run, &plan).unwrap();
    println!("{said}");
    let harm = Harm::counted_of_disks(&mut run);
    drop(run);
    assert_eq!(harm.and_in(&lab.qemu, &disks), Harm::default());
    // The packages of the day have another kernel.
    let mut told = said;
    for kernel in &installed.manifest.kernels {
        told = told.replace(kernel.as_str(), "KERNEL");
    }
    insta::assert_snapshot!(told);
    assert_eq!(status, 0);
}
