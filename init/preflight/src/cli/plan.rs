use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use hardware::Machine;
use plan::{SystemFiles, diff};

use super::assess::write_out;
use super::wish::Wish;
use crate::systems::{
    Interrupts, OneSystem, Watched, Which, in_folder, in_running_system, one_on_disks, open,
};

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
    #[command(flatten)]
    wish: Wish,
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
    arguments.wish.must_name_a_card()?;
    let seen = arguments.wish.seen()?;
    let system = system(arguments, seen.machine())?;
    let plan = arguments.wish.plan(&seen, &system)?;
    let output = match arguments.format {
        Format::Diff => diff(&plan),
        Format::Json => serde_json::to_string_pretty(&plan)?,
    };
    write_out(&output)?;
    Ok(ExitCode::from(u8::from(plan.is_refused())))
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
        return on_the_disks(which);
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

/// The system on the disks, looked for until somebody interrupts it.
pub fn on_the_disks(which: Which) -> Result<OneSystem> {
    let interrupts = Interrupts::hold_back().context("signals cannot be held back")?;
    let watched = Watched {
        interrupts: Some(&interrupts),
        ..Watched::default()
    };
    one_on_disks(which, &watched)
}
