//! Our image beside those that Debian's own builders make, in one run on one kernel.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Args;
use image_builder::cache::Cache;
use image_builder::initramfs::MODULE_LIST;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use qemu_tests::initramfs;
use qemu_tests::peers::Peers;
use serde_json::Value;

use super::bound::{Bound, Limit};
use super::start;

/// What a release carries for reading installed systems.
const TOOLS: &str = "lvm,mdadm,btrfs";

/// Groups of the list of modules that no disk is read by.
const NOT_FOR_DISKS: [&str; 2] = ["[keyboards]", "[consoles and tests]"];

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
    /// Leave out dracut, and booting
    #[arg(long)]
    only_builds: bool,
}

struct Built {
    name: &'static str,
    took: Duration,
    /// Processor time of all its processes, in user space and in the kernel; of the median's round.
    processors: Duration,
    bytes: u64,
    file: PathBuf,
    said: String,
}

/// Builds and boots all. Needs root.
pub fn run(arguments: &Arguments) -> Result<()> {
    let rounds = arguments.rounds.max(1);
    let cache = Cache::open()?;
    let peers = Peers::prepare(&cache, &arguments.kernel_package)?;
    let folder = tempfile::tempdir()?;
    let kernel = folder.path().join("vmlinuz");
    let ours = |level: &str, name: &str, more: &[&str]| {
        let file = folder.path().join(name);
        let mut build = Command::new(&arguments.builder);
        build.arg("initramfs").arg("--kernel").arg(peers.root());
        build.arg("--init").arg(&arguments.init);
        build
            .args(["--level", level, "--format", "json"])
            .args(more);
        build.arg("--kernel-out").arg(&kernel).arg("-o").arg(&file);
        (build, file)
    };
    let busybox = arguments.busybox.to_string_lossy();
    let whole = ["--with", TOOLS, "--busybox", &*busybox];
    let measure_ours =
        |name, rounds, (build, file): (Command, PathBuf)| measure(rounds, name, build, &file);

    let plain = measure_ours(
        "ours, not compressed",
        rounds,
        ours("none", "plain.img", &whole),
    )?;
    let fast = measure_ours("ours, fast", rounds, ours("fast", "fast.img", &whole))?;
    let small = measure_ours("ours, release", 1, ours("small", "small.img", &whole))?;
    let (list, names) = (
        folder.path().join("disks.list"),
        folder.path().join("no.ids"),
    );
    fs::write(&list, for_disks(MODULE_LIST)?)?;
    fs::write(&names, "")?;
    let (list, names) = (list.to_string_lossy(), names.to_string_lossy());
    let narrow = [
        "--with",
        "lvm",
        "--modules-list",
        &*list,
        "--pci-ids",
        &*names,
    ];
    let narrow = ours("small", "narrow.img", &narrow);
    let narrow = measure_ours("ours, release, disks alone", 1, narrow)?;
    let in_root = |name: &str| (format!("/tmp/{name}"), peers.root().join("tmp").join(name));
    let (inside, file) = in_root("same.img");
    let same = peers.mkinitramfs_of(&modules_of(&plain.file)?, &inside)?;
    let same = measure(rounds, "mkinitramfs, same modules", same, &file)?;
    let (inside, file) = in_root("debian.img");
    let debian = measure(1, "mkinitramfs, its own", peers.mkinitramfs(&inside), &file)?;
    let mut built = vec![plain, fast, small, narrow, same, debian];
    if !arguments.only_builds {
        let (inside, file) = in_root("dracut.img");
        built.push(measure(1, "dracut, its own", peers.dracut(&inside), &file)?);
    }
    print_builds(&built);
    let [plain, fast, small, narrow, same, debian, ..] = built.as_slice() else {
        return Ok(());
    };
    promises_of_time(plain, fast, same);
    promises_of_size(small, narrow)?;
    let build = |name: &str| -> Result<(Duration, u64)> {
        let file = folder.path().join(name);
        let started = Instant::now();
        let mut usb = Command::new(&arguments.builder);
        usb.arg("usb")
            .arg("--kernel")
            .arg(&kernel)
            .arg("--initramfs")
            .arg(&small.file);
        succeed(usb.arg("-o").arg(&file))?;
        Ok((started.elapsed(), length(&file)?))
    };
    for (what, name, limit) in [
        ("USB image of the release", "usb.img", 64.0),
        ("USB image of the release, as .zst", "usb.img.zst", 30.0),
    ] {
        let (took, bytes) = build(name)?;
        Bound {
            what,
            measured: megabytes(bytes),
            limit: Limit::AtMost(limit),
            unit: " MB",
            why: format!(
                "of it {:.1} MB initramfs and {:.1} MB kernel; built in {:.1} s",
                megabytes(small.bytes),
                megabytes(length(&kernel)?),
                took.as_secs_f64()
            ),
        }
        .print();
    }
    if arguments.only_builds {
        return Ok(());
    }
    let ours: [(&str, &Path); 3] = [
        (" (fast)", &fast.file),
        (" (not compressed)", &plain.file),
        (" (release)", &small.file),
    ];
    start::print(&kernel, &ours, Some(&debian.file))
}

/// The list without [`NOT_FOR_DISKS`].
fn for_disks(list: &str) -> Result<String> {
    let (mut is_wanted, mut left_out) = (true, 0);
    let mut kept = String::new();
    for line in list.lines() {
        if line.starts_with('[') {
            is_wanted = !NOT_FOR_DISKS.contains(&line);
            left_out += usize::from(!is_wanted);
        }
        if is_wanted {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    ensure!(
        left_out == NOT_FOR_DISKS.len(),
        "the list of modules has not all of these groups: {NOT_FOR_DISKS:?}"
    );
    Ok(kept)
}

/// Names of the modules in an image.
fn modules_of(image: &Path) -> Result<Vec<String>> {
    let entries = initramfs::read(&fs::read(image)?)?;
    let names = entries.iter().filter_map(|entry| {
        let (_, file) = entry.name.rsplit_once('/')?;
        Some(file.strip_suffix(".ko")?.replace('-', "_"))
    });
    Ok(names.collect())
}

/// Whole-process wall time, median of `rounds`.
fn measure(rounds: usize, name: &'static str, mut command: Command, file: &Path) -> Result<Built> {
    let mut times = Vec::new();
    let mut said = String::new();
    for round in 1..=rounds {
        eprintln!("{name}: round {round} of {rounds}");
        let _ = fs::remove_file(file);
        let (started, before) = (Instant::now(), processor_time()?);
        said = succeed(&mut command)?;
        times.push((started.elapsed(), processor_time()?.saturating_sub(before)));
    }
    times.sort();
    let (took, processors) = times[times.len() / 2];
    Ok(Built {
        name,
        took,
        processors,
        bytes: length(file)?,
        file: file.to_owned(),
        said,
    })
}

/// What it prints; an error where it fails.
fn succeed(command: &mut Command) -> Result<String> {
    let output = command
        .output()
        .with_context(|| format!("cannot start {command:?}"))?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?} failed:\n{errors}");
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Of all processes that this one has started and seen end.
fn processor_time() -> Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let time = usage.user_time() + usage.system_time();
    Ok(Duration::from_micros(u64::try_from(
        time.num_microseconds(),
    )?))
}

fn length(file: &Path) -> Result<u64> {
    let made = fs::metadata(file).with_context(|| format!("there is no {}", file.display()))?;
    Ok(made.len())
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

fn print_builds(built: &[Built]) {
    println!("Building an initramfs from an unpacked kernel package");
    println!(
        "  {:<28} {:>9} {:>13} {:>9}",
        "builder", "seconds", "processor s", "MB"
    );
    for one in built {
        println!(
            "  {:<28} {:>9.2} {:>13.2} {:>9.2}",
            one.name,
            one.took.as_secs_f64(),
            one.processors.as_secs_f64(),
            megabytes(one.bytes),
        );
    }
}

fn promises_of_time(plain: &Built, fast: &Built, same: &Built) {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or("unknown").to_owned();
    let why = |built: &Built| {
        format!(
            "it took {:.2} s of processor time in {:.2} s; the machine's load average is {load}",
            built.processors.as_secs_f64(),
            built.took.as_secs_f64()
        )
    };
    let promise = |what, measured, limit, unit, why| {
        let bound = Bound {
            what,
            measured,
            limit,
            unit,
            why,
        };
        bound.print();
    };
    let (plain_s, fast_s) = (plain.took.as_secs_f64(), fast.took.as_secs_f64());
    let times = same.took.as_secs_f64() / fast_s;
    let faster = "faster than mkinitramfs with the same modules";
    promise(faster, times, Limit::AtLeast(20.0), " times", why(fast));
    promise("fast profile", fast_s, Limit::AtMost(1.0), " s", why(fast));
    promise(
        "not compressed, warm",
        plain_s,
        Limit::AtMost(0.15),
        " s",
        why(plain),
    );
}

fn promises_of_size(small: &Built, narrow: &Built) -> Result<()> {
    for (what, built) in [
        (
            "release: storage, file systems, lvm, our binary alone",
            narrow,
        ),
        ("release as it is, with all that a person needs", small),
    ] {
        Bound {
            what,
            measured: megabytes(built.bytes),
            limit: Limit::AtMost(11.0),
            unit: " MB",
            why: format!("unpacked, the largest are: {}", largest(&built.said)?),
        }
        .print();
    }
    Ok(())
}

/// From what the builder has printed: the reasons that bring most.
fn largest(said: &str) -> Result<String> {
    const SOME: usize = 6;
    let built: Value = serde_json::from_str(said).context("the builder printed no JSON")?;
    let sizes = built["sizes"]
        .as_array()
        .context("the builder names no sizes")?;
    let words = sizes.iter().take(SOME).map(|size| {
        let reason = size["reason"].as_str().unwrap_or_default();
        format!(
            "{reason} {:.1} MB",
            megabytes(size["bytes"].as_u64().unwrap_or_default())
        )
    });
    Ok(words.collect::<Vec<_>>().join(", "))
}
