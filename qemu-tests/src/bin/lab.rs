//! `lab list`: machines and cards by name. `lab run`: boots an image on one of them, on the showcase
//! machine, or on one that a test has described, and shows what it leaves on the stick.

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::{Args, Parser, Subcommand};
use image_builder::cache::Cache;
use nix::sys::termios::{SetArg, tcgetattr, tcsetattr};
use qemu_tests::catalog::{self, CARDS, MACHINES, named};
use qemu_tests::golden::{self, Golden};
use qemu_tests::{
    Boot, Description, Failure, Images, Machine, Milestone, Outcome, Qemu, Showcase, Stick, sha256,
};

/// Emulated machines for Preflight.
#[derive(Parser)]
#[command(name = "lab")]
struct Lab {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List the machines and the cards.
    List,
    /// Boot an image on a machine, and list what it has saved. Without a name it is one with an IOMMU and
    /// a graphics card.
    Run(Run),
    /// Fetch the QEMU that the lab uses, and say where it is.
    Qemu {
        /// Fetch what is current, even when there is one.
        #[arg(long)]
        refresh: bool,
    },
}

#[derive(Args)]
struct Run {
    /// The kernel (bzImage).
    #[arg(long, value_name = "FILE")]
    kernel: PathBuf,
    /// The initramfs.
    #[arg(long, value_name = "FILE")]
    initramfs: PathBuf,
    /// Folder for the disk images of the machine; the stick in it is made anew.
    #[arg(long, value_name = "DIR", default_value = "out/lab/run")]
    out: PathBuf,
    /// A machine by name.
    #[arg(long, value_name = "NAME")]
    machine: Option<String>,
    /// A machine as a test has printed it, in a file of JSON.
    #[arg(long, value_name = "FILE", conflicts_with = "machine")]
    machine_file: Option<PathBuf>,
    /// The machine of an installed system, by the name that `golden list` gives it; what is written to its disks
    /// is thrown away. The disks of each further name are put into the machine of the first.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["machine", "machine_file"])]
    installed: Vec<String>,
    /// The card of the machine, by name.
    #[arg(
        long,
        value_name = "NAME",
        requires = "machine",
        default_value = "nvidia-gtx650"
    )]
    card: String,
    /// Guest time as a count of instructions, a nanosecond each.
    #[arg(long)]
    count_instructions: bool,
    /// A word for the kernel's command line, such as preflight.mode=shell. May be repeated.
    #[arg(long, value_name = "OPTION")]
    option: Vec<String>,
}

/// The longest that a guest may run when nobody sits at it.
const PATIENCE: Duration = Duration::from_secs(600);

fn main() -> ExitCode {
    let done = match Lab::parse().command {
        Command::List => {
            list_catalog();
            Ok(())
        }
        Command::Run(run) => boot(&run),
        Command::Qemu { refresh } => fetch(refresh),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("lab: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn fetch(refresh: bool) -> Result<()> {
    let qemu = if refresh {
        Qemu::private(true)?
    } else {
        Qemu::obtain()?
    };
    println!("{}", qemu.place());
    Ok(())
}

fn boot(run: &Run) -> Result<()> {
    let qemu = Qemu::obtain()?;
    let images = Images {
        kernel: readable(&run.kernel)?,
        initramfs: readable(&run.initramfs)?,
    };
    fs::create_dir_all(&run.out).with_context(|| run.out.display().to_string())?;
    let (machine, stick) = machine(run, &qemu)?;
    let mut boot = Boot::new("by-hand", &images, machine).option("quiet");
    if run.count_instructions {
        boot = boot.count_instructions();
    }
    for option in &run.option {
        boot = boot.option(option);
    }
    if io::stdin().is_terminal() && io::stdout().is_terminal() {
        println!(
            "Starting {}. Ctrl-A X switches the machine off.",
            qemu.place()
        );
        at_terminal(&boot, &qemu)?;
    } else {
        println!("Starting {}.", qemu.place());
        unattended(boot.option("preflight.end=poweroff"), &qemu)?;
    }
    list(&stick)
}

fn list_catalog() {
    println!("Machines:");
    for machine in MACHINES {
        println!("  {:<14} {}", machine.name, machine.about);
    }
    println!("Cards:");
    for card in CARDS {
        println!("  {:<14} {}", card.name, card.about);
    }
    println!("Boot one: make lab MACHINE=q35 CARD=nvidia-gtx650");
}

/// The machine that was asked for, and its stick.
fn machine(run: &Run, qemu: &Qemu) -> Result<(Machine, Stick)> {
    let stick = Stick::new(&run.out).context("the machine's stick")?;
    if let Some(name) = &run.machine {
        if !qemu.is_recent() {
            bail!("{} takes no cards in software; it is too old", qemu.place());
        }
        let machine = named(MACHINES, name).map_err(anyhow::Error::msg)?;
        let card = named(CARDS, &run.card).map_err(anyhow::Error::msg)?;
        println!(
            "{}: {}.\n{}: {}.",
            name, machine.about, run.card, card.about
        );
        let machine = catalog::machine(machine, card, &run.out)?;
        return Ok((machine.stick(&stick), stick));
    }
    if let Some(file) = &run.machine_file {
        let json = fs::read_to_string(file).with_context(|| file.display().to_string())?;
        let machine: Description =
            serde_json::from_str(&json).with_context(|| file.display().to_string())?;
        return Ok((machine.machine().stick(&stick), stick));
    }
    if let [first, others @ ..] = run.installed.as_slice() {
        let machine = installed(first, others, &run.out, qemu)?;
        return Ok((machine.stick(&stick), stick));
    }
    let showcase = Showcase::with_stick(qemu, &run.out, stick).context("the machine's disks")?;
    Ok((showcase.machine, showcase.stick))
}

fn installed(first: &str, others: &[String], folder: &Path, qemu: &Qemu) -> Result<Machine> {
    let cache = Cache::open()?;
    let obtain = |name: &str| {
        let golden = Golden::named(name)
            .with_context(|| format!("there is no '{name}'; `golden list` names those that are"))?;
        let installed = golden::obtain(golden, &cache, qemu)?;
        let disks = installed.overlays(folder, qemu)?;
        Ok::<_, anyhow::Error>((installed, disks))
    };
    let (host, disks) = obtain(first)?;
    let mut machine = host.machine(&disks, folder)?;
    for name in others {
        let (installed, disks) = obtain(name)?;
        machine = installed.attach(machine, &disks);
    }
    Ok(machine)
}

fn readable(path: &Path) -> Result<PathBuf> {
    fs::File::open(path).with_context(|| format!("{}; run make image first", path.display()))?;
    Ok(path.to_owned())
}

/// Gives the terminal to the guest, and takes it back in the state it was in.
fn at_terminal(boot: &Boot, qemu: &Qemu) -> Result<()> {
    let stdin = io::stdin();
    let before = tcgetattr(&stdin).context("the terminal's settings")?;
    let ended = boot.on_terminal(qemu);
    tcsetattr(&stdin, SetArg::TCSADRAIN, &before).context("the terminal's settings")?;
    let status = ended.context("QEMU does not start")?;
    println!();
    if !status.success() {
        bail!("QEMU ended with {status}");
    }
    Ok(())
}

/// Prints the guest's console until the guest ends by itself.
fn unattended(boot: Boot, qemu: &Qemu) -> Result<()> {
    let started = Instant::now();
    let mut run = boot.start(qemu)?;
    let mut printed = 0;
    let ended: Result<(), Failure> = run.wait("the end", PATIENCE, |run| {
        let bytes = run.serial().bytes();
        let mut out = io::stdout().lock();
        let shown = out.write_all(&bytes[printed..]).and_then(|()| out.flush());
        printed = bytes.len();
        shown
            .err()
            .map(|error| Err(Outcome::Lab(format!("standard output: {error}"))))
    });
    match ended {
        Err(failure) if failure.outcome == Outcome::NoVerdict => {}
        Err(failure) => return Err(failure.into()),
        Ok(()) => {}
    }
    let seconds = started.elapsed().as_secs_f64();
    println!("\nThe machine was up for {seconds:.1} s.");
    if !run.has_passed(Milestone::Shown) {
        bail!("it ended without a report");
    }
    Ok(())
}

fn list(stick: &Stick) -> Result<()> {
    let files = stick.files().context("the stick's file system")?;
    println!("The stick is {}.", stick.path().display());
    if files.is_empty() {
        bail!("nothing was saved on it");
    }
    println!("{} files were saved on it:", files.len());
    for file in files {
        println!("{:>9}  {}", file.bytes.len(), file.path);
        println!("           sha256 {}", sha256(&file.bytes));
    }
    Ok(())
}
