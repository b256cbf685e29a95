use std::path::{Path, PathBuf};

use anyhow::Context;
use image_builder::apt::{self, Request};
use image_builder::cache::Cache;

use super::output::{clear_progress, progress};

/// Short names for what an image is made of.
const SHORT_NAMES: [(&str, &str); 2] = [
    ("kernel", "linux-image-amd64"),
    ("busybox", "busybox-static"),
];

/// Put a Debian package into the cache and print the path of its .deb file, or of the folder when
/// there are several.
///
/// The package comes from the mirror that this machine's apt uses and is not installed. A cached
/// file is used again until --refresh asks for the current one.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// `kernel`, `busybox`, or the name of a Debian package
    #[arg(required = true)]
    packages: Vec<String>,
    /// Take it from these suites of Debian, such as trixie+trixie-backports, instead of the
    /// machine's own
    #[arg(long, value_delimiter = '+')]
    suite: Vec<String>,
    /// Take it also from this component of Debian, such as non-free-firmware, which has microcode
    #[arg(long)]
    component: Option<String>,
    /// Fetch also all that they depend on
    #[arg(long)]
    with_dependencies: bool,
    /// Print the path of the unpacked files instead; an image is built faster from them
    #[arg(long)]
    unpack: bool,
    /// Fetch what is current, even when the cache has a file
    #[arg(long)]
    refresh: bool,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let cache = Cache::open()?.watched_by(progress);
    for name in &arguments.packages {
        let fetched = fetch(&cache, arguments, name)?;
        clear_progress();
        println!("{}", fetched.display());
    }
    Ok(())
}

fn fetch(cache: &Cache, arguments: &Arguments, name: &str) -> anyhow::Result<PathBuf> {
    let long_name = SHORT_NAMES.iter().find(|(short, _)| *short == name);
    let mut request = Request::new([long_name.map_or(name, |(_, package)| package)]);
    if !arguments.suite.is_empty() {
        request = request.from_debian(arguments.suite.iter().map(String::as_str));
    }
    request.component = arguments.component.clone();
    request.with_dependencies = arguments.with_dependencies;
    request.renew = arguments.refresh;
    if arguments.unpack {
        return Ok(apt::cached_tree(cache, &request)?);
    }
    let debs = apt::cached_debs(cache, &request)?;
    match debs.as_slice() {
        [only] => Ok(only.clone()),
        several => several
            .first()
            .and_then(|path| path.parent())
            .map(Path::to_owned)
            .with_context(|| format!("the cache has lost the files of {name}")),
    }
}
