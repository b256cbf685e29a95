//! How fast ROMs are read: our parser beside a walk in steps of 512 bytes, and beside sha256sum.

use std::fs;
use std::hint::black_box;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Args;
use option_rom::{Rom, Verdict};
use pci::FunctionId;
use rom_maker::{EfiImage, Image, RomMaker, Trailing};

/// What is measured.
#[derive(Args)]
pub struct Arguments {
    /// The preflight program
    #[arg(long, value_name = "FILE")]
    preflight: PathBuf,
}

/// Bytes of each ROM: the largest that a ROM BAR can have.
const LENGTH: usize = 16 << 20;
/// What a parse may take.
const LIMIT: Duration = Duration::from_millis(5);
const ROUNDS: usize = 15;

/// ROMs of [`LENGTH`]: what they are, and their bytes.
fn roms() -> Vec<(&'static str, Vec<u8>)> {
    let card = || RomMaker::new(FunctionId::new(0x10de, 0x0fc6));
    let driver = EfiImage::x64().data(160 << 10);
    // The EFI image takes what is left, and a little for its headers.
    let headers = 4 << 10;
    let roms = [
        (
            "a card's flash: x86, EFI packed, padding",
            card()
                .legacy(60 << 10)
                .efi(driver.compressed())
                .trailing(Trailing::Padding(0xff, LENGTH)),
        ),
        ("one x86 image", card().legacy(LENGTH)),
        (
            "x86, EFI, and data behind",
            card()
                .image(Image::legacy(LENGTH / 2))
                .efi(EfiImage::x64().data(LENGTH / 4 - headers))
                .trailing(Trailing::Data(LENGTH)),
        ),
    ];
    let cut = |(name, rom): (&'static str, RomMaker)| (name, rom.truncated(LENGTH).build());
    roms.map(cut).into()
}

/// What rom-parser does: looks for an image at every 512 bytes, whatever stands between. Gives how many
/// it meets.
fn stepping_walk(bytes: &[u8]) -> usize {
    let field = |at: usize| {
        let field = bytes.get(at..at + 2)?;
        Some(u16::from_le_bytes([field[0], field[1]]))
    };
    let is_image = |at: &usize| {
        let pcir = field(at + 0x18).map(|offset| at + usize::from(offset));
        field(*at) == Some(0xaa55)
            && pcir.is_some_and(|pcir| bytes.get(pcir..pcir + 4) == Some(b"PCIR"))
    };
    (0..bytes.len()).step_by(512).filter(is_image).count()
}

/// Every ROM in every way. Fails when a parse takes too long.
pub fn run(arguments: &Arguments) -> Result<()> {
    let folder = tempfile::tempdir()?;
    println!("Reading ROMs of 16 MiB, median of {ROUNDS}, milliseconds (GB/s)");
    println!(
        "  {:<42} {:>13} {:>13} {:>13} {:>13}",
        "", "our parser", "512-byte walk", "rom check *", "sha256sum *"
    );
    for (name, bytes) in roms() {
        let path = folder.path().join("bench.rom");
        fs::write(&path, &bytes).with_context(|| format!("cannot write {}", path.display()))?;
        ensure!(Rom::parse(&bytes).verdict != Verdict::Bad, "{name} is bad");
        let parse = median(|| {
            black_box(Rom::parse(black_box(&bytes)));
            Ok(())
        })?;
        let walk = median(|| {
            black_box(stepping_walk(black_box(&bytes)));
            Ok(())
        })?;
        let check = median(|| {
            to_end(
                Command::new(&arguments.preflight)
                    .args(["rom", "check"])
                    .arg(&path),
            )
        })?;
        let sum = median(|| to_end(Command::new("sha256sum").arg(&path)))?;
        let columns = [parse, walk, check, sum].map(|time| {
            let speed = LENGTH as f64 / time.as_secs_f64() / 1e9;
            format!("{:.2} ({speed:.1})", time.as_secs_f64() * 1e3)
        });
        println!(
            "  {name:<42} {:>13} {:>13} {:>13} {:>13}",
            columns[0], columns[1], columns[2], columns[3]
        );
        ensure!(parse < LIMIT, "{name}: {parse:?} is more than {LIMIT:?}");
    }
    println!("  * whole process, with reading the file");
    Ok(())
}

fn median(mut once: impl FnMut() -> Result<()>) -> Result<Duration> {
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let start = Instant::now();
        once()?;
        times.push(start.elapsed());
    }
    times.sort();
    Ok(times[times.len() / 2])
}

fn to_end(command: &mut Command) -> Result<()> {
    let output = command
        .output()
        .with_context(|| format!("cannot start {command:?}"))?;
    ensure!(output.status.success(), "{command:?} failed");
    Ok(())
}
