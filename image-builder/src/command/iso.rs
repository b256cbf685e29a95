use std::path::PathBuf;
use std::time::Instant;

use image_builder::grub::Packages;
use image_builder::iso::{self, Built, Xorriso};
use image_builder::progress::Progress;

use super::medium::Medium;
use super::output::{Format, file_lines, progress, report, size_and_time};
use super::refresh::Refresh;

/// Build the ISO: for a CD, a remote console's virtual CD, Ventoy, or a stick.
///
/// It starts on BIOS, on UEFI, and with Secure Boot on. Written to a stick as it is, it saves its results there, in 16
/// MB; `usb` makes the image that takes the whole stick. The same inputs give the same bytes.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    medium: Medium,
    /// The file to write
    #[arg(short, long)]
    output: PathBuf,
    #[command(flatten)]
    refresh: Refresh,
    /// How to print what was built
    #[arg(long, default_value = "text")]
    format: Format,
}

pub(crate) fn run(arguments: Arguments) -> anyhow::Result<()> {
    let start = Instant::now();
    let recipe = arguments.medium.recipe()?;
    progress(Progress::Doing("fetching boot loaders and xorriso"));
    let cache = arguments.refresh.cache()?;
    let (packages, xorriso) = (Packages::fetch(&cache)?, Xorriso::fetch(&cache)?);
    let output = &arguments.output;
    let built = iso::build(&recipe, &packages, &xorriso, output, &progress)?;
    report(arguments.format, output, &built, |built| text(built, start))
}

fn text(built: &Built, start: Instant) -> String {
    let head = size_and_time(built.bytes, start);
    format!("{head}\n{}", file_lines(&built.files))
}
