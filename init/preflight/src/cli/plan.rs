use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use assess::Options;
use clap::ValueEnum;
use hardware::{Machine, Names, Source};
use option_rom::Rom;
use pci::Address;
use plan::{Choice, RomFile, Subject, SystemFiles, diff, refusal_ids, sha256};

use super::assess::write_out;
use crate::session::look::{self, Basis};
use crate::systems::{
    Interrupts, OneSystem, Watched, Which, in_folder, in_running_system, one_on_disks, open,
};

/// Larger than any option ROM: the region of one is at most 16 MiB (PCI 3.0, 6.2.5.2).
const LARGEST_ROM: u64 = 16 << 20;

/// Arguments of `preflight plan`.
#[derive(clap::Args)]
pub struct Arguments {
    /// The root of the installed system, with /boot in it; / is this running system; auto is the one on the disks,
    /// read through overlays in memory, and auto:N the one with that number in 'preflight systems'
    #[arg(long, value_name = "DIR|auto")]
    root: PathBuf,
    /// An EFI system partition of its machine, as a folder; once for each
    #[arg(long, value_name = "DIR")]
    esp: Vec<PathBuf>,
    /// A function to be given to the guest, as 0000:01:00.0; the others of its card go with it
    #[arg(long, value_name = "ADDRESS", required = true, num_args = 1..)]
    device: Vec<Address>,
    /// The machine that the system is on, as for assess [default: this machine]
    #[arg(long, value_name = "SOURCE")]
    from: Option<PathBuf>,
    /// The guest (VMID) that is to get them [default: no guest is touched]
    #[arg(long, value_name = "ID")]
    vm: Option<u32>,
    /// A ROM for the card, as 'preflight rom dump' saves it
    #[arg(long, value_name = "FILE")]
    rom: Option<PathBuf>,
    /// Set an option; docs/plan.md has them all
    #[arg(long, value_name = "OPTION=VALUE")]
    set: Vec<String>,
    /// Take a refusal as said, by its id
    #[arg(long, value_name = "REFUSAL")]
    accept: Vec<String>,
    /// How to print
    #[arg(long, value_enum, default_value_t = Format::Diff)]
    format: Format,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    Diff,
    Json,
}

/// Plans and prints. Nothing is written.
pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let names = Names::find();
    let saved = match &arguments.from {
        Some(path) => hardware::load(path, names.as_ref())?,
        None => hardware::Saved {
            machine: hardware::read(&Source::live())?,
            roms: None,
            names: None,
        },
    };
    let judged = look::judge(
        saved.machine,
        &Basis {
            roms: saved.roms.as_deref(),
            names: saved.names.as_ref().or(names.as_ref()),
            options: &options(arguments)?,
        },
    );
    let system = system(arguments, &judged.machine)?;
    let choice = choice(arguments, &judged.machine)?;
    let plan = plan::plan(
        Subject {
            machine: &judged.machine,
            assessment: &judged.assessment,
            installation: system.installation()?,
            files: &system.files,
            disks: system.found.look.as_ref().map(|look| look.uses.as_slice()),
        },
        &choice,
    );
    let output = match arguments.format {
        Format::Diff => diff(&plan),
        Format::Json => serde_json::to_string_pretty(&plan)?,
    };
    write_out(&output)?;
    Ok(ExitCode::from(u8::from(plan.is_refused())))
}

/// Groups are judged as they will be: under the override that the plan switches on.
fn options(arguments: &Arguments) -> Result<Options> {
    let asked = arguments
        .set
        .iter()
        .rev()
        .find_map(|setting| setting.strip_prefix("acs-override="));
    let acs_override = asked.unwrap_or("none").parse();
    Ok(Options {
        acs_override: acs_override.context("--set acs-override takes none, or a comma list of downstream, multifunction, id:VVVV:DDDD")?,
    })
}

fn system(arguments: &Arguments, machine: &Machine) -> Result<OneSystem> {
    let root = &arguments.root;
    if let Some(which) = root.to_str().and_then(Which::parse) {
        if !arguments.esp.is_empty() {
            bail!(
                "--root {} finds the EFI system partitions itself; leave --esp out",
                root.display()
            );
        }
        let interrupts = Interrupts::hold_back().context("signals cannot be held back")?;
        let watched = Watched {
            interrupts: Some(&interrupts),
            ..Watched::default()
        };
        return one_on_disks(which, &watched);
    }
    let found = if root == Path::new("/") {
        in_running_system(&arguments.esp)?
    } else {
        in_folder(root, &arguments.esp, Some(machine))?
    };
    let (_, installation) = found.systems.first().context("no system was read")?;
    let files = SystemFiles::read(&open(root)?, installation);
    Ok(OneSystem {
        found,
        index: 0,
        files,
    })
}

fn choice(arguments: &Arguments, machine: &Machine) -> Result<Choice> {
    let mut choice = Choice {
        devices: arguments.device.clone(),
        guest: arguments.vm,
        accepted: arguments.accept.iter().cloned().collect(),
        ..Choice::default()
    };
    for setting in &arguments.set {
        choice.set(setting)?;
    }
    if let Some(unknown) = arguments
        .accept
        .iter()
        .find(|id| !refusal_ids().any(|known| known == id.as_str()))
    {
        bail!("there is no refusal '{unknown}'; docs/plan.md has them all");
    }
    choice.rom = arguments
        .rom
        .as_deref()
        .map(|path| rom(path, arguments, machine))
        .transpose()?;
    Ok(choice)
}

/// The file, judged for the display among the chosen devices, else for the first of them.
fn rom(path: &Path, arguments: &Arguments, machine: &Machine) -> Result<RomFile> {
    let cannot = || format!("{} cannot be read; give a ROM file", path.display());
    let length = std::fs::metadata(path).with_context(cannot)?.len();
    if length > LARGEST_ROM {
        bail!(
            "{} is {length} bytes long, more than any option ROM; give a ROM file",
            path.display()
        );
    }
    let bytes = std::fs::read(path).with_context(cannot)?;
    let chosen = machine.functions.iter().filter(|function| {
        let slots = arguments.device.iter().map(|device| device.slot());
        slots
            .into_iter()
            .any(|slot| slot == function.address.slot())
    });
    let chosen: Vec<_> = chosen.collect();
    let display = chosen.iter().find(|function| function.class.is_display());
    let rom = Rom::parse(&bytes);
    Ok(RomFile {
        path: path.display().to_string(),
        length: bytes.len(),
        sha256: sha256(&bytes),
        rom: match display.or(chosen.first()) {
            Some(function) => rom.judged_for(function.id),
            None => rom,
        },
    })
}
