//! Disks that do not answer: the session finds them, and no look of the same boot opens one.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use crate::in_one_step;

/// In memory, so that it is never another boot's. Kernel names, one a line.
const FILE: &str = "/run/preflight/silent-disks";

/// The place where the session tells of them.
pub struct SilentDisks {
    path: PathBuf,
}

impl SilentDisks {
    /// That of the running machine.
    pub fn of_this_boot() -> Self {
        Self::at(Path::new(FILE))
    }

    fn at(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
        }
    }

    /// Tells of these and no others, in one step.
    pub fn keep(&self, names: &BTreeSet<String>) -> io::Result<()> {
        let text: String = names.iter().map(|name| format!("{name}\n")).collect();
        in_one_step::write(&self.path, |mut file| file.write_all(text.as_bytes()))
    }

    /// Their kernel names; none where no session has found any, as on an installed system.
    pub fn read(&self) -> io::Result<BTreeSet<String>> {
        match fs::read_to_string(&self.path) {
            Ok(text) => Ok(text.lines().map(str::to_owned).collect()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(BTreeSet::new()),
            Err(error) => Err(io::Error::new(
                error.kind(),
                format!("{}: {error}", self.path.display()),
            )),
        }
    }
}

/// What a person should know of one, by its kernel name. The kernel has its model from before it fell silent.
pub fn words(disk: &str) -> String {
    let model = format!("/sys/block/{disk}/device/model");
    let model = fs::read_to_string(model).unwrap_or_default();
    let model = match model.trim() {
        "" => String::new(),
        model => format!(" ({model})"),
    };
    format!(
        "/dev/{disk}{model} does not answer: nothing of it is looked at, and what its driver serves may be missing. \
         Unplug or replace it, and boot again"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_last_counts() {
        let folder = tempfile::tempdir().unwrap();
        let place = SilentDisks::at(&folder.path().join("run/silent-disks"));
        assert_eq!(place.read().unwrap(), BTreeSet::new());
        let both = BTreeSet::from(["sda".to_owned(), "cciss!c0d0".to_owned()]);
        place.keep(&both).unwrap();
        assert_eq!(place.read().unwrap(), both);
        place.keep(&BTreeSet::new()).unwrap();
        assert_eq!(place.read().unwrap(), BTreeSet::new());
    }
}
