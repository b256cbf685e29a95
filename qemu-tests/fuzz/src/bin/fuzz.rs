//! Runs the engine on every target for a while, two at a time, and says what it found.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use anyhow::{Context, Result};
use clap::Parser;
use fuzz::{TARGETS, Target};

/// Looks for bytes that break a parser's promises.
#[derive(Parser)]
#[command(name = "fuzz")]
struct Arguments {
    /// The program with the engine in it
    #[arg(long, value_name = "FILE")]
    engine: PathBuf,
    /// Folder for the inputs that reach new code: the next run starts from them
    #[arg(long, value_name = "DIR")]
    corpora: PathBuf,
    /// Folder for logs, and for inputs that break a promise
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Seconds for each target
    #[arg(long, default_value_t = 60)]
    seconds: u32,
    /// Targets at a time
    #[arg(long, default_value_t = 2)]
    jobs: usize,
    /// This target alone
    #[arg(long, value_name = "NAME", value_parser = names())]
    target: Option<String>,
}

/// The longest that one input may take, in seconds: a thousand times what the slowest honest one takes.
const PATIENCE: u32 = 5;

/// Resident memory that a target may take, in MiB.
const MEMORY: u32 = 1024;

fn names() -> Vec<&'static str> {
    TARGETS.iter().map(|target| target.name).collect()
}

fn main() -> ExitCode {
    match fuzz(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("fuzz: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether no promise was broken.
fn fuzz(arguments: &Arguments) -> Result<bool> {
    fs::create_dir_all(&arguments.out).with_context(|| arguments.out.display().to_string())?;
    let chosen: Vec<_> = TARGETS
        .iter()
        .filter(|target| {
            arguments
                .target
                .as_deref()
                .is_none_or(|name| name == target.name)
        })
        .collect();
    let next = AtomicUsize::new(0);
    let run_some = || -> Result<bool> {
        let mut sound = true;
        while let Some(target) = chosen.get(next.fetch_add(1, Ordering::Relaxed)) {
            sound &= run(target, arguments).with_context(|| target.name)?;
        }
        Ok(sound)
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..arguments.jobs.max(1))
            .map(|_| scope.spawn(run_some))
            .collect();
        workers.into_iter().try_fold(true, |sound, worker| {
            let done = worker
                .join()
                .map_err(|_| anyhow::anyhow!("a thread died"))??;
            Ok(sound && done)
        })
    })
}

/// Runs the engine on one target and prints a line. Whether no promise was broken.
fn run(target: &Target, arguments: &Arguments) -> Result<bool> {
    let grown = arguments.corpora.join(target.name);
    fs::create_dir_all(&grown).with_context(|| grown.display().to_string())?;
    let log = arguments.out.join(format!("{}.log", target.name));
    let file = File::create(&log).with_context(|| log.display().to_string())?;
    let broken = arguments.out.join(format!("{}-", target.name));
    let status = Command::new(&arguments.engine)
        .env("FUZZ_TARGET", target.name)
        .arg(format!("-max_total_time={}", arguments.seconds))
        .arg(format!("-max_len={}", target.longest))
        .arg(format!("-timeout={PATIENCE}"))
        .arg(format!("-rss_limit_mb={MEMORY}"))
        .arg(format!("-artifact_prefix={}", broken.display()))
        .args(["-print_final_stats=1", "-verbosity=1"])
        // What reaches new code goes into the first folder; the others are only read.
        .arg(&grown)
        .arg(target.corpus())
        .args(target.fixture_folders())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(file)
        .status()
        .with_context(|| format!("{} does not start", arguments.engine.display()))?;
    report(target, &log, status.success())?;
    Ok(status.success())
}

fn report(target: &Target, log: &Path, sound: bool) -> Result<()> {
    let text = fs::read(log).with_context(|| log.display().to_string())?;
    let text = String::from_utf8_lossy(&text);
    let count = |key: &str| -> u64 {
        let line = text.lines().find_map(|line| line.strip_prefix(key));
        line.and_then(|value| value.trim().parse().ok())
            .unwrap_or(0)
    };
    let tried = count("stat::number_of_executed_units:");
    let new = count("stat::new_units_added:");
    if sound {
        println!(
            "{:<14} {tried:>10} inputs, {new} reached new code: sound",
            target.name
        );
        return Ok(());
    }
    // A panic has its message in the line behind.
    let lines: Vec<_> = text.lines().collect();
    let failed = |line: &&str| line.contains("panicked at") || line.contains("ERROR: libFuzzer");
    let reason = lines.iter().position(failed).map_or_else(
        || "the engine gives no reason".to_owned(),
        |at| {
            lines[at..]
                .iter()
                .take(2)
                .copied()
                .collect::<Vec<_>>()
                .join(" ")
        },
    );
    let input = text
        .lines()
        .find_map(|line| line.split_once("Test unit written to "))
        .map_or("nowhere", |(_, path)| path);
    println!(
        "{:<14} BROKEN: {reason}\n  the input is {input}\n  all is in {}\n  once mended, keep the \
         input under a telling name in {}",
        target.name,
        log.display(),
        target.corpus().display()
    );
    Ok(())
}
