use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::Progress;
use super::device::{Device, SysfsDevice};
use super::record::Record;
use crate::Reading;
use crate::source::FUNCTIONS;
use crate::tree::{Tree, why};

/// In memory: a restart of the machine resets what is on record, too.
const FOLDER: &str = "/run/preflight/rom-reads";
/// A record is short; a machine has fewer functions.
const LONGEST: u64 = 64 << 10;
const MOST: usize = 4096;

/// Records of functions that are being read, a file each, written before the function is changed. A process
/// that is killed cannot put anything back; the next one finds the record.
pub(super) struct Journal {
    folder: PathBuf,
}

impl Journal {
    pub(super) fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
        }
    }

    pub(super) fn of_this_machine() -> Self {
        Self::new(Path::new(FOLDER))
    }

    fn file(&self, record: &Record) -> PathBuf {
        self.folder.join(format!("{}.json", record.address))
    }

    /// Writes a record under its own name in one step, so that no half of one is ever found.
    ///
    /// # Errors
    /// With the path, and what to do.
    pub(super) fn write(&self, record: &Record) -> Result<(), String> {
        let path = self.file(record);
        let written = || -> io::Result<()> {
            fs::create_dir_all(&self.folder)?;
            let new = path.with_extension("new");
            fs::write(&new, serde_json::to_vec(record)?)?;
            fs::rename(&new, &path)
        };
        written().map_err(|error| {
            format!(
                "how the function is now could not be noted in {}: {}; the folder must be writable, so \
                 that the function can be put back after a crash",
                path.display(),
                why(&error)
            )
        })
    }

    /// Removes a record: the function is as it was, or a person was told that it is not.
    pub(super) fn remove(&self, record: &Record) {
        let _ = fs::remove_file(self.file(record));
    }

    /// Every record that a killed process left.
    pub(super) fn records(&self) -> Vec<Record> {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let paths = entries.take(MOST).map(|entry| entry.path());
        let mut records: Vec<Record> = paths.filter_map(|path| read(&path)).collect();
        records.sort_by_key(|record| record.address);
        records
    }
}

fn read(path: &Path) -> Option<Record> {
    let short = fs::metadata(path).ok()?.len() <= LONGEST;
    let record = fs::read(path).ok().filter(|_| short)?;
    serde_json::from_slice(&record).ok()
}

/// Puts back what processes that were killed have left changed, and tells it.
pub(super) fn replay(journal: &Journal, sys: &Tree, progress: &mut dyn FnMut(Progress)) {
    for record in journal.records() {
        let folder = sys.folder(&format!("{FUNCTIONS}/{}", record.address));
        let told = match folder {
            Ok(folder) => put_back(&SysfsDevice::new(folder, record.address), &record),
            Err(error) => format!("and it is gone since: {error}"),
        };
        journal.remove(&record);
        progress(Progress::Note(format!(
            "an earlier reading of the ROM of {} was cut off, {told}",
            record.address
        )));
    }
}

/// Puts one function back; in words what came of it.
pub(super) fn put_back(device: &impl Device, record: &Record) -> String {
    match device.driver() {
        Reading::Absent => {}
        Reading::Known(driver) => {
            return format!("and it is left as it is: the driver {driver} has it now");
        }
        Reading::Unknown(why) => return format!("and it is left as it is: {why}"),
    }
    let id = record.id;
    let is_same = device.config().is_ok_and(|config| {
        let [a, b] = id.vendor.0.to_le_bytes();
        let [c, d] = id.device.0.to_le_bytes();
        config.starts_with(&[a, b, c, d])
    });
    if !is_same {
        return format!("and it is left as it is: what is there now is not {id}");
    }
    let _ = device.enable_rom(false);
    let left = record.put_back(device);
    if left.is_empty() {
        "and it is put back as it was found".to_owned()
    } else {
        format!("and could not be put back: {}", left.join("; "))
    }
}
