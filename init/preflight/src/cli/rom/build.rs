use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail, ensure};
use option_rom::{BuildError, Part, Recipe, Rom};
use pci::{ClassCode, FunctionId};

use super::parts::{PartFile, Parts};
use super::{file, text};
use crate::cli::assess::write_out;

/// Arguments of `preflight rom build`.
#[derive(clap::Args)]
#[command(after_help = "\
Example: preflight rom build --device 1002:1638 --efi gop.efi --compress -o gop.rom
The ids are those that 'lspci -nn' prints for the card.")]
pub(super) struct Arguments {
    /// The function that the drivers are for; repeated, further devices of the same vendor
    #[arg(long, value_name = "VVVV:DDDD", required = true)]
    device: Vec<FunctionId>,
    #[command(flatten)]
    parts: Parts,
    /// Class code for the drivers' images, six hex digits; firmware does not look at it
    #[arg(long, value_name = "CCSSPP", value_parser = class_code, default_value = "000000")]
    class: ClassCode,
    /// Revision of the drivers, as their vendor counts
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    revision: u16,
    /// Where the ROM goes
    #[arg(short, long, value_name = "OUT")]
    output: PathBuf,
}

fn class_code(text: &str) -> Result<ClassCode> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    let hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    ensure!(
        digits.len() == 6 && hex,
        "a class code has six hex digits, as 030000"
    );
    Ok(ClassCode(u32::from_str_radix(digits, 16)?))
}

/// Subsystem of programs that are started and end; firmware's drivers stay.
const APPLICATION: u16 = 0x0a;

/// QEMU rounds a ROM BAR up to a power of two, and EDK2's PCI bus driver (GetOpRomInfo) takes one of 2 KiB,
/// the least that there can be, for none.
const UNSEEN_BY_EDK2: usize = 2048;

/// Builds, writes, and shows what came out.
pub(super) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let recipe = recipe(arguments)?;
    let bytes = option_rom::build(&recipe).map_err(|error| in_file(error, arguments))?;
    let inputs: Vec<&Path> = arguments
        .parts
        .0
        .iter()
        .map(|part| part.path().as_path())
        .collect();
    file::write(&arguments.output, &bytes, &inputs).context("the ROM was not saved")?;
    let rom = Rom::parse(&bytes);
    let mut report = text::show(&arguments.output.display().to_string(), &rom, bytes.len());
    for note in notes(arguments, &rom, bytes.len()) {
        report += &format!("{note}\n");
    }
    write_out(&report)?;
    Ok(ExitCode::SUCCESS)
}

fn recipe(arguments: &Arguments) -> Result<Recipe> {
    let Some(first) = arguments.device.first() else {
        bail!("name the function with --device VVVV:DDDD");
    };
    for other in &arguments.device {
        ensure!(
            other.vendor == first.vendor,
            "{first} and {other} have different vendors; one ROM names one vendor"
        );
    }
    ensure!(
        !arguments.parts.0.is_empty(),
        "name a driver with --efi F.efi, or a legacy image with --legacy F.rom"
    );
    let part = |part: &PartFile| {
        Ok(match part {
            PartFile::Efi { path, compress } => Part::Efi {
                driver: file::read(path)?,
                compress: *compress,
            },
            PartFile::Legacy(path) => Part::Legacy(file::read(path)?),
        })
    };
    Ok(Recipe {
        vendor: first.vendor,
        devices: arguments.device.iter().map(|id| id.device).collect(),
        class: arguments.class,
        revision: arguments.revision,
        parts: arguments.parts.0.iter().map(part).collect::<Result<_>>()?,
    })
}

/// The error in terms of the file that it is about.
fn in_file(error: BuildError, arguments: &Arguments) -> anyhow::Error {
    match error {
        BuildError::Part { number, why } => {
            let part = number
                .checked_sub(1)
                .and_then(|at| arguments.parts.0.get(at));
            let path = part.map(|part| part.path().display().to_string());
            anyhow::anyhow!("{}: {why}", path.unwrap_or_default())
        }
        other => other.into(),
    }
}

/// What is right and can still surprise.
fn notes(arguments: &Arguments, rom: &Rom, length: usize) -> Vec<String> {
    let mut notes = Vec::new();
    if length <= UNSEEN_BY_EDK2 {
        notes.push(format!(
            "A guest with OVMF does not start anything from a ROM of {UNSEEN_BY_EDK2} bytes or less: its \
             firmware\ntakes a ROM BAR that small for none. Leave out --compress, or name more drivers."
        ));
    }
    for (part, image) in arguments.parts.0.iter().zip(&rom.images) {
        let path = part.path().display();
        if image.efi.is_some_and(|efi| efi.subsystem == APPLICATION) {
            notes.push(format!(
                "{path} is an EFI application, not a driver: firmware would run it at every start."
            ));
        }
        let named = arguments.device.iter().any(|device| image.is_for(*device));
        if !named {
            notes.push(format!(
                "{path} is for {}:{}; the ids of a legacy image stay as they are.",
                image.vendor, image.device
            ));
        }
    }
    notes
}
