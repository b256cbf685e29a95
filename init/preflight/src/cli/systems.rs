use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use assess::Severity;
use clap::ValueEnum;
use hardware::{FirmwareKind, Machine, Names, Reading, Source};
use proxmox::boot::esp::EspSource;
use proxmox::boot::firmware::{BootEntries, read_boot_entries};
use proxmox::files::Kind;
use proxmox::{Sources, System, Systems, look};
use report::TextOptions;
use storage::Root;

/// Arguments of `preflight systems`.
#[derive(clap::Args)]
pub struct Arguments {
    /// The root of an installed system, with /boot in it [default: this running system]
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
    /// An EFI system partition of its machine, as a folder; once for each
    #[arg(long, value_name = "DIR")]
    esp: Vec<PathBuf>,
    /// The machine that the system is on, as for assess: its devices are compared with the guests'
    /// [default: this machine where no root is named, else none]
    #[arg(long, value_name = "SOURCE")]
    from: Option<PathBuf>,
    /// How to print
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    Text,
    Json,
}

/// Where systems mount their ESP.
const ESP_MOUNTS: [&str; 3] = ["/boot/efi", "/efi", "/boot"];
const EFIVARS: &str = "/sys/firmware/efi/efivars";

/// Reads and prints. Nothing is written, and nothing outside the named folders is opened.
pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let path = arguments.root.as_deref().unwrap_or(Path::new("/"));
    let root = open(path)?;
    let mounted = mounted_esps(&root);
    let mut esps: Vec<(String, Root)> = mounted;
    for path in &arguments.esp {
        esps.push((path.display().to_string(), open(path)?));
    }
    let machine = machine(arguments)?;
    let live = arguments.root.is_none();
    let (firmware, entries) = if live {
        (
            machine
                .as_ref()
                .map_or(Reading::Absent, |machine| machine.firmware.clone()),
            boot_entries(),
        )
    } else {
        saved_firmware(machine.as_ref())
    };
    let sources = Sources {
        root: &root,
        esps: esps.iter().map(source).collect(),
        firmware,
        entries,
        disk_uses: Reading::Absent,
    };
    let system = System::new(path.display().to_string(), look(&sources), machine.as_ref());
    let blocks = system
        .findings
        .iter()
        .any(|finding| finding.severity == Severity::Blocks);
    let systems = Systems::new(vec![system]);
    let output = match arguments.format {
        Format::Text => report::systems_text(&systems, &TextOptions::default()),
        Format::Json => report::systems_json(&systems),
    };
    write_out(&output)?;
    Ok(ExitCode::from(u8::from(blocks)))
}

fn open(path: &Path) -> Result<Root> {
    Root::open(path).with_context(|| {
        format!(
            "{} cannot be opened; give a folder that can be read",
            path.display()
        )
    })
}

fn source((name, files): &(String, Root)) -> EspSource<'_> {
    EspSource {
        name: name.clone(),
        volume_id: None,
        partition: None,
        files,
    }
}

/// ESPs that are mounted inside the root: they have a folder EFI or loader.
fn mounted_esps(root: &Root) -> Vec<(String, Root)> {
    let mut found = Vec::new();
    for mount in ESP_MOUNTS {
        let Ok(folder) = root.folder(mount) else {
            continue;
        };
        let holds = |name: &str| folder.kind(Path::new(name)) == Ok(Kind::Folder);
        // /boot is the ESP itself on some systems; on others the ESP is mounted below it.
        let is_esp =
            (holds("EFI") || holds("loader/entries")) && !(mount == "/boot" && holds("grub"));
        if is_esp {
            found.push((mount.to_owned(), folder));
        }
    }
    found
}

fn machine(arguments: &Arguments) -> Result<Option<Machine>> {
    match (&arguments.from, &arguments.root) {
        (Some(path), _) => Ok(Some(hardware::load(path, Names::find().as_ref())?.machine)),
        (None, None) => Ok(Some(hardware::read(&Source::live())?)),
        (None, Some(_)) => Ok(None),
    }
}

fn boot_entries() -> Reading<BootEntries> {
    Root::open(Path::new(EFIVARS)).map_or(Reading::Absent, |files| read_boot_entries(&files))
}

fn saved_firmware(machine: Option<&Machine>) -> (Reading<FirmwareKind>, Reading<BootEntries>) {
    let unknown = "a folder does not say how its machine starts".to_owned();
    let firmware = machine.map_or(Reading::Unknown(unknown.clone()), |machine| {
        machine.firmware.clone()
    });
    (firmware, Reading::Unknown(unknown))
}

/// A reader that closes early (`| head`) is no error.
fn write_out(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    match writeln!(out, "{}", text.trim_end()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => other.context("cannot write to standard output"),
    }
}
