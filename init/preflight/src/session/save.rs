use std::path::Path;
use std::thread;
use std::time::Duration;

use hardware::{Board, Machine, Reading, RomReading};
use nix::errno::Errno;
use serde::Serialize;
use sha2::{Digest, Sha256};
use storage::{DataPlace, Kept, ResultsMount, Stick};

use crate::rom_files;

/// Where the stick's file system is mounted.
const MOUNT_POINT: &str = "/run/preflight/stick";
/// File beside the others with the SHA-256 of each, for `sha256sum --check`.
const SUMS: &str = "SHA256SUMS";
/// Room for folders and cluster ends beside the files' own bytes.
const SPARE: u64 = 256 << 10;
/// FAT names can be longer, but a person reads this one.
const LONGEST_NAME: usize = 40;
/// What a person must know when the stick went away in the middle.
const PULLED: &str = "the stick was pulled while it was written, and what it holds of this run is not \
                      whole; plug it in and boot again";
/// How long a stick that fails may stay in /sys after it was pulled: the first commands fail (EIO) before its port
/// has told the kernel.
const STILL_LISTED: Duration = Duration::from_secs(2);
/// What `preflight.test=slow-save` waits between files.
const SLOW: Duration = Duration::from_secs(2);

/// What one run leaves on the stick.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Saved {
    /// Name of the run's folder in the root of the stick's file system.
    pub folder: String,
    /// The files in it.
    pub files: Vec<SavedFile>,
    /// Folders of interrupted runs that could not be removed, in words.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<String>,
}

impl Saved {
    /// For a person, in lines of at most so many columns where they can be broken.
    pub fn text(&self, columns: usize) -> String {
        let mut text = format!(
            "Saved on the stick, in {}:\n",
            Path::new(&self.folder).display()
        );
        for file in &self.files {
            text.push_str(&format!(
                "  {:<33} {:>8} bytes  sha256 {:.16}\n",
                file.path, file.length, file.sha256
            ));
        }
        for left in &self.left {
            text.push_str(&report::paragraph(&format!("Note: {left}."), columns));
        }
        text
    }
}

/// A file that is on the stick, and was synced there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SavedFile {
    /// Path inside the run's folder, with `/`.
    pub path: String,
    /// Bytes.
    pub length: usize,
    /// SHA-256 of the bytes, hex.
    pub sha256: String,
}

/// A file to be saved: path inside the run's folder, and its bytes.
pub type NewFile = (String, Vec<u8>);

/// Files for the ROMs that were read, in `roms/`: as `preflight rom dump` writes them.
pub fn rom_files(machine: &Machine, readings: &[RomReading]) -> Vec<NewFile> {
    let dumped = rom_files::dump(machine, readings);
    let files = dumped.into_iter().flat_map(|rom| rom.files);
    files
        .map(|file| (format!("roms/{}", file.name), file.bytes))
        .collect()
}

/// Writes the files of a look into a new folder on the stick that is named after the machine, as [`save_as`] does.
pub fn save(
    place: &DataPlace,
    board: &Board,
    files: &[NewFile],
    slow: bool,
) -> anyhow::Result<Saved> {
    save_slowly(place, &folder_name(board), files, slow)
}

/// Writes the files into a new folder of this name on the stick, syncs and unmounts. On any failure nothing
/// half-written keeps a finished folder's name.
pub fn save_as(place: &DataPlace, name: &str, files: &[NewFile]) -> anyhow::Result<Saved> {
    save_slowly(place, name, files, false)
}

fn save_slowly(
    place: &DataPlace,
    name: &str,
    files: &[NewFile],
    slow: bool,
) -> anyhow::Result<Saved> {
    let Some(stick) = storage::find_stick(Path::new("/sys"), place)? else {
        anyhow::bail!(missing_text(place));
    };
    mount_and_write(&stick, name, files, slow).map_err(|error| {
        if was_pulled(&error, || stick.is_there()) {
            error.context(PULLED)
        } else {
            error
        }
    })
}

fn mount_and_write(
    stick: &Stick,
    name: &str,
    files: &[NewFile],
    slow: bool,
) -> anyhow::Result<Saved> {
    let mut results = ResultsMount::new(stick, Path::new(MOUNT_POINT))?;
    let bytes: u64 = files.iter().map(|(_, bytes)| bytes.len() as u64).sum();
    let written = write_all(&mut results, name, files, bytes, slow);
    if written.is_err() {
        let _ = results.abandon();
    }
    let saved = written?;
    results.close()?;
    Ok(saved)
}

/// Whether the stick went away, for which this waits where the error may be the first sign of it.
fn was_pulled(error: &anyhow::Error, is_there: impl Fn() -> bool) -> bool {
    const STEP: Duration = Duration::from_millis(100);
    let failed = matches!(error.downcast_ref(), Some(storage::Error::Io { .. }));
    let mut left = if failed { STILL_LISTED } else { Duration::ZERO };
    loop {
        if !is_there() || says_gone(error) {
            return true;
        }
        if left.is_zero() {
            return false;
        }
        thread::sleep(STEP);
        left = left.saturating_sub(STEP);
    }
}

fn says_gone(error: &anyhow::Error) -> bool {
    const GONE: [Errno; 2] = [Errno::ENODEV, Errno::ENXIO];
    let Some(storage::Error::Io { cause, .. }) = error.downcast_ref() else {
        return false;
    };
    cause
        .raw_os_error()
        .is_some_and(|code| GONE.contains(&Errno::from_raw(code)))
}

fn write_all(
    results: &mut ResultsMount,
    name: &str,
    files: &[NewFile],
    bytes: u64,
    slow: bool,
) -> anyhow::Result<Saved> {
    // This removes what an interrupted run has left, which may be what fills the stick.
    let left = results.abandon().iter().map(left_text).collect();
    results.require(bytes + SPARE)?;
    results.begin()?;
    let mut saved = Vec::new();
    for (path, bytes) in files {
        saved.push(write(results, path, bytes)?);
        if slow {
            thread::sleep(SLOW);
        }
    }
    let sums = sums(&saved);
    saved.push(write(results, SUMS, sums.as_bytes())?);
    let folder = results.finish(name)?;
    Ok(Saved {
        folder,
        files: saved,
        left,
    })
}

fn write(results: &ResultsMount, path: &str, bytes: &[u8]) -> anyhow::Result<SavedFile> {
    results.write(path, bytes)?;
    let sha256 = hex(&Sha256::digest(bytes));
    Ok(SavedFile {
        path: path.to_owned(),
        length: bytes.len(),
        sha256,
    })
}

fn left_text(kept: &Kept) -> String {
    match kept {
        Kept::Twin { name, of } => format!(
            "{name} stays on the stick. The power went when it was to become {of}, and the two are the same files \
             now: copy {of} elsewhere before you delete either or repair the stick's file system"
        ),
        Kept::Unread { name, why } => format!(
            "{name}, which an interrupted run has left, stays on the stick: whether a finished run has its files \
             cannot be read ({why})"
        ),
    }
}

/// What `sha256sum --check` reads.
fn sums(files: &[SavedFile]) -> String {
    files
        .iter()
        .map(|file| format!("{}  {}\n", file.sha256, file.path))
        .collect()
}

fn missing_text(place: &DataPlace) -> String {
    match place {
        DataPlace::Stick => {
            "no Preflight stick was found: there is no USB disk with a partition of Preflight's type and a FAT file \
             system labelled PREFLIGHT (for a CD or network boot, name a place with preflight.data=PARTUUID=...)"
                .to_owned()
        }
        DataPlace::BootedStick(uuid) => format!(
            "the stick that was booted (PARTUUID {uuid}) is not there as a USB disk with a FAT file system labelled \
             PREFLIGHT; no other one is written to (preflight.data=PARTUUID=... names one)"
        ),
        DataPlace::PartUuid(uuid) => format!("no partition has the PARTUUID {uuid}"),
    }
}

/// The board's serial number or else its name, with nothing in it that FAT forbids.
fn folder_name(board: &Board) -> String {
    let readable = [&board.serial, &board.name, &board.product];
    let known = readable.iter().find_map(|reading| match reading {
        Reading::Known(text) => Some(clean(text)).filter(|text| !text.is_empty()),
        Reading::Absent | Reading::Unknown(_) => None,
    });
    known.unwrap_or_else(|| "machine".to_owned())
}

fn clean(text: &str) -> String {
    let mut name = String::new();
    for letter in text.chars().take(LONGEST_NAME) {
        if letter.is_ascii_alphanumeric() || letter == '_' {
            name.push(letter);
        } else if !name.ends_with('-') {
            name.push('-');
        }
    }
    name.trim_matches('-').to_owned()
}

/// Bytes as lower-case hex digits.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_that_is_gone_is_a_pulled_stick_and_a_bad_one_is_not() {
        let failed = |errno: Errno| {
            anyhow::Error::from(storage::Error::Io {
                action: "write",
                path: "report.txt".into(),
                cause: errno.into(),
            })
        };
        assert!(says_gone(&failed(Errno::ENODEV)));
        assert!(!says_gone(&failed(Errno::EIO)));
        assert!(!says_gone(&anyhow::anyhow!("no room")));
    }

    #[test]
    fn a_stick_that_fails_and_then_goes_away_was_pulled_and_one_that_stays_was_not() {
        let failed = anyhow::Error::from(storage::Error::Io {
            action: "ask for free space on",
            path: MOUNT_POINT.into(),
            cause: Errno::EIO.into(),
        });
        let asked = std::cell::Cell::new(0);
        let leaves = || {
            asked.set(asked.get() + 1);
            asked.get() < 3
        };
        assert!(was_pulled(&failed, leaves));
        assert!(!was_pulled(&failed, || true));
        assert!(!was_pulled(&anyhow::anyhow!("no room"), || true));
    }

    #[test]
    fn a_booted_stick_that_is_not_there_is_not_said_to_be_the_only_one_that_could_be() {
        let text = missing_text(&DataPlace::BootedStick("1122-33".to_owned()));
        assert!(text.contains("was booted (PARTUUID 1122-33)"), "{text}");
        assert!(!text.contains("no USB disk"), "{text}");
        assert!(missing_text(&DataPlace::Stick).contains("there is no USB disk"));
    }

    #[test]
    fn a_folder_is_named_after_the_board() {
        let board = Board {
            serial: Reading::Absent,
            name: Reading::Known("TUF GAMING B550M-PLUS (WI-FI)".to_owned()),
            ..Board::default()
        };
        assert_eq!(folder_name(&board), "TUF-GAMING-B550M-PLUS-WI-FI");
        let serial = Reading::Known("../../etc".to_owned());
        assert_eq!(
            folder_name(&Board {
                serial,
                ..Board::default()
            }),
            "etc"
        );
        assert_eq!(folder_name(&Board::default()), "machine");
    }
}
