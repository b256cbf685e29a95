//! The boot stick's data partition as a disk image, in the states that a person's stick can be in.

use std::fs;
use std::io::{self, Cursor, Read, Seek, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Command;

use fatfs::{FileSystem, FormatVolumeOptions, FsOptions};

use crate::gpt;

/// FAT16: a FAT32 this small is not a valid one.
const LENGTH: usize = 40 << 20;

/// Folders in folders that a file system without a fault can have.
const DEEPEST: usize = 16;

const FILE: &str = "stick.img";
const NAME: &str = "PREFLIGHT";
const LABEL: [u8; 11] = *b"PREFLIGHT  ";

/// A stick that went wrong before the guest saw it, or right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Empty and writable.
    Good,
    /// Not one free cluster.
    Full,
    /// Its write protection is on.
    ReadOnly,
    /// The partition has the type of any other stick.
    OfSomebodyElse,
}

/// A USB stick: a raw image with a GPT and a FAT partition named `PREFLIGHT`, which the files are on.
#[derive(Debug)]
pub struct Stick {
    path: PathBuf,
    state: State,
}

/// A file on the stick.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Path from the root of the file system, with slashes.
    pub path: String,
    /// Contents.
    pub bytes: Vec<u8>,
}

impl Stick {
    /// The stick that was built as this image.
    pub fn of_image(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            state: State::Good,
        }
    }

    /// A good stick in `folder`.
    pub fn new(folder: &Path) -> io::Result<Self> {
        Self::in_state(folder, State::Good)
    }

    /// The stick that [`Stick::new`] has made in `folder`.
    pub fn existing(folder: &Path) -> Self {
        Self {
            path: folder.join(FILE),
            state: State::Good,
        }
    }

    /// A stick in `folder` in this state.
    pub fn in_state(folder: &Path, state: State) -> io::Result<Self> {
        let path = folder.join(FILE);
        let kind = match state {
            State::OfSomebodyElse => gpt::BASIC_DATA,
            _ => gpt::PREFLIGHT_DATA,
        };
        let mut volume = vec![0; LENGTH];
        let options = FormatVolumeOptions::new()
            .fat_type(fatfs::FatType::Fat16)
            .volume_id(0x5046_4c54)
            .volume_label(LABEL);
        fatfs::format_volume(Cursor::new(&mut volume), options)?;
        if state == State::Full {
            fill(&mut volume)?;
        }
        gpt::write_disk(&path, kind, NAME, &volume)?;
        Ok(Self { path, state })
    }

    /// The image.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether its write protection is on.
    pub fn is_read_only(&self) -> bool {
        self.state == State::ReadOnly
    }

    /// Puts files on it, each in a folder of the root: folder, name and contents.
    pub fn add(&self, files: &[(&str, &str, &[u8])]) -> io::Result<()> {
        let mut volume = self.volume()?;
        let system = FileSystem::new(Cursor::new(&mut volume), FsOptions::new())?;
        for (folder, name, bytes) in files {
            let folder = system.root_dir().create_dir(folder)?;
            folder.create_file(name)?.write_all(bytes)?;
        }
        system.unmount()?;
        let mut disk = fs::File::options()
            .read(true)
            .write(true)
            .open(&self.path)?;
        disk.seek(io::SeekFrom::Start(self.place()?.start as u64))?;
        disk.write_all(&volume)
    }

    /// Every file on it, by path.
    pub fn files(&self) -> io::Result<Vec<File>> {
        self.files_outside(None)
    }

    /// Every file but those in this folder of the root, of which anything may be there.
    pub fn files_outside(&self, folder: Option<&str>) -> io::Result<Vec<File>> {
        let mut volume = self.volume()?;
        let system = FileSystem::new(Cursor::new(&mut volume), FsOptions::new())?;
        let mut files = Vec::new();
        walk(&system.root_dir(), "", folder, &mut files)?;
        files.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(files)
    }

    /// Names in its root.
    pub fn names(&self) -> io::Result<Vec<String>> {
        let mut volume = self.volume()?;
        let system = FileSystem::new(Cursor::new(&mut volume), FsOptions::new())?;
        let entries = system.root_dir().iter();
        entries.map(|entry| Ok(entry?.file_name())).collect()
    }

    /// The only file whose path ends with `suffix`. An error names the files that are there.
    pub fn file(&self, suffix: &str) -> io::Result<Vec<u8>> {
        let files = self.files()?;
        let mut matching = files.iter().filter(|file| file.path.ends_with(suffix));
        match (matching.next(), matching.next()) {
            (Some(file), None) => Ok(file.bytes.clone()),
            _ => {
                let paths: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
                Err(io::Error::new(
                    io::ErrorKind::NotFound,
                    format!("not one file '*{suffix}' on the stick, which has {paths:?}"),
                ))
            }
        }
    }

    /// Where its files lie in the image, bytes.
    pub fn place(&self) -> io::Result<Range<usize>> {
        gpt::place_for_results(&mut fs::File::open(&self.path)?, NAME)
    }

    /// What `fsck.fat` has against the file system; none when it is clean, or when there is no `fsck.fat`
    /// here to ask.
    pub fn complaint(&self) -> io::Result<Option<String>> {
        let mut volume = tempfile::NamedTempFile::new()?;
        volume.write_all(&self.volume()?)?;
        let checked = Command::new("fsck.fat")
            .args(["-n", "-v"])
            .arg(volume.path())
            .output();
        match checked {
            Ok(output) if output.status.success() => Ok(None),
            Ok(output) => Ok(Some(
                String::from_utf8_lossy(&output.stdout).into_owned()
                    + &String::from_utf8_lossy(&output.stderr),
            )),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                eprintln!("skipped: there is no fsck.fat (package dosfstools) to ask");
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn volume(&self) -> io::Result<Vec<u8>> {
        let mut disk = fs::File::open(&self.path)?;
        let place = gpt::place_for_results(&mut disk, NAME)?;
        let mut volume = vec![0; place.len()];
        disk.seek(io::SeekFrom::Start(place.start as u64))?;
        disk.read_exact(&mut volume)?;
        Ok(volume)
    }
}

/// One file that takes every free cluster.
fn fill(volume: &mut [u8]) -> io::Result<()> {
    let system = FileSystem::new(Cursor::new(volume), FsOptions::new())?;
    let stats = system.stats()?;
    let free = u64::from(stats.free_clusters()) * u64::from(stats.cluster_size());
    let mut file = system.root_dir().create_file("films.iso")?;
    io::copy(&mut io::repeat(0xf1).take(free), &mut file)?;
    drop(file);
    system.unmount()
}

fn walk<T: fatfs::ReadWriteSeek>(
    folder: &fatfs::Dir<'_, T>,
    path: &str,
    left_out: Option<&str>,
    files: &mut Vec<File>,
) -> io::Result<()> {
    if path.matches('/').count() > DEEPEST {
        return Err(io::Error::other(format!("{path} leads in a circle")));
    }
    for entry in folder.iter() {
        let entry = entry?;
        let name = entry.file_name();
        if name == "." || name == ".." {
            continue;
        }
        let path = if path.is_empty() {
            if Some(name.as_str()) == left_out {
                continue;
            }
            name
        } else {
            format!("{path}/{name}")
        };
        if entry.is_dir() {
            walk(&entry.to_dir(), &path, left_out, files)?;
        } else {
            let mut bytes = Vec::new();
            entry.to_file().read_to_end(&mut bytes)?;
            files.push(File { path, bytes });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_stick_is_empty_clean_and_carries_our_label() {
        let folder = tempfile::tempdir().unwrap();
        let stick = Stick::new(folder.path()).unwrap();
        assert_eq!(stick.files().unwrap(), []);
        assert_eq!(stick.complaint().unwrap(), None);
        let mut volume = stick.volume().unwrap();
        let system = FileSystem::new(Cursor::new(&mut volume), FsOptions::new()).unwrap();
        let label = system.read_volume_label_from_root_dir().unwrap();
        assert_eq!(label.as_deref(), Some("PREFLIGHT"));
    }

    #[test]
    fn a_full_stick_has_no_free_cluster_and_is_clean() {
        let folder = tempfile::tempdir().unwrap();
        let stick = Stick::in_state(folder.path(), State::Full).unwrap();
        let mut volume = stick.volume().unwrap();
        let system = FileSystem::new(Cursor::new(&mut volume), FsOptions::new()).unwrap();
        assert_eq!(system.stats().unwrap().free_clusters(), 0);
        drop(system);
        assert_eq!(stick.complaint().unwrap(), None);
    }

    #[test]
    fn a_file_that_is_not_there_is_an_error_that_names_what_is() {
        let folder = tempfile::tempdir().unwrap();
        let stick = Stick::in_state(folder.path(), State::Full).unwrap();
        let error = stick.file("report.txt").unwrap_err().to_string();
        assert!(error.contains("films.iso"), "{error}");
    }
}
