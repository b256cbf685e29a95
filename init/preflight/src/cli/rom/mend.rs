use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use option_rom::MendOptions;

use super::{file, status, text};
use crate::cli::assess::write_out;

/// Arguments of `preflight rom mend`.
#[derive(clap::Args)]
#[command(after_help = "\
Example: preflight rom mend flash.rom -o card.rom
A flash dump often begins with its vendor's own header; a guest's firmware looks for the first image at the \
very start and runs nothing of such a file.")]
pub(super) struct Arguments {
    /// The ROM to mend, which stays as it is
    input: PathBuf,
    /// Where the mended ROM goes
    #[arg(short, long, value_name = "OUT")]
    output: PathBuf,
    /// Also make the bytes of x86 images sum to zero; for a ROM that was changed on purpose
    #[arg(long)]
    checksum: bool,
}

/// Mends, writes, and says every change. Fails when no image is found or the result is bad.
pub(super) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let bytes = file::read(&arguments.input)?;
    let options = MendOptions {
        checksum: arguments.checksum,
    };
    let (input, output) = (arguments.input.display(), arguments.output.display());
    let mended = match option_rom::mend(&bytes, options) {
        Ok(mended) => mended,
        Err(error) => {
            eprintln!("preflight: {input}: {error}. Nothing was written.");
            if let Some(hint) = file::driver_hint(&arguments.input, &bytes) {
                eprintln!("{hint}");
            }
            return Ok(ExitCode::FAILURE);
        }
    };
    file::write(&arguments.output, &mended.bytes, &[&arguments.input])
        .context("the mended ROM was not saved")?;
    let mut report: String = mended
        .changes
        .iter()
        .map(|change| format!("{input}: {change}\n"))
        .collect();
    if mended.changes.is_empty() {
        report = format!("{input}: nothing to mend; {output} is the same\n");
    }
    report += &text::check(&output.to_string(), &mended.rom, mended.bytes.len());
    write_out(&report)?;
    Ok(status(mended.rom.verdict))
}
