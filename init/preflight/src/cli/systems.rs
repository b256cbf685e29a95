use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use assess::Severity;
use clap::ValueEnum;
use hardware::{Machine, Names, Source};
use proxmox::{Found, Systems};
use report::TextOptions;

use crate::systems::{
    DiskOptions, Interrupts, Watched, ask_passphrase, in_folder, in_running_system, is_stick,
    on_disks, on_disks_in_own_process,
};
use crate::{log, options};

/// Arguments of `preflight systems`.
#[derive(clap::Args)]
pub struct Arguments {
    /// The root of an installed system, with /boot in it [default: on the stick --disks, else this running
    /// system]
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
    /// An EFI system partition of its machine, as a folder; once for each
    #[arg(long, value_name = "DIR")]
    esp: Vec<PathBuf>,
    /// Look at every disk that is not in use, and at all systems on them. Nothing is written to a disk: all
    /// goes through overlays in memory
    #[arg(long, conflicts_with_all = ["root", "esp"])]
    disks: bool,
    /// A file with the passphrase of encrypted disks (LUKS), without a line end
    #[arg(long, value_name = "FILE", conflicts_with_all = ["root", "ask_passphrase"])]
    passphrase_file: Option<PathBuf>,
    /// Ask for the passphrase of encrypted disks (LUKS)
    #[arg(long, conflicts_with = "root")]
    ask_passphrase: bool,
    /// MiB of memory that the overlays may fill [default: a quarter of what is free]
    #[arg(long, value_name = "MIB", conflicts_with = "root")]
    memory: Option<u64>,
    /// The machine that the system is on, as for assess: its devices are compared with the guests'
    /// [default: this machine where no root is named, else none]
    #[arg(long, value_name = "SOURCE")]
    from: Option<PathBuf>,
    /// How to print
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// Arguments of the look in a process of its own.
#[derive(clap::Args)]
pub struct LookArguments {
    /// What is read is the passphrase of encrypted disks
    #[arg(long)]
    passphrase: bool,
    /// The files that a plan is made from are read too
    #[arg(long)]
    files: bool,
    /// Bytes that the overlays may fill
    #[arg(long)]
    bound: Option<u64>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    Text,
    Json,
}

/// Reads and prints. Nothing is written. Of a named folder nothing outside is opened.
pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    // Before the disks are looked at, for then there are more block devices than the machine has.
    let machine = machine(arguments)?;
    let found = found(arguments, machine.as_ref())?;
    let systems = Systems::new(found, machine.as_ref());
    let findings = systems.systems.iter().flat_map(|system| &system.findings);
    let blocks = findings
        .chain(&systems.findings)
        .any(|finding| finding.severity == Severity::Blocks);
    let output = match arguments.format {
        Format::Text => report::systems_text(&systems, &TextOptions::default()),
        Format::Json => report::systems_json(&systems),
    };
    write_out(&output)?;
    Ok(ExitCode::from(u8::from(blocks)))
}

/// Prints what was found and not yet compared with a machine, or why nothing could be looked at.
pub fn look(arguments: &LookArguments) -> Result<ExitCode> {
    let command_line = std::fs::read_to_string("/proc/cmdline").unwrap_or_default();
    let options = options::parse(&command_line).0;
    // The log of a host is not Preflight's.
    if is_stick() {
        log::start(options.log);
    }
    let mut passphrase = Vec::new();
    std::io::stdin()
        .read_to_end(&mut passphrase)
        .context("the passphrase cannot be read")?;
    let found = on_disks(&DiskOptions {
        data: options.data,
        passphrase: arguments.passphrase.then_some(passphrase),
        bound: arguments.bound,
        with_files: arguments.files,
    })
    .map_err(|error| format!("{error:#}"));
    write_out(&serde_json::to_string(&found)?)?;
    Ok(ExitCode::SUCCESS)
}

fn found(arguments: &Arguments, machine: Option<&Machine>) -> Result<Found> {
    if let Some(root) = &arguments.root {
        return in_folder(root, &arguments.esp, machine);
    }
    if !arguments.disks && !is_stick() {
        return in_running_system(&arguments.esp);
    }
    let passphrase = passphrase(arguments)?;
    let interrupts = Interrupts::hold_back().context("signals cannot be held back")?;
    on_disks_in_own_process(&Watched {
        passphrase: passphrase.as_deref(),
        bound: arguments.memory.map(|mib| mib.saturating_mul(1 << 20)),
        interrupts: Some(&interrupts),
        ..Watched::default()
    })
    .map(|on_disks| on_disks.found)
    .context("the disks cannot be looked at")
}

fn passphrase(arguments: &Arguments) -> Result<Option<Vec<u8>>> {
    if arguments.ask_passphrase {
        return ask_passphrase().map(Some);
    }
    let read = arguments.passphrase_file.as_ref().map(|path| {
        std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()))
    });
    read.transpose()
}

fn machine(arguments: &Arguments) -> Result<Option<Machine>> {
    match (&arguments.from, &arguments.root) {
        (Some(path), _) => Ok(Some(hardware::load(path, Names::find().as_ref())?.machine)),
        (None, None) => Ok(Some(hardware::read(&Source::live())?)),
        (None, Some(_)) => Ok(None),
    }
}

/// A reader that closes early (`| head`) is no error.
fn write_out(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    match writeln!(out, "{}", text.trim_end()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => other.context("cannot write to standard output"),
    }
}
