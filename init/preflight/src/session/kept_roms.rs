//! Option ROMs as the session read them, kept for what is asked later in the same boot: by then drivers may have
//! touched the cards, and nobody reads them again to make a plan.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use hardware::RomReading;

use crate::in_one_step;

/// In memory, so that it is never another boot's.
const FILE: &str = "/run/preflight/roms.json.zst";
/// Bytes of all copies together. Of a machine full of cards it is a tenth.
const MOST: usize = 64 << 20;
/// JSON has a byte as up to four characters; the rest is words.
const LONGEST: u64 = 5 * (MOST as u64);
/// Quick; a byte as JSON has it then takes little more than one.
const LEVEL: i32 = 1;

/// The place where the session keeps what it read.
pub struct KeptRoms {
    path: PathBuf,
}

impl KeptRoms {
    /// That of the running machine.
    pub fn of_this_boot() -> Self {
        Self::at(Path::new(FILE))
    }

    /// This file.
    pub fn at(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
        }
    }

    /// Keeps these, in place of any others, under their name in one step.
    pub fn keep(&self, readings: &[RomReading]) -> Result<()> {
        let copies = readings
            .iter()
            .filter_map(|reading| reading.bytes.as_ref().ok());
        let length: usize = copies.map(Vec::len).sum();
        if length > MOST {
            bail!("they are {length} bytes, and at most {MOST} are kept");
        }
        write_whole(&self.path, |file| {
            let packed = zstd::Encoder::new(file, LEVEL)?;
            let mut text = BufWriter::new(packed);
            serde_json::to_writer(&mut text, readings)?;
            let packed = text.into_inner().map_err(io::IntoInnerError::into_error)?;
            packed.finish()?.flush()
        })
    }

    /// One copy as a file beside them, for what takes files. Its path, which is gone with this boot.
    pub fn unpack(&self, name: &str, bytes: &[u8]) -> Result<PathBuf> {
        let path = self.path.with_file_name("roms").join(name);
        write_whole(&path, |mut file| file.write_all(bytes))?;
        Ok(path)
    }

    /// What was kept; none where no session has kept anything, as on an installed system.
    pub fn read(&self) -> Result<Option<Vec<RomReading>>> {
        match self.unpacked() {
            Ok(readings) => Ok(Some(readings)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| self.path.display().to_string()),
        }
    }

    fn unpacked(&self) -> io::Result<Vec<RomReading>> {
        let text = zstd::Decoder::new(File::open(&self.path)?)?.take(LONGEST);
        Ok(serde_json::from_reader(BufReader::new(text))?)
    }
}

/// A file under its name in one step.
fn write_whole(path: &Path, fill: impl FnOnce(File) -> io::Result<()>) -> Result<()> {
    in_one_step::write(path, fill).with_context(|| path.display().to_string())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use hardware::{FailureKind, RomFailure, RomSource};

    use super::*;

    fn reading(source: RomSource, bytes: Result<Vec<u8>, RomFailure>) -> RomReading {
        RomReading {
            address: "01:00.0".parse().unwrap(),
            id: None,
            source,
            place: "/sys/rom".to_owned(),
            taint: (source == RomSource::Shadow).then(|| "the legacy copy".to_owned()),
            bytes,
            not_restored: vec!["enable".to_owned()],
        }
    }

    fn kept_in(folder: &Path) -> KeptRoms {
        KeptRoms::at(&folder.join("preflight/roms.json.zst"))
    }

    #[test]
    fn what_was_kept_is_read_as_it_was_and_later_ones_take_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let kept = kept_in(folder.path());
        let failed = RomFailure {
            kind: FailureKind::Asleep,
            why: "it sleeps".to_owned(),
        };
        let readings = [
            reading(RomSource::Shadow, Ok((0..=255).collect())),
            reading(RomSource::RomBar, Err(failed)),
        ];
        kept.keep(&readings).unwrap();
        assert_eq!(kept.read().unwrap().unwrap(), readings);
        kept.keep(&[]).unwrap();
        assert_eq!(kept.read().unwrap(), Some(Vec::new()));
    }

    #[test]
    fn nothing_kept_is_nothing_known_and_something_broken_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let kept = kept_in(folder.path());
        assert_eq!(kept.read().unwrap(), None);
        kept.keep(&[reading(RomSource::RomBar, Ok(vec![0x55; 4096]))])
            .unwrap();
        let whole = fs::read(&kept.path).unwrap();
        for broken in [&whole[..whole.len() / 2], b"[]", b""] {
            fs::write(&kept.path, broken).unwrap();
            assert!(kept.read().is_err(), "{broken:?}");
        }
    }

    #[test]
    fn a_copy_is_unpacked_in_the_place_of_an_older_one() {
        let folder = tempfile::tempdir().unwrap();
        let kept = kept_in(folder.path());
        for bytes in [b"old".as_slice(), b"new"] {
            let path = kept.unpack("card.rom", bytes).unwrap();
            assert_eq!(path, folder.path().join("preflight/roms/card.rom"));
            assert_eq!(fs::read(path).unwrap(), bytes);
        }
    }

    #[test]
    fn more_than_a_machine_has_is_not_kept() {
        let folder = tempfile::tempdir().unwrap();
        let kept = kept_in(folder.path());
        let large = reading(RomSource::RomBar, Ok(vec![0; MOST + 1]));
        let error = kept.keep(&[large]).unwrap_err();
        assert!(error.to_string().contains("at most"), "{error}");
        assert_eq!(kept.read().unwrap(), None);
    }
}
