use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::ValueEnum;
use option_rom::Rom;
use pci::FunctionId;
use serde::Serialize;

use super::{file, status, text};
use crate::cli::assess::write_out;

/// Arguments of `preflight rom show` and `preflight rom check`.
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// The ROM
    file: PathBuf,
    /// The function that it is for; images for other ids are named
    #[arg(long, value_name = "VVVV:DDDD")]
    device: Option<FunctionId>,
    /// How to print
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    Text,
    Json,
}

/// The JSON document of both.
#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    file: String,
    length: usize,
    #[serde(flatten)]
    rom: &'a Rom,
}

const SCHEMA: &str = "preflight.rom/1";

/// Prints everything. The verdict does not change the exit status.
pub(super) fn show(arguments: &Arguments) -> Result<ExitCode> {
    let input = read(arguments)?;
    print(arguments, &input, text::show)?;
    Ok(ExitCode::SUCCESS)
}

/// Prints the verdict and what speaks against the ROM; fails when it is bad.
pub(super) fn check(arguments: &Arguments) -> Result<ExitCode> {
    let input = read(arguments)?;
    print(arguments, &input, text::check)?;
    Ok(status(input.rom.verdict))
}

struct Input {
    rom: Rom,
    length: usize,
    /// What it is instead of a ROM.
    hint: Option<String>,
}

fn read(arguments: &Arguments) -> Result<Input> {
    let bytes = file::read(&arguments.file)?;
    let rom = Rom::parse(&bytes);
    let rom = match arguments.device {
        Some(device) => rom.judged_for(device),
        None => rom,
    };
    Ok(Input {
        rom,
        length: bytes.len(),
        hint: file::driver_hint(&arguments.file, &bytes),
    })
}

fn print(
    arguments: &Arguments,
    input: &Input,
    text: fn(&str, &Rom, usize) -> String,
) -> Result<()> {
    let Input { rom, length, hint } = input;
    let file = arguments.file.display().to_string();
    match arguments.format {
        Format::Text => {
            let mut text = text(&file, rom, *length);
            if let Some(hint) = hint {
                text += &format!("\n{hint}\n");
            }
            write_out(&text)
        }
        Format::Json => write_out(&serde_json::to_string_pretty(&Document {
            schema: SCHEMA,
            file,
            length: *length,
            rom,
        })?),
    }
}
