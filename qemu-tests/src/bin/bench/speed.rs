//! How long a machine takes to be judged, by its number of functions.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Args;
use qemu_tests::synthetic::{self, Function};

/// What is measured, and how often.
#[derive(Args)]
pub struct Arguments {
    /// The preflight program
    #[arg(long, value_name = "FILE")]
    preflight: PathBuf,
    /// Measure each so often; the median counts
    #[arg(long, default_value_t = 9)]
    rounds: usize,
}

/// Functions of the machines.
const SIZES: [usize; 5] = [16, 64, 256, 1024, 4096];

/// A source of the same machine, and how it is written into a folder. What is printed of 256 bytes comes first:
/// that is what `lspci -vvv` is given, too.
const SOURCES: [(&str, Write); 1] = [("folder like /sys", folder)];

type Write = fn(&[Function], &Path) -> Result<PathBuf>;

/// A function of a large machine may take so many times what one of a middling machine takes.
const LINEAR: f64 = 1.5;

/// Every source at every size.
pub fn run(arguments: &Arguments) -> Result<()> {
    let rounds = arguments.rounds.max(1);
    println!("Judging a machine, whole process, median of {rounds}");
    for (name, write) in SOURCES {
        println!("  {name}");
        println!(
            "    {:>9} {:>10} {:>22}",
            "functions", "ms", "us for one more"
        );
        let mut times: Vec<(usize, Duration)> = Vec::new();
        for size in SIZES {
            let folder = tempfile::tempdir()?;
            let source = write(&synthetic::machine(size), folder.path())?;
            let took = median(rounds, &arguments.assess(&source))?;
            let more = times.last().map(|smaller| slope(*smaller, (size, took)));
            let more = more.map_or_else(String::new, |more| format!("{more:.2}"));
            println!("    {size:>9} {:>10.2} {more:>22}", milliseconds(took));
            times.push((size, took));
        }
        let [.., (_, _), middle, large, largest] = times[..] else {
            continue;
        };
        let ratio = slope(large, largest) / slope(middle, large);
        bound(
            "a function of the largest machine, over one of the next",
            ratio,
            LINEAR,
        );
    }
    Ok(())
}

impl Arguments {
    fn assess(&self, source: &Path) -> Command {
        let mut command = Command::new(&self.preflight);
        command.arg("assess").arg("--from").arg(source);
        command
    }
}

/// Microseconds that each function more takes.
fn slope((few, short): (usize, Duration), (many, long): (usize, Duration)) -> f64 {
    (long.as_secs_f64() - short.as_secs_f64()) * 1e6 / (many - few) as f64
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn bound(what: &str, value: f64, limit: f64) {
    let word = if value <= limit { "OK" } else { "OVER" };
    println!("    {what}: {value:.2} (bound {limit}): {word}");
}

/// Wall time of the whole process, from a warm cache.
fn median(rounds: usize, command: &Command) -> Result<Duration> {
    run_once(command)?;
    let mut times = (0..rounds)
        .map(|_| run_once(command))
        .collect::<Result<Vec<_>>>()?;
    times.sort();
    Ok(times[times.len() / 2])
}

fn run_once(command: &Command) -> Result<Duration> {
    let mut again = Command::new(command.get_program());
    again.args(command.get_args());
    let started = Instant::now();
    let output = again
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .output()
        .with_context(|| format!("cannot start {command:?}"))?;
    let took = started.elapsed();
    // 1 is a verdict: a card is blocked.
    let judged = matches!(output.status.code(), Some(0 | 1));
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(judged, "{command:?} failed:\n{errors}");
    Ok(took)
}

fn folder(functions: &[Function], into: &Path) -> Result<PathBuf> {
    for (path, bytes) in synthetic::folder(functions) {
        let path = into.join(path);
        let parent = path.parent().unwrap_or(into);
        fs::create_dir_all(parent).with_context(|| parent.display().to_string())?;
        fs::write(&path, bytes).with_context(|| path.display().to_string())?;
    }
    Ok(into.to_owned())
}
