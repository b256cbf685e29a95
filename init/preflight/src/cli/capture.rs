use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use hardware::Names;
use hardware::capture::Manifest;
use storage::DataPlace;

use crate::session::capture;

/// Arguments of `preflight capture`.
#[derive(clap::Args)]
pub struct Arguments {
    /// The file to write, by custom NAME.tar.zst
    #[arg(value_name = "OUT.tar.zst")]
    out: PathBuf,
    /// Keep serial numbers, MAC addresses and UUIDs, which are left out otherwise
    #[arg(long)]
    with_identifiers: bool,
}

/// Reads this machine and writes down what was read. Option ROMs are only read on the stick.
pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let read = capture::read(&DataPlace::Stick)?;
    let (_, packed) = read.judge(None, Names::find().as_ref(), arguments.with_identifiers);
    let packed = packed?;
    write(&arguments.out, &packed.bytes)?;
    println!(
        "{}",
        summary(&arguments.out, packed.bytes.len(), &packed.manifest)
    );
    Ok(ExitCode::SUCCESS)
}

/// Writes the file under another name first, so that there is never half a capture under its own.
fn write(out: &Path, bytes: &[u8]) -> Result<()> {
    if fs::metadata(out).is_ok_and(|found| !found.is_file()) {
        bail!(
            "{} is no file; give the name of a file to write",
            out.display()
        );
    }
    let name = out
        .file_name()
        .with_context(|| format!("{} is not the name of a file", out.display()))?;
    let mut unfinished = name.to_owned();
    unfinished.push(".unfinished");
    let unfinished = out.with_file_name(unfinished);
    let written = File::create(&unfinished)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&unfinished, out));
    written.or_else(|error| {
        let _ = fs::remove_file(&unfinished);
        Err(error).with_context(|| {
            format!(
                "cannot write {}; is there room, and may you write there?",
                out.display()
            )
        })
    })
}

fn summary(out: &Path, length: usize, manifest: &Manifest) -> String {
    let mut text = format!(
        "Wrote {}: {} files, {} KiB.",
        out.display(),
        manifest.files.len(),
        length.div_ceil(1024)
    );
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for left_out in &manifest.left_out {
        *counts.entry(&left_out.what).or_default() += 1;
    }
    let counted: Vec<String> = counts
        .iter()
        .map(|(what, places)| {
            format!(
                "{what} in {places} {}",
                if *places == 1 { "place" } else { "places" }
            )
        })
        .collect();
    if manifest.identifiers {
        text.push_str(
            "\nSerial numbers, MAC addresses and UUIDs are in it: give it only to whom you trust.",
        );
    } else if counted.is_empty() {
        text.push_str("\nNo serial numbers, MAC addresses or UUIDs were found in it.");
    } else {
        text.push_str(&format!("\nLeft out: {}.", counted.join(", ")));
    }
    if !nix::unistd::geteuid().is_root() {
        text.push_str(
            "\nIt was not made by root, so much of the machine could not be read; run it as root for all.",
        );
    }
    text
}
