//! `make bench`: how fast we are, beside those who do the same work, in one run on one machine.

mod bound;
mod image;
mod look;
mod rom;
mod speed;
mod start;

use anyhow::Result;
use clap::Parser;

/// Measures Preflight beside its peers.
#[derive(Parser)]
#[command(name = "bench")]
enum Bench {
    /// Building and booting our image, beside Debian's own initrd
    Image(image::Arguments),
    /// From the kernel's start to the finished report, beside a kernel that does nothing more
    Start(start::Arguments),
    /// Judging machines of 16 to 4096 functions, beside `lspci -vvv` printing them
    Speed(speed::Arguments),
    /// Looking at installed systems
    Look(look::Arguments),
    /// Reading ROMs of 16 MiB, beside a walk in steps of 512 bytes and sha256sum
    Rom(rom::Arguments),
}

fn main() -> Result<()> {
    match Bench::parse() {
        Bench::Image(arguments) => image::run(&arguments),
        Bench::Start(arguments) => start::run(&arguments),
        Bench::Speed(arguments) => speed::run(&arguments),
        Bench::Look(arguments) => look::run(&arguments),
        Bench::Rom(arguments) => rom::run(&arguments),
    }
}
