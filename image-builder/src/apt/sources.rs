//! What the machine's apt is configured with.

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

use super::AptError;
use super::error::run;

/// Names a Debian mirror for machines whose own sources name none.
const MIRROR_VARIABLE: &str = "PREFLIGHT_DEBIAN_MIRROR";
const KEY_FOLDER: &str = "/usr/share/keyrings";
const KEY_FILES: [&str; 2] = ["debian-archive-keyring.pgp", "debian-archive-keyring.gpg"];

/// One list of packages that the machine's sources name.
#[derive(Debug, PartialEq, Eq)]
struct Target {
    site: String,
    /// Empty before the first `apt-get update`.
    origin: String,
    label: String,
    filename: String,
}

fn targets() -> Vec<Target> {
    let mut command = Command::new("apt-get");
    command.args([
        "indextargets",
        "--format",
        "$(SITE)|$(ORIGIN)|$(LABEL)|$(FILENAME)",
        "Created-By: Packages",
    ]);
    run(&mut command).map_or_else(|_| Vec::new(), |text| parse(&text))
}

fn parse(text: &str) -> Vec<Target> {
    text.lines()
        .filter_map(|line| {
            let mut fields = line.split('|').map(str::to_owned);
            Some(Target {
                site: fields.next()?,
                origin: fields.next()?,
                label: fields.next()?,
                filename: fields.next()?,
            })
        })
        .collect()
}

/// Whether every package list that the machine's sources name is there to be read.
pub(super) fn machine_has_lists() -> bool {
    let targets = targets();
    let readable = |target: &Target| fs::File::open(&target.filename).is_ok();
    !targets.is_empty() && targets.iter().all(readable)
}

fn debian_site(targets: &[Target]) -> Option<&str> {
    let known = |target: &&Target| target.origin == "Debian" && target.label == "Debian";
    let named = |target: &&Target| target.site.trim_end_matches('/').ends_with("/debian");
    let target = targets
        .iter()
        .find(known)
        .or_else(|| targets.iter().find(named))?;
    Some(&target.site)
}

/// The address of the Debian mirror that the machine uses.
fn debian_mirror() -> Result<String, AptError> {
    let chosen = env::var(MIRROR_VARIABLE)
        .ok()
        .filter(|mirror| !mirror.is_empty());
    chosen
        .or_else(|| debian_site(&targets()).map(str::to_owned))
        .ok_or(AptError::NoMirror {
            variable: MIRROR_VARIABLE,
        })
}

/// A line of sources.list for a suite of Debian, from the mirror that the machine uses.
pub fn debian_source(suite: &str, components: &str) -> Result<String, AptError> {
    line("deb", suite, components)
}

/// The same for the sources of packages.
pub(super) fn debian_source_code(suite: &str) -> Result<String, AptError> {
    line("deb-src", suite, "main")
}

fn line(kind: &str, suite: &str, components: &str) -> Result<String, AptError> {
    let (mirror, key) = (debian_mirror()?, debian_key()?);
    Ok(format!(
        "{kind} [signed-by={key}] {mirror} {suite} {components}"
    ))
}

/// The file with Debian's archive keys.
fn debian_key() -> Result<String, AptError> {
    KEY_FILES
        .iter()
        .map(|file| format!("{KEY_FOLDER}/{file}"))
        .find(|path| Path::new(path).is_file())
        .ok_or(AptError::NoKey { folder: KEY_FOLDER })
}

/// The name of the machine's own release, so that an upgrade makes new cache entries.
pub(super) fn codename() -> String {
    let text = fs::read_to_string("/etc/os-release").unwrap_or_default();
    text.lines()
        .find_map(|line| line.strip_prefix("VERSION_CODENAME="))
        .unwrap_or_default()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mirror_is_the_one_that_calls_itself_debian() {
        let targets = parse(
            "http://a/tools|Somebody|Tools|/l/1\n\
             http://b/security|Debian|Debian-Security|/l/2\n\
             http://c/mirror|Debian|Debian|/l/3\n",
        );
        assert_eq!(debian_site(&targets), Some("http://c/mirror"));
    }

    #[test]
    fn before_the_first_update_the_mirror_is_found_by_its_path() {
        // Fields that apt does not know yet are printed as they were asked for.
        let targets = parse(
            "http://b/debian-security|$(ORIGIN)|$(LABEL)|/l/2\n\
             http://c/debian/|$(ORIGIN)|$(LABEL)|/l/3\n",
        );
        assert_eq!(debian_site(&targets), Some("http://c/debian/"));
    }

    #[test]
    fn other_sources_are_no_debian_mirror() {
        let targets = parse("http://a/ubuntu|Ubuntu|Ubuntu|/l/1\n");
        assert_eq!(debian_site(&targets), None);
    }
}
