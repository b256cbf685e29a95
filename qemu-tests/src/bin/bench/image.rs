//! Our image beside Debian's own, in one run on one kernel.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Args;
use image_builder::cache::Cache;
use qemu_tests::peers::{Peers, SHELL_MARK};
use qemu_tests::{Boot, Images, Qemu, Showcase, bench};

/// What the kernel prints when it hands over to /init.
const HAND_OVER: &str = "as init process";

/// What is measured, and how often.
#[derive(Args)]
pub struct Arguments {
    /// The kernel's .deb file
    #[arg(long)]
    kernel_package: PathBuf,
    /// The image-builder program
    #[arg(long)]
    builder: PathBuf,
    /// The preflight program
    #[arg(long)]
    init: PathBuf,
    /// Static busybox, or its .deb file
    #[arg(long)]
    busybox: PathBuf,
    /// Build each image so often; the median counts
    #[arg(long, default_value_t = 3)]
    rounds: usize,
}

struct Built {
    name: &'static str,
    took: Duration,
    bytes: u64,
    file: PathBuf,
}

/// Builds and boots both. Needs root.
pub fn run(arguments: &Arguments) -> Result<()> {
    let rounds = arguments.rounds.max(1);
    let cache = Cache::open()?;
    let peers = Peers::prepare(&cache, &arguments.kernel_package)?;
    let folder = tempfile::tempdir()?;
    let kernel = folder.path().join("vmlinuz");
    let ours = folder.path().join("preflight.img");
    let mut build = Command::new(&arguments.builder);
    build
        .arg("initramfs")
        .arg("--kernel")
        .arg(peers.root())
        .arg("--init")
        .arg(&arguments.init);
    build
        .arg("--busybox")
        .arg(&arguments.busybox)
        .arg("--kernel-out")
        .arg(&kernel)
        .arg("-o")
        .arg(&ours);
    let built = [
        measure(rounds, "image-builder", build, &ours)?,
        measure(
            rounds,
            "mkinitramfs",
            peers.mkinitramfs("/tmp/debian.img"),
            &peers.root().join("tmp/debian.img"),
        )?,
        measure(
            rounds,
            "dracut",
            peers.dracut("/tmp/dracut.img"),
            &peers.root().join("tmp/dracut.img"),
        )?,
    ];
    print_builds(rounds, &built);
    print_guest_times(&kernel, &built[0].file, &built[1].file)
}

/// Whole-process wall time, median of `rounds`.
fn measure(rounds: usize, name: &'static str, mut command: Command, file: &Path) -> Result<Built> {
    let mut times = Vec::new();
    for round in 1..=rounds {
        eprintln!("{name}: round {round} of {rounds}");
        let _ = fs::remove_file(file);
        let started = Instant::now();
        let output = command
            .output()
            .with_context(|| format!("cannot start {command:?}"))?;
        times.push(started.elapsed());
        let errors = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{command:?} failed:\n{errors}");
    }
    times.sort();
    let bytes = fs::metadata(file)
        .with_context(|| format!("{name} made no {}", file.display()))?
        .len();
    Ok(Built {
        name,
        took: times[times.len() / 2],
        bytes,
        file: file.to_owned(),
    })
}

fn print_builds(rounds: usize, built: &[Built]) {
    println!("Building an initramfs from an unpacked kernel package, median of {rounds}");
    println!(
        "  {:<14} {:>9} {:>9} {:>9} {:>9}",
        "builder", "seconds", "times us", "MB", "times us"
    );
    let ours = &built[0];
    for one in built {
        println!(
            "  {:<14} {:>9.2} {:>9.1} {:>9.2} {:>9.1}",
            one.name,
            one.took.as_secs_f64(),
            one.took.as_secs_f64() / ours.took.as_secs_f64(),
            one.bytes as f64 / 1e6,
            one.bytes as f64 / ours.bytes as f64,
        );
    }
}

fn print_guest_times(kernel: &Path, ours: &Path, debian: &Path) -> Result<()> {
    let qemu = Qemu::obtain()?;
    let images = |initramfs: &Path| Images {
        kernel: kernel.to_owned(),
        initramfs: initramfs.to_owned(),
    };
    let folder = tempfile::tempdir()?;
    let machine = Showcase::new(&qemu, folder.path())?.machine;
    eprintln!("guest time: our report");
    let boot = Boot::new("bench-preflight", &images(ours), machine.clone());
    let report = between(
        boot.option("preflight.end=poweroff"),
        &qemu,
        "preflight: milestone shown",
    )?;
    eprintln!("guest time: the shell of Debian's initrd");
    let boot = Boot::new("bench-debian", &images(debian), machine);
    // With any value in panic=, the last one counting, Debian's initrd gives no shell.
    let boot = boot.option("break=premount").option("panic=");
    let shell = between(boot, &qemu, SHELL_MARK)?;
    println!(
        "Guest time from the kernel's hand-over, one instruction a nanosecond, idle time skipped"
    );
    println!(
        "  Preflight, to the finished report      {:>7.2} s",
        report.as_secs_f64()
    );
    println!(
        "  Debian's initrd, to its shell          {:>7.2} s",
        shell.as_secs_f64()
    );
    println!(
        "  ratio                                  {:>7.2}",
        report.as_secs_f64() / shell.as_secs_f64()
    );
    Ok(())
}

fn between(boot: Boot, qemu: &Qemu, marker: &str) -> Result<Duration> {
    let [start, end] = bench::guest_times(boot, qemu, [HAND_OVER, marker])?;
    Ok(end.saturating_sub(start))
}
