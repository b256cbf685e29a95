//! Installed systems for tests: lists them, and builds them into the cache.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::thread::{self, ScopedJoinHandle};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::{Parser, Subcommand};
use image_builder::cache::Cache;
use qemu_tests::Qemu;
use qemu_tests::golden::{self, Golden};

/// As many as guests may run at once.
const AT_ONCE: usize = 2;

/// Installed systems for tests.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Name them
    List,
    /// Build these, or all, where the cache has none, and print where they are. Needs root
    Build {
        /// Names as in the list
        names: Vec<String>,
    },
}

fn main() -> Result<()> {
    match Arguments::parse().command {
        Command::List => list(),
        Command::Build { names } => build(&names)?,
    }
    Ok(())
}

fn list() {
    for golden in Golden::all() {
        println!("{:<18} {}", golden.name(), golden.words());
    }
}

fn build(names: &[String]) -> Result<()> {
    let named = |name: &String| {
        Golden::named(name)
            .with_context(|| format!("there is no '{name}'; `golden list` names those that are"))
    };
    let wanted = match names {
        [] => Golden::all().collect(),
        some => some.iter().map(named).collect::<Result<_>>()?,
    };
    let cache = Cache::open()?;
    let qemu = Qemu::obtain()?;
    let waiting: Mutex<VecDeque<Golden>> = Mutex::new(wanted);
    let work = || -> Result<()> {
        loop {
            let next = waiting.lock().map_or(None, |mut queue| queue.pop_front());
            let Some(golden) = next else { return Ok(()) };
            let started = Instant::now();
            let installed = golden::obtain(golden, &cache, &qemu)?;
            let disks = installed
                .disks
                .iter()
                .map(|disk| disk.display().to_string());
            let seconds = started.elapsed().as_secs();
            println!("{} ({seconds} s)", disks.collect::<Vec<_>>().join(" "));
        }
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(work)).collect();
        let mut results = workers.into_iter().map(ScopedJoinHandle::join);
        results.try_for_each(|result| result.unwrap_or_else(|_| bail!("a build panicked")))
    })
}
