use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context;
use image_builder::apt::{self, Request};
use image_builder::firmware::Missing;
use image_builder::image::Level;
use image_builder::initramfs::{self, Binary, Built, LeftOut, Recipe};
use image_builder::modules::HostKernel;
use image_builder::tools::Tool;

use super::output::{Format, megabytes, progress, report};
use super::refresh::Refresh;
use super::source_date_epoch;

/// Of one module; JSON has all.
const SHOWN_FILES: usize = 3;

const PCI_IDS: &str = "/usr/share/misc/pci.ids";

/// Build the initramfs: /init, the kernel's modules for storage and input, device names.
///
/// The same inputs give the same bytes, whoever builds them and where. SOURCE_DATE_EPOCH sets the
/// time of all files; without it they are from 1970.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// A kernel's .deb file, a folder with boot/ and lib/modules/, or `host`: the kernel that this machine runs, on
    /// Proxmox VE with its ZFS
    #[arg(long, value_name = "FILE|FOLDER|host")]
    kernel: PathBuf,
    /// Which kernel release, when there are several; with --kernel host, another one than the running one
    #[arg(long)]
    release: Option<String>,
    /// The preflight program, which becomes /init
    #[arg(long)]
    init: PathBuf,
    /// The file to write
    #[arg(short, long)]
    output: PathBuf,
    #[command(flatten)]
    refresh: Refresh,
    /// Also write the kernel image to this file
    #[arg(long)]
    kernel_out: Option<PathBuf>,
    /// Another list of modules than boot-assets/modules.list
    #[arg(long)]
    modules_list: Option<PathBuf>,
    /// More modules: names, or paths such as drivers/net/phy/*
    #[arg(long, num_args = 1..)]
    add_modules: Vec<String>,
    /// A folder with .ko files built for this kernel outside its package, such as ZFS's
    /// (/lib/modules/RELEASE/updates/dkms); what is carried of them --with and --add-modules say
    #[arg(long, value_name = "FOLDER")]
    modules_from: Vec<PathBuf>,
    /// More programs, with the libraries that they need; after a colon the path in the image
    #[arg(long, num_args = 1.., value_name = "PATH[:DEST]")]
    add_binary: Vec<String>,
    /// Sets of programs: lvm, zfs, btrfs, mdadm, cryptsetup, fsck; `zfs?` where the kernel has its modules; `none`
    #[arg(long, value_delimiter = ',', default_value = "lvm,btrfs,zfs?")]
    with: Vec<String>,
    /// The root folder of the system that --add-binary and --with take programs from [default: this
    /// machine for --add-binary, packages from its mirror for --with]
    #[arg(long)]
    system: Option<PathBuf>,
    /// The list of PCI device names [default: that of the package pci.ids]
    #[arg(long)]
    pci_ids: Option<PathBuf>,
    /// A static busybox, or the .deb file or unpacked folder of its package
    #[arg(long)]
    busybox: Option<PathBuf>,
    /// Processor microcode to be loaded before the kernel starts its work: the Debian package (intel-microcode,
    /// amd64-microcode), an archive with kernel/x86/microcode, or the vendor's file. No image has any by itself
    #[arg(long, value_name = "FILE")]
    microcode: Vec<PathBuf>,
    /// Firmware: a Debian package, a folder of packages, or a folder such as /lib/firmware, of which the files that
    /// carried modules ask for are carried. No image has any by itself
    #[arg(long, value_name = "FILE|FOLDER")]
    firmware: Vec<PathBuf>,
    /// How hard to compress
    #[arg(long, default_value = "fast")]
    level: LevelName,
    /// How to print what was built
    #[arg(long, default_value = "text")]
    format: Format,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum LevelName {
    /// Not at all
    None,
    /// zstd, for daily builds
    Fast,
    /// xz, for releases: takes half a minute
    Small,
}

pub(crate) fn run(arguments: Arguments) -> anyhow::Result<()> {
    let start = Instant::now();
    let (format, output) = (arguments.format, arguments.output.clone());
    let fetch_tools = arguments.system.is_none();
    let refresh = arguments.refresh;
    let mut recipe = recipe(arguments)?;
    let kernel = initramfs::kernel(&recipe, &progress)?;
    if fetch_tools {
        recipe.tools_system = tools_system(&recipe.tools(&kernel)?, refresh)?;
    }
    let built = initramfs::build_for(&kernel, &recipe, &output, &progress)?;
    report(format, &output, &built, |built| {
        let seconds = start.elapsed().as_secs_f64();
        format!("{}\n{}", summary(built, seconds), table(built))
    })
}

fn recipe(arguments: Arguments) -> anyhow::Result<Recipe> {
    let mut recipe = Recipe::new(arguments.kernel, arguments.init);
    recipe.release = arguments.release;
    if recipe.kernel == Path::new("host") {
        let host = HostKernel::find(Path::new("/"), recipe.release.as_deref())?;
        recipe.kernel = host.root;
        recipe.release = Some(host.release);
    }
    if let Some(path) = &arguments.modules_list {
        recipe.module_list =
            fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    }
    recipe.pci_ids = Some(match arguments.pci_ids {
        Some(path) => path,
        None if fs::exists(PCI_IDS)? => PCI_IDS.into(),
        None => anyhow::bail!(
            "there is no {PCI_IDS}; install the Debian package pci.ids, or name a file with --pci-ids"
        ),
    });
    recipe.more_modules = arguments.add_modules;
    recipe.module_folders = arguments.modules_from;
    let system = arguments.system.unwrap_or_else(|| PathBuf::from("/"));
    let binaries = arguments.add_binary.iter();
    recipe.binaries = binaries
        .map(|text| binary(text, &system))
        .collect::<anyhow::Result<_>>()?;
    recipe.tools = tools(arguments.with)?;
    recipe.system = system;
    recipe.microcode = arguments.microcode;
    recipe.firmware = arguments.firmware;
    recipe.busybox = arguments.busybox;
    recipe.kernel_output = arguments.kernel_out;
    recipe.modified = source_date_epoch()?;
    recipe.level = match arguments.level {
        LevelName::None => Level::None,
        LevelName::Fast => Level::Fast,
        LevelName::Small => Level::Small,
    };
    Ok(recipe)
}

/// The names behind --with, of which `none` and nothing at all stand for no tools.
fn tools(mut names: Vec<String>) -> anyhow::Result<Vec<String>> {
    names.retain(|name| !name.is_empty());
    if names.iter().any(|name| name == "none") {
        anyhow::ensure!(
            names.len() == 1,
            "--with {}: none stands alone, for no sets of programs",
            names.join(",")
        );
        names.clear();
    }
    Ok(names)
}

/// The packages of these tools with all they depend on, unpacked in the cache. What this machine has
/// installed would make images that differ.
fn tools_system(tools: &[Tool], refresh: Refresh) -> anyhow::Result<Option<PathBuf>> {
    let packages: BTreeSet<&str> = tools
        .iter()
        .flat_map(|tool| tool.packages)
        .copied()
        .collect();
    if packages.is_empty() {
        return Ok(None);
    }
    let request = Request::new(packages).with_dependencies();
    let component = tools.iter().find_map(|tool| tool.component);
    let request = request.with_component(component);
    let tree = apt::cached_tree(&refresh.cache()?, &request).with_context(|| {
            "cannot fetch the packages of the tools; name a system that has them with --system, or build without \
             tools: --with none"
    })?;
    Ok(Some(tree))
}

fn binary(text: &str, system: &Path) -> anyhow::Result<Binary> {
    let (path, destination) = match text.split_once(':') {
        Some((path, destination)) => (path, Some(destination.to_owned())),
        None => (text, None),
    };
    if let Some(destination) = &destination {
        let named = Path::new(destination).file_name().is_some();
        let plain = destination.starts_with('/') && !destination.contains("/..");
        anyhow::ensure!(
            named && plain && !destination.ends_with('/'),
            "--add-binary {text}: behind the colon stands the path in the image, such as /bin/tool"
        );
    }
    // Only in the running system does a relative path start in this folder.
    let path = if system == Path::new("/") {
        let absolute = std::path::absolute(path).with_context(|| format!("no path: '{path}'"))?;
        absolute.to_string_lossy().into_owned()
    } else {
        path.to_owned()
    };
    Ok(Binary { path, destination })
}

fn summary(built: &Built, seconds: f64) -> String {
    let bytes = usize::try_from(built.bytes).unwrap_or(usize::MAX);
    format!(
        "{} MB ({} MB unpacked), kernel {}, {} modules, built in {seconds:.1} s",
        megabytes(bytes),
        megabytes(built.unpacked),
        built.kernel,
        built.modules
    )
}

fn table(built: &Built) -> String {
    let width = built.sizes.iter().map(|size| size.reason.len()).max();
    let width = width.unwrap_or_default().max("unpacked".len());
    let mut text = format!("\n  {:width$}  {:>7}  {:>5}", "unpacked", "MB", "files");
    for size in &built.sizes {
        let megabytes = megabytes(size.bytes);
        text.push_str(&format!(
            "\n  {:width$}  {megabytes:>7}  {:>5}",
            size.reason, size.files
        ));
    }
    for LeftOut { tool, modules } in &built.tools_left_out {
        text.push_str(&format!(
            "\n\n  without {tool}: this kernel has no {}; --modules-from names a folder of modules built for it",
            modules.join(", ")
        ));
    }
    if !built.firmware_missing.is_empty() {
        text.push_str("\n\n  firmware that modules may ask for and that is not carried (--firmware FILE|FOLDER):");
    }
    for Missing { module, files } in &built.firmware_missing {
        let shown: Vec<_> = files.iter().take(SHOWN_FILES).map(String::as_str).collect();
        text.push_str(&format!("\n  {module}: {}", shown.join(" ")));
        let more = files.len() - shown.len();
        if more > 0 {
            text.push_str(&format!(" and {more} more"));
        }
    }
    if !built.left_out.is_empty() {
        text.push_str("\n\n  left out, since an image never carries graphics drivers:");
        for chain in &built.left_out {
            text.push_str(&format!("\n  {chain}"));
        }
    }
    text
}
