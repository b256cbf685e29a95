//! How long a machine takes to be judged, by its number of functions and by what it is read from.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use assess::NoNames;
use clap::Args;
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
    process: Duration,
    judging: Duration,
    peer: Option<Duration>,
}

impl Row {
    fn print(&self, smaller: Option<&Self>) {
        let more = |time: Time| {
            smaller.map_or_else(String::new, |smaller| {
                format!("{:.2}", slope(smaller, self, time))
            })
        };
        let peer = self.peer.map_or_else(String::new, |peer| {
            let ratio = peer.as_secs_f64() / self.process.as_secs_f64();
            format!("{:.2}, {ratio:.1}x", milliseconds(peer))
        });
        println!(
            "    {:>9} {:>14.2} {:>8} {:>14.2} {:>8} {:>14}",
            self.functions,
            milliseconds(self.process),
            more(|row| row.process),
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
        ("whole process", |row| row.process),
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
        let ratio = peer.as_secs_f64() / largest.process.as_secs_f64();
        let what = "whole process, times faster than lspci -vvv -F";
        bound(what, ratio, "at least", FASTER, ratio >= FASTER);
    }
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
        process: median(process),
        judging: median(judging),
        peer: peer.then(|| median(peers)),
    })
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// Wall time of the whole process.
fn run_once(command: &mut Command, good: &[i32]) -> Result<Duration> {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let started = Instant::now();
    let output = command
        .output()
        .with_context(|| format!("cannot start {command:?}"))?;
    let took = started.elapsed();
    let ended_well = output
        .status
        .code()
        .is_some_and(|code| good.contains(&code));
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(ended_well, "{command:?} failed:\n{errors}");
    Ok(took)
}
