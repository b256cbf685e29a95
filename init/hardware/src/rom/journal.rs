use std::fs::{self, File, TryLockError};
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
/// Of the files that are records.
const ENDING: &str = "json";
/// A record is short; a machine has fewer functions.
const LONGEST: u64 = 64 << 10;
const MOST: usize = 4096;

/// Records of functions that are being read, a file each, written before the function is changed. A process
/// that is killed cannot put anything back; the next one finds the record. Only one process at a time has
/// the journal: what a living one is about to put back itself must be left to it.
pub(super) struct Journal {
    folder: PathBuf,
    /// The kernel ends the lock with the process, however that ends.
    lock: Result<File, String>,
}

impl Journal {
    /// The journal in this folder, which is made where it is missing.
    pub(super) fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            lock: lock(folder),
        }
    }

    pub(super) fn of_this_machine() -> Self {
        Self::new(Path::new(FOLDER))
    }

    fn file(&self, record: &Record) -> PathBuf {
        self.folder.join(format!("{}.{ENDING}", record.address))
    }

    /// Writes a record under its own name in one step, so that no half of one is ever found.
    ///
    /// # Errors
    /// With the path, and what to do.
    pub(super) fn write(&self, record: &Record) -> Result<(), String> {
        self.lock.as_ref().map_err(Clone::clone)?;
        let path = self.file(record);
        let written = || -> io::Result<()> {
            let new = path.with_extension("new");
            fs::write(&new, serde_json::to_vec(record)?)?;
            fs::rename(&new, &path)
        };
        written().map_err(|error| not_noted(&path, &error))
    }

    /// Removes a record: the function is as it was, or a person was told that it is not.
    pub(super) fn remove(&self, record: &Record) {
        let _ = fs::remove_file(self.file(record));
    }

    /// Every record that a killed process left; none while another process has the journal.
    pub(super) fn records(&self) -> Vec<Record> {
        let entries = self.lock.is_ok().then(|| fs::read_dir(&self.folder));
        let entries = entries.into_iter().flatten().flatten().flatten();
        let paths = entries.take(MOST).map(|entry| entry.path());
        let records = paths.filter(|path| path.extension().is_some_and(|ending| ending == ENDING));
        let mut records: Vec<Record> = records.filter_map(|path| read(&path)).collect();
        records.sort_by_key(|record| record.address);
        records
    }
}

fn lock(folder: &Path) -> Result<File, String> {
    let path = folder.join("lock");
    let opened = fs::create_dir_all(folder).and_then(|()| File::create(&path));
    let file = opened.map_err(|error| not_noted(&path, &error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(format!(
            "not read: another Preflight is reading ROMs now ({} is locked); wait for its end",
            path.display()
        )),
        Err(TryLockError::Error(error)) => Err(not_noted(&path, &error)),
    }
}

fn not_noted(path: &Path, error: &io::Error) -> String {
    format!(
        "not read: how the function is now could not be noted in {}: {}; the folder must be writable, so \
         that the function can be put back after a crash",
        path.display(),
        why(error)
    )
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

#[cfg(test)]
mod tests {
    use super::super::testing::ID;
    use super::*;

    fn record() -> Record {
        Record {
            address: "01:00.0".parse().unwrap(),
            id: ID,
            power_control: None,
            registers: Vec::new(),
        }
    }

    #[test]
    fn a_record_is_found_until_it_is_removed_and_what_is_no_record_is_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::new(folder.path());
        journal.write(&record()).unwrap();
        fs::write(folder.path().join("0000:02:00.0.json"), "{").unwrap();
        fs::write(folder.path().join("0000:03:00.0.new"), "{}").unwrap();
        assert_eq!(journal.records(), [record()]);
        journal.remove(&record());
        assert_eq!(journal.records(), []);
    }

    #[test]
    fn what_a_living_process_has_noted_is_left_to_it() {
        let folder = tempfile::tempdir().unwrap();
        let living = Journal::new(folder.path());
        living.write(&record()).unwrap();
        let other = Journal::new(folder.path());
        assert_eq!(other.records(), []);
        let refused = other.write(&record()).unwrap_err();
        assert!(refused.contains("another Preflight"), "{refused}");
        drop((living, other));
        assert_eq!(Journal::new(folder.path()).records(), [record()]);
    }
}
