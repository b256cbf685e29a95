//! An apt with a state of its own.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::error::{AptError, run, run_told};
use super::sources;
use crate::io::{self, Context};
use crate::package::debs_in;
use crate::progress::{Progress, Watcher};

/// Settings that would weaken the checks, run hooks of the machine, or fetch what is not needed.
const NOT_TAKEN_OVER: [&str; 6] = [
    "Acquire::AllowInsecureRepositories",
    "Acquire::AllowWeakRepositories",
    "Acquire::AllowDowngradeToInsecureRepositories",
    "Acquire::IndexTargets",
    "Acquire::Languages",
    "Acquire::Changelogs",
];

/// Whose package lists are read.
enum Lists {
    Machine,
    Private,
}

/// Whose sources name the suites.
enum Sources {
    Machine,
    Private,
}

/// apt with private state, cache and status; an empty status makes every dependency count as
/// missing.
pub(super) struct PrivateApt {
    folder: TempDir,
    target_release: Option<String>,
    progress: Watcher,
}

impl PrivateApt {
    /// Reads the lists that the machine has already.
    pub(super) fn with_machine_lists(place: &Path) -> Result<Self, AptError> {
        Self::create(place, &Lists::Machine, &Sources::Machine)
    }

    /// Reads lists of its own from the machine's sources, once they are updated.
    pub(super) fn with_machine_sources(place: &Path) -> Result<Self, AptError> {
        Self::create(place, &Lists::Private, &Sources::Machine)
    }

    /// Reads lists of its own of these Debian suites, once they are updated.
    pub(super) fn with_debian_suites(
        suites: &[String],
        components: &str,
        place: &Path,
    ) -> Result<Self, AptError> {
        let lines: Vec<String> = suites
            .iter()
            .map(|suite| sources::debian_source(suite, components))
            .collect::<Result<_, _>>()?;
        let mut apt = Self::create(place, &Lists::Private, &Sources::Private)?;
        apt.target_release = suites.last().filter(|_| suites.len() > 1).cloned();
        let list = lines.join("\n") + "\n";
        io::write(&apt.folder.path().join("sources.list"), list)?;
        Ok(apt)
    }

    /// Reads lists of its own of the source packages of this Debian suite, once they are updated.
    pub(super) fn with_debian_sources(suite: &str, place: &Path) -> Result<Self, AptError> {
        let apt = Self::create(place, &Lists::Private, &Sources::Private)?;
        let list = sources::debian_source_code(suite)? + "\n";
        io::write(&apt.folder.path().join("sources.list"), list)?;
        Ok(apt)
    }

    fn create(place: &Path, lists: &Lists, sources: &Sources) -> Result<Self, AptError> {
        let folder = tempfile::Builder::new()
            .prefix(".apt-")
            .tempdir_in(place)
            .at("make a folder in", place)?;
        let path = folder.path();
        for name in ["lists/partial", "archives/partial", "empty"] {
            io::create_folder(&path.join(name))?;
        }
        for name in ["status", "extended_states", "sources.list"] {
            io::write(&path.join(name), "")?;
        }
        io::write(&path.join("apt.conf"), configuration(path, lists, sources)?)?;
        Ok(Self {
            folder,
            target_release: None,
            progress: |_| {},
        })
    }

    /// The same, and `progress` hears how downloads go on.
    pub(super) fn watched_by(self, progress: Watcher) -> Self {
        Self { progress, ..self }
    }

    fn fetching(&self, packages: &[String]) {
        (self.progress)(Progress::Doing(&format!("fetching {}", packages.join(" "))));
    }

    /// Runs apt-get, which tells how far it is.
    fn get(
        &self,
        words: &[&str],
        packages: &[String],
        folder: Option<&Path>,
    ) -> Result<(), AptError> {
        let mut command = self.command("apt-get");
        command
            .args(["-q", "-o", "APT::Status-Fd=1"])
            .args(words)
            .args(packages);
        if let Some(folder) = folder {
            command.current_dir(folder);
        }
        run_told(&mut command, &|line| {
            if let Some(done) = percent(line) {
                (self.progress)(Progress::Part { done, all: 100 });
            }
        })
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env("APT_CONFIG", self.folder.path().join("apt.conf"));
        if let Some(release) = &self.target_release {
            command.args(["-t", release]);
        }
        command
    }

    /// Fetches the lists of packages.
    pub(super) fn update(&self) -> Result<(), AptError> {
        (self.progress)(Progress::Doing("fetching lists of packages"));
        self.get(&["update"], &[], None)
    }

    /// Replaces packages that hold nothing but a dependency on the newest of a row by that one, and
    /// adds the packages that a kernel is split into.
    pub(super) fn resolve(&self, packages: &[String]) -> Result<Vec<String>, AptError> {
        let mut resolved = Vec::new();
        for package in packages {
            let depends = self.depends(package)?;
            match newest_of_row(package, &depends) {
                Some(newest) => {
                    resolved.extend(parts_of_kernel(&newest, &self.depends(&newest)?));
                    resolved.push(newest);
                }
                None => {
                    resolved.extend(parts_of_kernel(package, &depends));
                    resolved.push(package.clone());
                }
            }
        }
        Ok(resolved)
    }

    fn depends(&self, package: &str) -> Result<Vec<String>, AptError> {
        let mut command = self.command("apt-cache");
        command.args(["depends", "--no-recommends", "--no-suggests", package]);
        Ok(parse_depends(&run(&mut command)?))
    }

    /// Downloads these packages alone into a folder.
    pub(super) fn download(&self, packages: &[String], into: &Path) -> Result<(), AptError> {
        self.fetching(packages);
        self.get(&["download"], packages, Some(into))
    }

    /// Downloads the files of a source package into a folder.
    pub(super) fn download_source(&self, package: &str, into: &Path) -> Result<(), AptError> {
        self.get(&["source", "--download-only", package], &[], Some(into))
    }

    /// Downloads these packages and all that they depend on into a folder.
    pub(super) fn download_with_dependencies(
        &self,
        packages: &[String],
        into: &Path,
    ) -> Result<(), AptError> {
        self.fetching(packages);
        self.get(&["install", "-y", "--download-only"], packages, None)?;
        for deb in debs_in(&self.folder.path().join("archives"))? {
            let name = deb.file_name().unwrap_or_default();
            fs::rename(&deb, into.join(name)).at("move", &deb)?;
        }
        Ok(())
    }
}

/// Percent of a download that are done, from a line of apt's status (`dlstatus:1:12.5:Retrieving file 1 of 8`,
/// README.progress-reporting of apt).
fn percent(line: &str) -> Option<u64> {
    let percent = line.strip_prefix("dlstatus:")?.split(':').nth(1)?;
    let whole: u64 = percent.split('.').next()?.parse().ok()?;
    Some(whole.min(100))
}

/// The whole apt.conf. It closes the machine's own configuration files out, since they may hold
/// hooks, and takes over what they say about reaching the mirror.
fn configuration(folder: &Path, lists: &Lists, sources: &Sources) -> Result<String, AptError> {
    let dump = run(Command::new("apt-config").arg("dump"))?;
    let mut text: String = reaching_the_mirror(&dump)
        .map(|line| format!("{line}\n"))
        .collect();
    let folder = folder.display().to_string();
    let machine_lists = setting(&dump, "Dir::State::lists").unwrap_or("lists/");
    let state = setting(&dump, "Dir::State").unwrap_or("var/lib/apt");
    let lists = match lists {
        Lists::Machine => Path::new("/").join(state).join(machine_lists),
        Lists::Private => Path::new(&folder).join("lists"),
    };
    let lists = lists.display().to_string();
    let settings = [
        ("Dir::Etc::main", "/dev/null".to_owned()),
        ("Dir::Etc::parts", format!("{folder}/empty")),
        ("Dir::State", folder.clone()),
        ("Dir::State::lists", lists),
        ("Dir::State::status", format!("{folder}/status")),
        (
            "Dir::State::extended_states",
            format!("{folder}/extended_states"),
        ),
        ("Dir::Cache", folder.clone()),
        ("Dir::Cache::archives", format!("{folder}/archives")),
        ("Dir::Log", folder.clone()),
        ("APT::Architecture", "amd64".to_owned()),
        ("APT::Architectures", "amd64".to_owned()),
        ("APT::Install-Recommends", "0".to_owned()),
        // The unprivileged user of root's apt cannot enter a private folder.
        ("APT::Sandbox::User", "root".to_owned()),
        ("Acquire::Languages", "none".to_owned()),
        ("Acquire::AllowInsecureRepositories", "0".to_owned()),
        ("Acquire::Retries", "3".to_owned()),
    ];
    let private_sources = [
        ("Dir::Etc::sourcelist", format!("{folder}/sources.list")),
        ("Dir::Etc::sourceparts", format!("{folder}/empty")),
        ("Dir::Etc::preferences", "/dev/null".to_owned()),
        ("Dir::Etc::preferencesparts", format!("{folder}/empty")),
    ];
    let private_sources = match sources {
        Sources::Machine => [].as_slice(),
        Sources::Private => &private_sources,
    };
    for (name, value) in settings.iter().chain(private_sources) {
        text.push_str(&format!("{name} \"{value}\";\n"));
    }
    Ok(text)
}

/// The machine's settings of apt about proxies and the like, a line each in the format of apt.conf.
pub fn transport_settings() -> Result<Vec<String>, AptError> {
    let dump = run(Command::new("apt-config").arg("dump"))?;
    Ok(reaching_the_mirror(&dump).map(str::to_owned).collect())
}

fn reaching_the_mirror(dump: &str) -> impl Iterator<Item = &str> {
    dump.lines().filter(|line| {
        line.starts_with("Acquire::") && !NOT_TAKEN_OVER.iter().any(|name| line.starts_with(name))
    })
}

fn setting<'a>(dump: &'a str, name: &str) -> Option<&'a str> {
    let value = |line: &'a str| {
        line.strip_prefix(name)?
            .strip_prefix(" \"")?
            .strip_suffix("\";")
    };
    dump.lines().find_map(value)
}

fn parse_depends(text: &str) -> Vec<String> {
    text.lines()
        .filter_map(|line| {
            line.trim()
                .trim_start_matches('|')
                .strip_prefix("Depends: ")
        })
        .map(str::to_owned)
        .collect()
}

/// `linux-image-amd64` depends on `linux-image-6.1.0-13-amd64`: what the metapackage stands for has
/// its name with a version put in.
fn newest_of_row(package: &str, depends: &[String]) -> Option<String> {
    let (start, end) = package.rsplit_once('-')?;
    let has_version = |name: &&String| {
        name.strip_prefix(start)
            .and_then(|rest| rest.strip_suffix(end))
            .and_then(|version| version.strip_prefix('-')?.strip_suffix('-'))
            .is_some_and(|version| version.starts_with(|first: char| first.is_ascii_digit()))
    };
    depends.iter().find(has_version).cloned()
}

/// Newer kernels of Debian, and those of Ubuntu, have the modules and sometimes the kernel itself in
/// packages beside `linux-image-RELEASE` that have the release in their names too.
fn parts_of_kernel(package: &str, depends: &[String]) -> Vec<String> {
    let Some(release) = package.strip_prefix("linux-image") else {
        return Vec::new();
    };
    let is_part = |name: &&String| name.starts_with("linux-") && name.ends_with(release);
    depends.iter().filter(is_part).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_far_apt_is_stands_in_its_status_lines() {
        assert_eq!(percent("dlstatus:1:12.5:Retrieving file 1 of 8"), Some(12));
        assert_eq!(percent("dlstatus:8:100:Retrieving file 8 of 8"), Some(100));
        assert_eq!(percent("dlstatus:1:1000.0:"), Some(100));
        for line in [
            "Get:1 http://mirror trixie InRelease",
            "dlstatus:1",
            "dlstatus:1:nan:y",
        ] {
            assert_eq!(percent(line), None, "{line}");
        }
    }

    #[test]
    fn a_metapackage_gives_what_it_stands_for() {
        let text = "linux-image-amd64\n  Depends: kmod\n  Depends: linux-image-6.1.0-13-amd64\n";
        let newest = newest_of_row("linux-image-amd64", &parse_depends(text));
        assert_eq!(newest.as_deref(), Some("linux-image-6.1.0-13-amd64"));
    }

    #[test]
    fn an_ordinary_package_stands_for_itself() {
        assert_eq!(newest_of_row("busybox-static", &[]), None);
        let depends = parse_depends("qemu-system-x86\n |Depends: qemu-system-data\n");
        assert_eq!(newest_of_row("qemu-system-x86", &depends), None);
        assert!(parts_of_kernel("qemu-system-x86", &depends).is_empty());
    }

    #[test]
    fn the_parts_of_a_split_kernel_come_with_it() {
        let depends = parse_depends(
            "linux-image-7.2-amd64\n |Depends: dracut\n  Depends: initramfs-tools\n  \
             Depends: linux-binary-7.2-amd64\n  Depends: linux-modules-7.2-amd64\n",
        );
        assert_eq!(
            parts_of_kernel("linux-image-7.2-amd64", &depends),
            ["linux-binary-7.2-amd64", "linux-modules-7.2-amd64"]
        );
    }

    #[test]
    fn the_proxy_is_kept_and_leave_to_skip_signatures_is_not() {
        let dump = "Acquire::http::Proxy \"http://proxy:3128\";\n\
                    Acquire::AllowInsecureRepositories \"1\";\n\
                    APT::Update::Post-Invoke:: \"rm -f x\";\n";
        let kept: Vec<_> = reaching_the_mirror(dump).collect();
        assert_eq!(kept, ["Acquire::http::Proxy \"http://proxy:3128\";"]);
    }
}
