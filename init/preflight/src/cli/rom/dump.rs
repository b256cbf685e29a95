use std::fs::{self, File};
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use hardware::rom::{self, Progress};
use hardware::{Function, Machine, Names, RomReading, Source};
use option_rom::Verdict;
use pci::Address;

use crate::rom_files::{self, Advice, DumpedRom, RomFile, verdict};

/// Columns of what is printed.
const COLUMNS: usize = 80;

/// Arguments of `preflight rom dump`.
///
/// Reads each ROM twice from every source there is: what the kernel's EFI stub kept of the firmware's own
/// reading, the ROM BAR, the ACPI table VFCT, the legacy copy at 0xC0000, and NVIDIA's flash when asked.
/// The best copy is saved as .rom, the others as .bin, each with a .json that says where it comes from and
/// what is wrong with it. Every card is left as it was found; no flash is ever written.
#[derive(clap::Args)]
pub struct Arguments {
    /// Functions whose ROMs to read [default: all that have one, also those that only firmware knows]
    #[arg(value_name = "ADDRESS")]
    addresses: Vec<Address>,
    /// Folder for the files
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
    /// Another machine: a folder laid out like /sys, or a capture [default: this machine]
    #[arg(long, value_name = "SOURCE")]
    from: Option<PathBuf>,
    /// Read the flash of NVIDIA cards through their registers, too; one is written and put back
    #[arg(long, conflicts_with = "from")]
    prom: bool,
}

impl Arguments {
    /// Whether the ROM of this function was asked for.
    fn wants(&self, address: Address) -> bool {
        self.addresses.is_empty() || self.addresses.contains(&address)
    }
}

/// Reads, judges, saves and tells.
pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let (machine, readings) = match &arguments.from {
        Some(path) => saved(path)?,
        None => {
            let source = Source::live();
            let machine = hardware::read(&source)?;
            let readings = read(arguments, &source, &machine);
            (machine, readings)
        }
    };
    let readings: Vec<RomReading> = readings
        .into_iter()
        .filter(|reading| arguments.wants(reading.address))
        .collect();
    let dumped = rom_files::dump(&machine, &readings);
    for rom in &dumped {
        rom.files
            .iter()
            .try_for_each(|file| write(&arguments.output, file))?;
    }
    print(&told(arguments, &machine, &dumped))?;
    let is_missing = |address: &Address| !dumped.iter().any(|rom| rom.address == *address);
    let failed = dumped.iter().any(is_failed) || arguments.addresses.iter().any(is_missing);
    Ok(ExitCode::from(u8::from(failed)))
}

/// Nothing was read, or nothing that a guest can be given.
fn is_failed(rom: &DumpedRom) -> bool {
    let verdict = rom.choice.as_ref().map(|choice| choice.copy.rom.verdict);
    verdict.is_none_or(|verdict| verdict == Verdict::Bad)
}

/// A machine that was saved, and what is known of its ROMs.
fn saved(path: &Path) -> Result<(Machine, Vec<RomReading>)> {
    if path.is_dir() {
        let source = Source::folder(path)?;
        let machine = hardware::read(&source)?;
        let readings = rom::read_all(&source, &machine.functions, &mut told_progress);
        return Ok((machine, readings));
    }
    let saved = hardware::load(path, Names::find().as_ref())?;
    let readings = saved.roms.unwrap_or_else(|| rom::in_tables(&saved.machine));
    Ok((saved.machine, readings))
}

fn told_progress(progress: Progress) {
    match progress {
        Progress::Copying(address, rom) => eprintln!("copying {address}: {}", rom.words()),
        Progress::Note(text) => eprintln!("preflight: {text}"),
    }
}

/// Every copy on this machine.
fn read(arguments: &Arguments, source: &Source, machine: &Machine) -> Vec<RomReading> {
    let wanted = |address| arguments.wants(address);
    let mut progress = told_progress;
    let mut readings = rom::read_some(source, &machine.functions, wanted, &mut progress);
    let windows = machine.functions.iter();
    let windows = windows.filter(|function| rom::has_prom(function) && wanted(function.address));
    for function in windows {
        if arguments.prom || agrees_to_prom(machine, &readings, function) {
            readings.extend(rom::read_prom(
                source,
                &machine.functions,
                function,
                &mut progress,
            ));
        }
    }
    readings
}

/// Asks a person at a terminal, where the copies so far leave something to be wished for. Nobody there is
/// a no.
fn agrees_to_prom(machine: &Machine, readings: &[RomReading], function: &Function) -> bool {
    let dumped = rom_files::dump(machine, readings);
    let own = dumped
        .iter()
        .find(|rom| rom.address == function.address && rom.is_present);
    let best = own
        .and_then(|rom| rom.choice.as_ref())
        .map(|choice| &choice.copy);
    let is_enough =
        best.is_some_and(|copy| copy.taint.is_none() && copy.rom.verdict == Verdict::Good);
    if is_enough || !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return false;
    }
    eprint!(
        "No good and clean copy of the ROM of {} was found. Its flash can be read through the card's\n\
         registers: one of them (0x50) is written, and put back after. Read it? [y/N] ",
        function.address
    );
    let mut answer = String::new();
    let _ = io::stdin().read_line(&mut answer);
    matches!(answer.trim(), "y" | "Y" | "yes")
}

/// Writes a file in one step. A ROM that is there already with other bytes stays: it may be the only clean
/// copy there is.
fn write(folder: &Path, file: &RomFile) -> Result<()> {
    fs::create_dir_all(folder)
        .with_context(|| format!("cannot make the folder {}", folder.display()))?;
    let path = folder.join(&file.name);
    let is_rom = !file.name.ends_with(".json");
    match fs::read(&path) {
        Ok(there) if there == file.bytes => return Ok(()),
        Ok(_) if is_rom => bail!(
            "{} is there already with other bytes, and is kept; name another folder with -o",
            path.display()
        ),
        _ => {}
    }
    let new = folder.join(format!("{}.new", file.name));
    let written = || -> io::Result<()> {
        let mut out = File::create(&new)?;
        out.write_all(&file.bytes)?;
        out.sync_all()?;
        fs::rename(&new, &path)
    };
    written().with_context(|| format!("cannot write {}", path.display()))
}

/// What is printed, per function.
fn told(arguments: &Arguments, machine: &Machine, dumped: &[DumpedRom]) -> String {
    let mut text = String::new();
    for rom in dumped {
        text.push_str(&function_text(rom));
        text.push('\n');
    }
    for address in &arguments.addresses {
        if dumped.iter().any(|rom| rom.address == *address) {
            continue;
        }
        let is_there = machine
            .functions
            .iter()
            .any(|function| function.address == *address);
        let why = if is_there {
            "it has no ROM BAR, and firmware kept no copy of a ROM for it"
        } else {
            "there is no function at this address, and firmware kept no copy of a ROM for one"
        };
        text.push_str(&format!("{address}: no copy: {why}.\n\n"));
    }
    if text.is_empty() {
        text.push_str("No function has a ROM, and firmware kept a copy of none.\n");
    }
    text
}

fn function_text(rom: &DumpedRom) -> String {
    let there = if rom.is_present {
        ""
    } else {
        ", not there now"
    };
    let mut text = format!("{} [{}]{there}\n", rom.address, rom.id);
    let mut say = |words: &str| text.push_str(&indented(words));
    match (&rom.choice, &rom.chosen_file) {
        (Some(choice), Some(file)) => {
            let taint = if choice.copy.taint.is_some() {
                ", tainted"
            } else {
                ""
            };
            say(&format!(
                "{file}: {}{taint}, {} bytes, sha256 {}",
                verdict(choice.copy.rom.verdict),
                choice.copy.length,
                choice.copy.sha256
            ));
            say(&choice.why);
            for problem in &choice.copy.rom.problems {
                say(&format!("{}: {}", problem.id, problem.detail));
            }
        }
        _ => {
            for (source, why) in &rom.failures {
                say(&format!("No copy from {source}: {why}."));
            }
        }
    }
    match &rom.advice {
        Advice::File(name, why) => {
            say(&format!(
                "The guest needs this file, because {why}. Copy it to /usr/share/kvm/ and add to the \
                 hostpci line:"
            ));
            text.push_str(&format!("    romfile={name}\n"));
        }
        Advice::NotNeeded(why) => say(&format!("The guest needs no ROM file: {why}.")),
        Advice::Missing(why) => say(&format!("There is no ROM file for a guest: {why}.")),
    }
    text
}

/// A paragraph, two columns in.
fn indented(words: &str) -> String {
    let paragraph = report::paragraph(words, COLUMNS - 2);
    paragraph
        .lines()
        .map(|line| format!("  {line}\n"))
        .collect()
}

/// A reader that closes early (`| head`) is no error.
fn print(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    match writeln!(out, "{}", text.trim_end()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other.context("cannot write to standard output"),
    }
}
