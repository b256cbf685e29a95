use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use assess::{Options, Override, Verdict};
use clap::ValueEnum;
use hardware::{Names, Source};
use storage::DataPlace;

use crate::session::look::{self, Basis};

/// Arguments of `preflight assess`.
#[derive(clap::Args)]
pub struct Arguments {
    /// Another machine: a folder laid out like /sys (with proc/ and kernel.log beside), a capture, or a
    /// text file of what lspci printed, best 'lspci -nnvvvxxxx' [default: this machine]
    #[arg(long, value_name = "SOURCE")]
    from: Option<PathBuf>,
    /// Judge under this pcie_acs_override: a comma list of downstream, multifunction, id:VVVV:DDDD
    #[arg(long, value_name = "LIST", default_value = "none")]
    acs_override: Override,
    /// How to print
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    Text,
    Json,
}

/// Judges and prints. Touches no device: option ROMs are only read on the stick.
pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let options = Options {
        acs_override: arguments.acs_override.clone(),
    };
    let names = Names::find();
    let look = match &arguments.from {
        Some(path) => {
            let saved = hardware::load(path, names.as_ref())?;
            let basis = Basis {
                roms: saved.roms.as_deref(),
                names: saved.names.as_ref().or(names.as_ref()),
                options: &options,
            };
            look::judge(saved.machine, &basis)
        }
        None => {
            let basis = Basis {
                roms: None,
                names: names.as_ref(),
                options: &options,
            };
            let (machine, _) = look::read(&Source::live(), &DataPlace::Stick)?;
            look::judge(machine, &basis)
        }
    };
    let output = match arguments.format {
        Format::Text => look.text,
        Format::Json => look.json,
    };
    write_out(&output)?;
    let blocked = look
        .assessment
        .cards
        .iter()
        .any(|card| card.verdict == Verdict::Blocked);
    Ok(ExitCode::from(u8::from(blocked)))
}

/// A reader that closes early (`| head`) is no error.
pub(super) fn write_out(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    match writeln!(out, "{}", text.trim_end()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => other.context("cannot write to standard output"),
    }
}
