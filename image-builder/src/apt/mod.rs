//! Fetches Debian packages with the machine's apt, without installing them.
//!
//! Every call runs with a private state folder, so the machine's package state is never changed and
//! nobody needs to be root. apt checks signatures and hashes as always; what the machine's
//! configuration says about proxies and mirrors stays in force.

mod error;
mod private;
mod sources;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

pub use error::AptError;
use private::PrivateApt;
pub use private::transport_settings;
pub use sources::debian_source;

use crate::cache::{Cache, CacheError};
use crate::io::{self, Context};
use crate::package::debs_in;
use crate::progress::{Progress, Watcher};

/// Counts changes of what [`cached_debs`] and [`cached_tree`] put into an entry.
const CACHE_FORMAT: u32 = 1;

/// From which release packages come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Suites {
    /// What the machine's own apt sources name.
    Machine,
    /// These suites of Debian, such as `trixie` and `trixie-backports`, from the mirror that the
    /// machine's apt uses. The last one is preferred, the others fill in.
    Debian(Vec<String>),
}

/// What to fetch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// From where.
    pub suites: Suites,
    /// Binary package names, for amd64.
    pub packages: Vec<String>,
    /// Also everything that they depend on, down to the C library, whether the machine has it
    /// installed or not. Recommended packages are left out.
    pub with_dependencies: bool,
    /// They may be in this component of Debian besides main, such as `contrib`, also where the machine's own sources
    /// do not name it.
    pub component: Option<String>,
    /// Fetch what is current even when the cache has an older answer.
    pub renew: bool,
}

impl Request {
    /// These packages alone, from the machine's own suites.
    pub fn new<'a>(packages: impl IntoIterator<Item = &'a str>) -> Self {
        Self {
            suites: Suites::Machine,
            packages: packages.into_iter().map(str::to_owned).collect(),
            with_dependencies: false,
            component: None,
            renew: false,
        }
    }

    /// The same, from these suites of Debian.
    pub fn from_debian<'a>(mut self, suites: impl IntoIterator<Item = &'a str>) -> Self {
        self.suites = Suites::Debian(suites.into_iter().map(str::to_owned).collect());
        self
    }

    /// The same, with all dependencies.
    pub fn with_dependencies(mut self) -> Self {
        self.with_dependencies = true;
        self
    }

    /// The same, also from a component of Debian.
    pub fn with_component(mut self, component: Option<&str>) -> Self {
        self.component = component.map(str::to_owned);
        self
    }

    fn components(&self) -> String {
        let component = self.component.iter().map(|name| format!(" {name}"));
        format!("main{}", component.collect::<String>())
    }

    fn cache_key(&self) -> String {
        let codename = sources::codename();
        let Self {
            suites,
            packages,
            with_dependencies,
            component,
            renew: _,
        } = self;
        let component = component.iter().map(|name| format!(" {name}"));
        let component: String = component.collect();
        format!("{CACHE_FORMAT} {codename} {suites:?} {packages:?} {with_dependencies}{component}")
    }
}

/// Fetches the packages into the folder `into`; gives the paths of the .deb files, sorted.
///
/// A package that only stands for the newest one of a row, such as `linux-image-amd64`, gives that
/// newest one. `progress` hears how it goes on.
pub fn fetch(request: &Request, into: &Path, progress: Watcher) -> Result<Vec<PathBuf>, AptError> {
    io::create_folder(into)?;
    let into = &fs::canonicalize(into).at("find", into)?;
    match &request.suites {
        Suites::Machine if sources::machine_has_lists() => {
            let apt = PrivateApt::with_machine_lists(into)?.watched_by(progress);
            // Lists that the machine has not renewed for long name files that are gone by now.
            download(&apt, request, into).or_else(|first| {
                fetch_again(request, into, progress).map_err(|again| match again {
                    AptError::Failed { .. } => first,
                    other => other,
                })
            })
        }
        Suites::Machine => fetch_again(request, into, progress),
        Suites::Debian(suites) => fetch_from_debian(suites, request, into, progress),
    }
}

fn fetch_again(
    request: &Request,
    into: &Path,
    progress: Watcher,
) -> Result<Vec<PathBuf>, AptError> {
    if request.component.is_some() {
        fetch_from_debian(&[sources::codename()], request, into, progress)
    } else {
        fetch_with_fresh_lists(request, into, progress)
    }
}

fn fetch_from_debian(
    suites: &[String],
    request: &Request,
    into: &Path,
    progress: Watcher,
) -> Result<Vec<PathBuf>, AptError> {
    let apt = PrivateApt::with_debian_suites(suites, &request.components(), into)?;
    let apt = apt.watched_by(progress);
    apt.update()?;
    download(&apt, request, into)
}

/// One of the machine's sources may be broken without any harm to the others.
fn fetch_with_fresh_lists(
    request: &Request,
    into: &Path,
    progress: Watcher,
) -> Result<Vec<PathBuf>, AptError> {
    let apt = PrivateApt::with_machine_sources(into)?.watched_by(progress);
    let updated = apt.update();
    download(&apt, request, into).map_err(|error| updated.err().unwrap_or(error))
}

/// Fetches the files of a source package (its .dsc and archives) of the machine's own release of Debian
/// into the folder `into`; gives their paths, sorted. Nothing is unpacked.
pub fn fetch_source(package: &str, into: &Path) -> Result<Vec<PathBuf>, AptError> {
    io::create_folder(into)?;
    let into = &fs::canonicalize(into).at("find", into)?;
    // apt's own folder must not be among the files.
    let place = into.parent().unwrap_or(into);
    let apt = PrivateApt::with_debian_sources(&sources::codename(), place)?;
    apt.update()?;
    apt.download_source(package, into)?;
    let files = io::list(into)?;
    if files.is_empty() {
        let packages = package.to_owned();
        return Err(AptError::Nothing { packages });
    }
    Ok(files)
}

/// Unpacks packages into one folder tree; their scripts do not run. Which file is whose is written
/// where dpkg has it (`var/lib/dpkg/info/NAME.list`), so that licences can be found.
pub fn unpack(debs: &[PathBuf], into: &Path) -> Result<(), AptError> {
    let lists = into.join("var/lib/dpkg/info");
    io::create_folder(&lists)?;
    for deb in debs {
        let mut command = Command::new("dpkg-deb");
        command.arg("--vextract").arg(deb).arg(into);
        let files = error::run(&mut command)?;
        let file = deb.file_name().unwrap_or_default().to_string_lossy();
        let package = file.split('_').next().unwrap_or_default();
        let list: String = files
            .lines()
            .map(|line| format!("{}\n", line.trim_start_matches('.').trim_end_matches('/')))
            .collect();
        io::write(&lists.join(format!("{package}.list")), list)?;
    }
    Ok(())
}

/// The .deb files of a request, in the cache. They stay as they are until a request asks to renew
/// them, so that work offline goes on and repeated builds are the same.
pub fn cached_debs(cache: &Cache, request: &Request) -> Result<Vec<PathBuf>, AptError> {
    let folder = cached(cache, "debs", request, |staging| {
        fetch(request, staging, cache.progress()).map(|_| ())
    });
    Ok(debs_in(&folder?)?)
}

/// The unpacked tree of a request, in the cache, on the same terms. Its .deb files are not kept.
pub fn cached_tree(cache: &Cache, request: &Request) -> Result<PathBuf, AptError> {
    cached(cache, "tree", request, |staging| {
        let folder = tempfile::tempdir_in(cache.folder()).at("make a folder in", cache.folder())?;
        let debs = fetch(request, folder.path(), cache.progress())?;
        cache.progress()(Progress::Doing("unpacking packages"));
        unpack(&debs, staging)
    })
}

fn cached(
    cache: &Cache,
    kind: &str,
    request: &Request,
    build: impl FnOnce(&Path) -> Result<(), AptError>,
) -> Result<PathBuf, AptError> {
    let name = match request.packages.as_slice() {
        [first, ..] => format!("{kind}-{first}"),
        [] => kind.to_owned(),
    };
    let entry = if request.renew {
        cache.renew(&name, request.cache_key(), build)
    } else {
        cache.entry(&name, request.cache_key(), build)
    };
    entry.map_err(unnest)
}

fn download(apt: &PrivateApt, request: &Request, into: &Path) -> Result<Vec<PathBuf>, AptError> {
    if request.with_dependencies {
        apt.download_with_dependencies(&request.packages, into)?;
    } else {
        let packages = apt.resolve(&request.packages)?;
        apt.download(&packages, into)?;
    }
    let debs = debs_in(into)?;
    if debs.is_empty() {
        return Err(AptError::Nothing {
            packages: request.packages.join(" "),
        });
    }
    Ok(debs)
}

/// An error of apt comes back from the cache wrapped; the wrapping says nothing more.
fn unnest(error: CacheError) -> AptError {
    match error {
        CacheError::Build { name, source } => match source.downcast::<AptError>() {
            Ok(error) => *error,
            Err(source) => CacheError::Build { name, source }.into(),
        },
        other => other.into(),
    }
}
