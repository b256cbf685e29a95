//! The report as far as it is known, for whoever asks in the same boot: a program beside the session, a person who
//! was sent to a shell by a crash or a disk that hangs.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::in_one_step;

/// In memory, so that it is never another boot's.
const FOLDER: &str = "/run/preflight";

/// The place where the session keeps what it knows.
pub struct KeptReport {
    folder: PathBuf,
}

impl KeptReport {
    /// That of the running machine.
    pub fn of_this_boot() -> Self {
        Self::in_folder(Path::new(FOLDER))
    }

    fn in_folder(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
        }
    }

    /// Keeps this one in place of an earlier one, in words and for programs, each in one step. Gives the place of the
    /// words.
    pub fn keep(&self, text: &str, json: &str) -> io::Result<PathBuf> {
        in_one_step::write(&self.folder.join("report.json"), |mut file| {
            file.write_all(json.as_bytes())
        })?;
        let place = self.text();
        in_one_step::write(&place, |mut file| file.write_all(text.as_bytes()))?;
        Ok(place)
    }

    /// The one in words, where there is one.
    pub fn kept_text(&self) -> Option<PathBuf> {
        Some(self.text()).filter(|path| path.is_file())
    }

    fn text(&self) -> PathBuf {
        self.folder.join("report.txt")
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_later_report_takes_the_place_of_an_earlier_one_in_both_forms() {
        let folder = tempfile::tempdir().unwrap();
        let kept = KeptReport::in_folder(&folder.path().join("preflight"));
        assert_eq!(kept.kept_text(), None);
        for text in ["first", "last"] {
            let path = kept.keep(text, &format!("{text} in JSON")).unwrap();
            assert_eq!(kept.kept_text().as_ref(), Some(&path));
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
            let json = fs::read_to_string(path.with_extension("json")).unwrap();
            assert_eq!(json, format!("{text} in JSON"));
        }
        let files = fs::read_dir(folder.path().join("preflight")).unwrap();
        assert_eq!(files.count(), 2);
    }
}
