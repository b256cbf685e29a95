use std::fmt;

use anyhow::{Context, Result, bail};
use plan::SystemFiles;
use proxmox::{Found, Installation};
use storage::RootCandidate;

use super::{OnDisks, Watched, on_disks_in_own_process};

/// The system that is meant, where several may be on the disks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// The only one.
    Only,
    /// That number in the list of `preflight systems`, from 1.
    Number(usize),
}

impl fmt::Display for Which {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Only => f.write_str("auto"),
            Self::Number(number) => write!(f, "auto:{number}"),
        }
    }
}

impl Which {
    /// Reads `auto` and `auto:2`; none for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        match text.strip_prefix("auto")? {
            "" => Some(Self::Only),
            rest => {
                let number = rest.strip_prefix(':')?.parse().ok()?;
                Some(Self::Number(number))
            }
        }
    }

    /// Its place among these systems, each by its location and name.
    fn among(self, systems: &[(String, String)]) -> Result<usize> {
        let list = || {
            let lines = (1..).zip(systems).map(|(number, (location, name))| {
                format!("\n  --root auto:{number}  {name}, on {location}")
            });
            lines.collect::<String>()
        };
        match self {
            _ if systems.is_empty() => {
                bail!(
                    "no installed system was found on the disks; 'preflight systems --disks' says what is on them"
                )
            }
            Self::Only if systems.len() == 1 => Ok(0),
            Self::Only => bail!(
                "several systems are on the disks; name one of them:{}",
                list()
            ),
            Self::Number(number) => match number.checked_sub(1) {
                Some(index) if index < systems.len() => Ok(index),
                _ => bail!(
                    "there is no system {number} on the disks; there are:{}",
                    list()
                ),
            },
        }
    }
}

/// An installed system with the files that a plan is made from, and everything that was found with it.
pub struct OneSystem {
    /// All that was found.
    pub found: Found,
    /// The system's place in it.
    pub index: usize,
    /// Its files.
    pub files: SystemFiles,
}

impl OneSystem {
    /// Where its root is, when it was found on the disks.
    pub fn root(&self) -> Option<&RootCandidate> {
        self.found.look.as_ref()?.storage.roots.get(self.index)
    }

    /// The system itself.
    ///
    /// # Errors
    /// None where it was chosen by [`one_on_disks`].
    pub fn installation(&self) -> Result<&Installation> {
        let system = self.found.systems.get(self.index);
        system
            .map(|(_, installation)| installation)
            .context("no system was read")
    }
}

/// Looks at the disks for the system that is meant. Nothing is written to any of them.
///
/// # Errors
/// Nothing could be looked at, or it cannot be told which system is meant: all are named.
pub fn one_on_disks(which: Which, watched: &Watched) -> Result<OneSystem> {
    let watched = Watched {
        with_files: true,
        ..*watched
    };
    let OnDisks { found, files } =
        on_disks_in_own_process(&watched).context("the disks cannot be looked at")?;
    let names = found
        .systems
        .iter()
        .map(|(location, installation)| (location.clone(), installation.release.name()));
    let index = which.among(&names.collect::<Vec<_>>())?;
    // What was read from an overlay that did not hold is left out of the systems, so places differ.
    let roots = found.look.as_ref().map(|look| &look.storage.roots);
    let root = roots.and_then(|roots| roots.get(index));
    let files = files.into_iter().find(|(read, _)| Some(read) == root);
    let (_, files) = files.context("the files of the system were not read")?;
    Ok(OneSystem {
        found,
        index,
        files,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn systems(count: usize) -> Vec<(String, String)> {
        let all = [("pve/root", "Proxmox VE 8.1.4"), ("sda2", "Debian 12")];
        let all = all.map(|(location, name)| (location.to_owned(), name.to_owned()));
        all.into_iter().take(count).collect()
    }

    #[test]
    fn the_only_system_needs_no_number_and_of_several_one_must_be_named() {
        let only = Which::parse("auto").unwrap();
        assert_eq!(only.among(&systems(1)).unwrap(), 0);
        let error = only.among(&systems(2)).unwrap_err().to_string();
        assert_eq!(
            error,
            "several systems are on the disks; name one of them:\n  --root auto:1  Proxmox VE 8.1.4, on pve/root\n  \
             --root auto:2  Debian 12, on sda2"
        );
        assert_eq!(
            Which::parse("auto:2").unwrap().among(&systems(2)).unwrap(),
            1
        );
    }

    #[test]
    fn a_number_that_no_system_has_and_an_empty_list_are_errors() {
        for number in ["auto:0", "auto:3"] {
            let which = Which::parse(number).unwrap();
            assert!(
                which
                    .among(&systems(2))
                    .unwrap_err()
                    .to_string()
                    .contains("auto:1")
            );
        }
        assert!(
            Which::Only
                .among(&[])
                .unwrap_err()
                .to_string()
                .contains("no installed system")
        );
    }

    #[test]
    fn a_folder_is_no_number() {
        for folder in ["/", "/mnt", "automatic", "auto:", "auto:x"] {
            assert_eq!(Which::parse(folder), None, "{folder}");
        }
    }
}
