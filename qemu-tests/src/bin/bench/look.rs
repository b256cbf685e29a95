//! A look at an installed system, in guest time.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Args;
use image_builder::cache::Cache;
use qemu_tests::golden::{self, Golden};
use qemu_tests::{Qemu, bench, image_with_zfs};

/// What is looked at.
#[derive(Args)]
pub struct Arguments {
    /// Names of installed systems, as `golden list` has them
    #[arg(default_value = "lvm-ext4-bios")]
    systems: Vec<String>,
    /// Look so often; the shortest counts: while a guest waits for this machine's disk its clock jumps to the
    /// next timer
    #[arg(long, default_value_t = 3)]
    rounds: usize,
}

/// Seconds of guest time that the first of them may take.
const ALLOWED: f64 = 3.0;

/// Each system on the machine that it was installed on. Builds those that the cache does not have, as root.
pub fn run(arguments: &Arguments) -> Result<()> {
    let (cache, qemu, images) = (Cache::open()?, Qemu::obtain()?, image_with_zfs()?);
    println!("A look at an installed system: guest time, one instruction a nanosecond");
    for name in &arguments.systems {
        let golden = Golden::named(name).with_context(|| format!("there is no '{name}'"))?;
        let installed = golden::obtain(golden, &cache, &qemu)?;
        let mut took = Duration::MAX;
        for _ in 0..arguments.rounds.max(1) {
            let folder = tempfile::tempdir()?;
            let disks = installed.overlays(folder.path(), &qemu)?;
            let machine = installed.machine(&disks, folder.path())?;
            took = took.min(bench::look_time(&images, machine, &qemu)?);
            for disk in &disks {
                let written = golden::holds_something(&qemu, disk)?;
                ensure!(!written, "{name} was written to");
            }
        }
        print(name, took);
    }
    Ok(())
}

fn print(name: &str, took: Duration) {
    let seconds = took.as_secs_f64();
    let bound = match (name, seconds <= ALLOWED) {
        ("lvm-ext4-bios", true) => format!(" (at most {ALLOWED}): OK"),
        ("lvm-ext4-bios", false) => format!(" (at most {ALLOWED}): OVER"),
        _ => String::new(),
    };
    println!("  {name:<18} {seconds:>6.2} s, 0 bytes written{bound}");
}
