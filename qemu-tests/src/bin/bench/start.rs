//! From the kernel's start to the finished report, in guest time, beside a kernel that does nothing more.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use qemu_tests::peers::SHELL_MARK;
use qemu_tests::{Boot, Device, Failure, Images, Machine, Port, Qemu, baseline, bench, card_rom};

use super::bound::{Bound, Limit};

/// What the kernel prints when it hands over to /init.
const HAND_OVER: &str = "as init process";

/// Seconds that an answer may take beyond the kernel's own time.
const ALLOWED: f64 = 0.3;

/// The shortest counts: the clock of a guest that has to wait for this machine jumps to the guest's next timer.
const RUNS: usize = 3;

/// Milestones that are named where the promise is missed; in their order.
const MILESTONES: [&str; 11] = [
    "init", "session", "roms", "answered", "coldplug", "settled", "read", "systems", "assessed",
    "unsaved", "shown",
];

/// What is measured.
#[derive(Args)]
pub struct Arguments {
    /// The kernel (bzImage)
    #[arg(long)]
    kernel: std::path::PathBuf,
    /// The initramfs
    #[arg(long)]
    initramfs: std::path::PathBuf,
}

/// Boots both.
pub fn run(arguments: &Arguments) -> Result<()> {
    print(&arguments.kernel, &[("", &arguments.initramfs)], None)
}

/// Times of the bare kernel, of our images, each with a word for what it is, and of Debian's initrd where there is
/// one; on a machine where no disk can be, and on one whose ports must be asked whether they have one.
pub fn print(kernel: &Path, ours: &[(&str, &Path)], debian: Option<&Path>) -> Result<()> {
    let qemu = Qemu::obtain()?;
    let folder = tempfile::tempdir()?;
    let bare = folder.path().join("bare.img");
    fs::write(&bare, baseline::image(&baseline_init()?)?)?;
    println!(
        "Guest time from the kernel's start, one instruction a nanosecond, idle time skipped."
    );
    let with_ports = machine(&qemu)?;
    let without = with_ports.clone().without_disk_controller();
    for (words, machine) in [
        (
            "A machine with neither disks nor USB: the report has nothing to wait for.",
            without,
        ),
        (
            "The same with six SATA ports and nothing at them, which is known when each has been asked.",
            with_ports,
        ),
    ] {
        println!("{words}");
        let start = |name: &str, initramfs: &Path| {
            let images = Images {
                kernel: kernel.to_owned(),
                initramfs: initramfs.to_owned(),
            };
            Boot::new(name, &images, machine.clone())
        };
        eprintln!("guest time: the bare kernel");
        let bare = || bench::guest_times(start("bench-bare", &bare), &qemu, [HAND_OVER]);
        let [floor] = shortest(bare, |[floor]| Some(*floor))?;
        line("bare kernel, to its init", floor);
        for (kind, image) in ours {
            eprintln!("guest time: our report {kind}");
            let boot = start("bench-report", image).option("preflight.end=poweroff");
            let report = || bench::stages(boot.clone(), &qemu, HAND_OVER);
            let times = shortest(report, |times| at(times, "shown").ok())?;
            print_ours(kind, floor, &times)?;
        }
        if let Some(debian) = debian {
            eprintln!("guest time: the shell of Debian's initrd");
            // With any value in panic=, the last one counting, Debian's initrd gives no shell.
            let boot = start("bench-debian", debian);
            let boot = boot.option("break=premount").option("panic=");
            let stages = || bench::guest_times(boot.clone(), &qemu, [HAND_OVER, SHELL_MARK]);
            let [hand_over, shell] = shortest(stages, |[_, shell]| Some(*shell))?;
            line("Debian's initrd, to its init", hand_over);
            line("Debian's initrd, to its shell before any mount", shell);
        }
    }
    Ok(())
}

/// What the shortest of [`RUNS`] boots gives; `length` tells how long one was, where it came to its end.
fn shortest<T>(
    boot: impl Fn() -> Result<T, Failure>,
    length: impl Fn(&T) -> Option<Duration>,
) -> Result<T> {
    let runs: Vec<T> = (0..RUNS).map(|_| boot()).collect::<Result<_, _>>()?;
    let runs = runs
        .into_iter()
        .filter_map(|run| Some((length(&run)?, run)));
    let shortest = runs.min_by_key(|(length, _)| *length);
    Ok(shortest.context("no boot came to its end")?.1)
}

fn print_ours(kind: &str, floor: Duration, times: &[(String, Duration)]) -> Result<()> {
    line(
        &format!("Preflight{kind}, to its init"),
        at(times, HAND_OVER)?,
    );
    for (milestone, what) in [("answered", "first answer"), ("shown", "finished report")] {
        let time = at(times, milestone)?;
        line(&format!("Preflight{kind}, to the {what}"), time);
        Bound {
            what: &format!("{what} over the bare kernel"),
            measured: time.saturating_sub(floor).as_secs_f64(),
            limit: Limit::AtMost(ALLOWED),
            unit: " s",
            why: stages(floor, time, times),
        }
        .print();
    }
    Ok(())
}

/// A card to judge, and no USB: a guest would wait for this machine's files, and its clock would jump. Its processor
/// has the instruction for randomness, as every one with an IOMMU for interrupts has; without it the kernel runs in
/// circles for a second to gather some.
fn machine(qemu: &Qemu) -> Result<Machine> {
    let rom = card_rom(qemu)?;
    let machine = Machine::q35()
        .processor("qemu64,+rdrand")
        .without_usb()
        .without_events()
        .display(Device::StandardVga);
    Ok(machine.card(Port::RootPort, Device::AtiVga { rom }))
}

fn line(what: &str, time: Duration) {
    println!("  {what:<52} {:>8.2} s", time.as_secs_f64());
}

fn at(times: &[(String, Duration)], name: &str) -> Result<Duration> {
    let found = times.iter().find(|(stage, _)| stage == name);
    let (_, time) = found.with_context(|| format!("there is no '{name}' among {times:?}"))?;
    Ok(*time)
}

/// How long each stage took that ended by `until`.
fn stages(floor: Duration, until: Duration, times: &[(String, Duration)]) -> String {
    let mut text = "of that, in s:".to_owned();
    let mut before = floor;
    for (name, time) in times.iter().filter(|(_, time)| *time <= until) {
        let name = match name.as_str() {
            HAND_OVER => "unpacking the initramfs",
            name if MILESTONES.contains(&name) => name,
            _ => continue,
        };
        let took = time.saturating_sub(before).as_secs_f64();
        text.push_str(&format!(" {name} {took:.2},"));
        before = *time;
    }
    text.trim_end_matches(',').to_owned()
}

/// The program beside this one.
fn baseline_init() -> Result<std::path::PathBuf> {
    let here = std::env::current_exe().context("cannot tell where this program is")?;
    Ok(here.with_file_name("baseline-init"))
}
