//! How long a machine takes to be judged, by its number of functions and by what it is read from.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use assess::NoNames;
use clap::Args;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::{TimeVal, TimeValLike};
use qemu_tests::synthetic::{self, Function, source};

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

/// What the same machine is read from, and how that is written into a folder.
const SOURCES: [(&str, Write); 4] = [
    ("a capture", source::capture),
    ("a folder like /sys", source::folder),
    ("lspci -xxxx, 4096 bytes each", |machine, folder| {
        source::text(machine, 4096, folder)
    }),
    (PRINTED, |machine, folder| {
        source::text(machine, 256, folder)
    }),
];

/// The source that lspci reads, too. It prints no more of 256 bytes than we read.
const PRINTED: &str = "lspci -xxxx, 256 bytes each";

type Write = fn(&[Function], &Path) -> Result<PathBuf>;

/// A function of the largest machine may take so many times what one of the next takes.
const LINEAR: f64 = 1.5;
/// Milliseconds in which the largest machine is judged, once it was read.
const JUDGED: f64 = 50.0;
/// So many times faster than lspci prints it.
const FASTER: f64 = 5.0;

/// Every source at every size.
pub fn run(arguments: &Arguments) -> Result<()> {
    let rounds = arguments.rounds.max(1);
    println!("Judging machines: ms, median of {rounds}; us for one function more");
    for (name, write) in SOURCES {
        println!("  From {name}");
        let peer = if name == PRINTED { "lspci -vvv -F" } else { "" };
        println!(
            "    {:>9} {:>14} {:>8} {:>14} {:>8} {:>14}",
            "functions", "whole process", "us", "judging alone", "us", peer
        );
        let mut rows = Vec::new();
        for size in SIZES {
            let folder = tempfile::tempdir()?;
            let source = write(&synthetic::machine(size), folder.path())?;
            let row = measure(size, arguments, &source, name == PRINTED)?;
            row.print(rows.last());
            rows.push(row);
        }
        if let [.., middle, large, largest] = &rows[..] {
            sum_up(middle, large, largest);
        }
    }
    Ok(())
}

/// One of a row's times.
type Time = fn(&Row) -> Duration;

struct Row {
    functions: usize,
    process: Cost,
    judging: Duration,
    peer: Option<Cost>,
}

/// What a process took.
#[derive(Clone, Copy)]
struct Cost {
    wall: Duration,
    /// Of the processor, in the program and in the kernel for it.
    cpu: Duration,
    /// Instructions in the program, where `perf` can count them.
    instructions: Option<u64>,
}

impl Row {
    fn print(&self, smaller: Option<&Self>) {
        let more = |time: Time| {
            smaller.map_or_else(String::new, |smaller| {
                format!("{:.2}", slope(smaller, self, time))
            })
        };
        let peer = self.peer.map_or_else(String::new, |peer| {
            let ratio = ratio(peer.wall, self.process.wall);
            format!("{:.2}, {ratio:.1}x", milliseconds(peer.wall))
        });
        println!(
            "    {:>9} {:>14.2} {:>8} {:>14.2} {:>8} {:>14}",
            self.functions,
            milliseconds(self.process.wall),
            more(|row| row.process.wall),
            milliseconds(self.judging),
            more(|row| row.judging),
            peer
        );
    }
}

/// Microseconds that each function more takes.
fn slope(few: &Row, many: &Row, time: Time) -> f64 {
    let difference = time(many).as_secs_f64() - time(few).as_secs_f64();
    difference * 1e6 / (many.functions - few.functions) as f64
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn sum_up(middle: &Row, large: &Row, largest: &Row) {
    let times: [(&str, Time); 2] = [
        ("whole process", |row| row.process.wall),
        ("judging alone", |row| row.judging),
    ];
    for (name, time) in times {
        let ratio = slope(large, largest, time) / slope(middle, large, time);
        let what = format!("{name}: a function of the largest machine, over one of the next");
        bound(&what, ratio, "at most", LINEAR, ratio <= LINEAR);
    }
    let judging = milliseconds(largest.judging);
    let what = "judging the largest alone, ms";
    bound(what, judging, "at most", JUDGED, judging <= JUDGED);
    if let Some(peer) = largest.peer {
        let own = largest.process;
        faster("wall time", ratio(peer.wall, own.wall));
        faster("processor time", ratio(peer.cpu, own.cpu));
        match (peer.instructions, own.instructions) {
            (Some(peer), Some(own)) => faster("instructions", peer as f64 / own as f64),
            _ => println!("    instructions are not counted: perf has no counter for them here"),
        }
    }
}

/// How many times lspci takes of what we take.
fn faster(of: &str, ratio: f64) {
    let what = format!("whole process, lspci -vvv -F over ours, {of}");
    bound(&what, ratio, "at least", FASTER, ratio >= FASTER);
}

fn ratio(one: Duration, other: Duration) -> f64 {
    one.as_secs_f64() / other.as_secs_f64()
}

fn bound(what: &str, value: f64, sense: &str, limit: f64, holds: bool) {
    let word = if holds { "OK" } else { "OVER" };
    println!("    {what}: {value:.2} ({sense} {limit}): {word}");
}

/// All three in turn, so that whatever else the machine does slows them alike.
fn measure(functions: usize, arguments: &Arguments, source: &Path, peer: bool) -> Result<Row> {
    let mut assess = Command::new(&arguments.preflight);
    assess.arg("assess").arg("--from").arg(source);
    let mut lspci = Command::new("lspci");
    lspci.arg("-vvv").arg("-F").arg(source);
    let machine = hardware::load(source, None)?.machine;
    let (mut process, mut judging, mut peers) = (Vec::new(), Vec::new(), Vec::new());
    // 1 is a verdict: a card is blocked.
    run_once(&mut assess, &[0, 1])?;
    for _ in 0..arguments.rounds.max(1) {
        process.push(run_once(&mut assess, &[0, 1])?);
        let started = Instant::now();
        let assessment = assess::assess(&machine, None, &NoNames);
        judging.push(started.elapsed());
        ensure!(assessment.functions.len() == functions);
        if peer {
            peers.push(run_once(&mut lspci, &[0])?);
        }
    }
    Ok(Row {
        functions,
        process: Cost::median(&process, instructions(&assess)),
        judging: median(judging.into_iter()),
        peer: peer.then(|| Cost::median(&peers, instructions(&lspci))),
    })
}

impl Cost {
    fn median(rounds: &[(Duration, Duration)], instructions: Option<u64>) -> Self {
        Self {
            wall: median(rounds.iter().map(|(wall, _)| *wall)),
            cpu: median(rounds.iter().map(|(_, cpu)| *cpu)),
            instructions,
        }
    }
}

fn median(times: impl Iterator<Item = Duration>) -> Duration {
    let mut times: Vec<_> = times.collect();
    times.sort();
    times[times.len() / 2]
}

/// Wall time and processor time of the whole process.
fn run_once(command: &mut Command, good: &[i32]) -> Result<(Duration, Duration)> {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let (started, before) = (Instant::now(), children()?);
    let output = command
        .output()
        .with_context(|| format!("cannot start {command:?}"))?;
    let took = started.elapsed();
    let cpu = children()?.saturating_sub(before);
    let ended_well = output
        .status
        .code()
        .is_some_and(|code| good.contains(&code));
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(ended_well, "{command:?} failed:\n{errors}");
    Ok((took, cpu))
}

/// Processor time of all processes that were started and have ended.
fn children() -> Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let of = |time: TimeVal| Duration::try_from_secs_f64(time.num_microseconds() as f64 / 1e6);
    Ok(of(usage.user_time())? + of(usage.system_time())?)
}

/// Instructions that a command takes outside the kernel. None without `perf`, or where the machine, as many
/// virtual ones, counts none.
fn instructions(command: &Command) -> Option<u64> {
    let output = Command::new("perf")
        .args(["stat", "-x,", "-e", "instructions:u"])
        .arg(command.get_program())
        .args(command.get_args())
        .stdout(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stderr);
    let line = text.lines().find(|line| line.contains("instructions:u"))?;
    line.split(',').next()?.parse().ok()
}
