//! FAT file systems as bytes, the same for the same content.

mod clock;
mod names;
mod writer;

use std::io::{self, Cursor};
use std::ops::Range;

use fatfs::{FatType, FormatVolumeOptions};

use clock::stamp;
use writer::{Folder, Writer};

/// What stands in a file system besides its files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Volume {
    /// Which FAT.
    pub kind: Kind,
    /// At most 11 ASCII characters, upper case.
    pub label: &'static str,
    /// The volume's serial number.
    pub id: u32,
    /// The time of all files, in seconds since 1970. FAT knows none before 1980.
    pub modified: u32,
}

/// Which FAT, which decides about its least size (Microsoft's FAT specification, section 3.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// From 4085 clusters: 3 MiB.
    Fat16,
    /// From 65,525 clusters: 34 MiB.
    Fat32,
}

impl Kind {
    fn format(self) -> FatType {
        match self {
            Self::Fat16 => FatType::Fat16,
            Self::Fat32 => FatType::Fat32,
        }
    }

    fn clusters(self) -> Range<u32> {
        match self {
            Self::Fat16 => 4085..65_525,
            Self::Fat32 => 65_525..0x0fff_fff5,
        }
    }

    /// Bytes of a cluster, as few as the number of clusters allows; a FAT32 of more than 260 MiB has larger ones,
    /// for small tables.
    fn cluster(self, length: usize) -> u32 {
        let sizes = [512, 1024, 2048, 4096, 8192, 16_384];
        let most = match self {
            Self::Fat16 => 65_525,
            Self::Fat32 => 260 << 11,
        };
        let size = sizes.into_iter().find(|size| length / size < most);
        size.and_then(|size| u32::try_from(size).ok())
            .unwrap_or(32_768)
    }
}

/// A file for a file system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFile {
    /// Path from the root, with slashes and none in front.
    pub path: String,
    /// The bytes.
    pub content: Vec<u8>,
}

impl NewFile {
    /// A file with these bytes.
    pub fn new(path: impl Into<String>, content: impl Into<Vec<u8>>) -> Self {
        Self {
            path: path.into(),
            content: content.into(),
        }
    }
}

/// Bytes of a FAT32 file system with room for these files: whole MiB, at least what makes it a FAT32.
pub fn fat32_length(files: &[NewFile]) -> u64 {
    const MIB: u64 = 1 << 20;
    // Below 260 MiB a cluster is one sector. Its entries in two tables take 8 bytes, a folder entry with a
    // long name up to 96, and a folder of its own a cluster; a MiB more leaves room for an edit by hand.
    let content: u64 = files
        .iter()
        .map(|file| (file.content.len() as u64).next_multiple_of(512) + 1024)
        .sum();
    let tables = content / 512 * 8;
    (content + tables + MIB).next_multiple_of(MIB).max(36 * MIB)
}

/// A file system of `length` bytes with these files, in this order.
///
/// # Errors
/// When they do not fit, or `length` does not suit the kind.
pub fn file_system(volume: &Volume, length: u64, files: &[NewFile]) -> io::Result<Vec<u8>> {
    let length = usize::try_from(length).map_err(io::Error::other)?;
    let mut bytes = vec![0; length];
    let mut label = [b' '; 11];
    for (place, letter) in label.iter_mut().zip(volume.label.bytes()) {
        *place = letter;
    }
    let format = FormatVolumeOptions::new()
        .fat_type(volume.kind.format())
        .bytes_per_cluster(volume.kind.cluster(length))
        .volume_id(volume.id)
        .volume_label(label);
    fatfs::format_volume(Cursor::new(&mut bytes), format)?;
    let mut root = Folder::default();
    for file in files {
        root.add(&file.path, &file.content)?;
    }
    let writer = Writer::new(&mut bytes, stamp(volume.modified))?;
    // The number of clusters, and nothing else, tells the kinds of FAT apart.
    if !volume.kind.clusters().contains(&writer.clusters()) {
        let why = format!("{length} bytes do not make a {:?}", volume.kind);
        return Err(io::Error::other(why));
    }
    writer.write(&root)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Read;
    use std::process::Command;

    use fatfs::{FileSystem, FsOptions};
    use proptest::prelude::*;

    use super::*;

    const VOLUME: Volume = Volume {
        kind: Kind::Fat16,
        label: "PREFLIGHT",
        id: 0x1234_5678,
        modified: 1_700_000_000,
    };

    #[test]
    fn files_come_back_with_the_time_that_was_asked_for() {
        let files = [
            NewFile::new("boot/grub/grub.cfg", "set timeout=5\n"),
            NewFile::new("boot/vmlinuz", vec![7; 100_000]),
        ];
        let mut bytes = file_system(&VOLUME, 4 << 20, &files).unwrap();
        let system = FileSystem::new(Cursor::new(&mut bytes), FsOptions::new()).unwrap();
        for file in &files {
            let mut content = Vec::new();
            let mut place = system.root_dir().open_file(&file.path).unwrap();
            place.read_to_end(&mut content).unwrap();
            assert!(content == file.content, "{}", file.path);
        }
        for entry in system.root_dir().open_dir("boot").unwrap().iter() {
            let modified = entry.unwrap().modified();
            assert_eq!(
                (modified.date.year, modified.date.month, modified.date.day),
                (2023, 11, 14)
            );
        }
        assert_eq!(system.volume_id(), 0x1234_5678);
    }

    #[test]
    fn the_same_files_give_the_same_bytes_and_another_time_gives_others() {
        let files = [NewFile::new("a/b", "c")];
        let first = file_system(&VOLUME, 4 << 20, &files).unwrap();
        assert!(first == file_system(&VOLUME, 4 << 20, &files).unwrap());
        let later = Volume {
            modified: 1_800_000_000,
            ..VOLUME
        };
        assert!(first != file_system(&later, 4 << 20, &files).unwrap());
    }

    #[test]
    fn a_length_that_makes_another_kind_of_fat_is_refused() {
        let wide = Volume {
            kind: Kind::Fat32,
            ..VOLUME
        };
        assert!(file_system(&VOLUME, 2 << 20, &[]).is_err());
        assert!(file_system(&wide, 32 << 20, &[]).is_err());
        for length in [4 << 20, 40 << 20, 300 << 20] {
            let bytes = file_system(&VOLUME, length, &[]).unwrap();
            assert_eq!(complaint(&bytes), None, "{length}");
        }
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        let files = [NewFile::new("large", vec![1; 5 << 20])];
        assert!(file_system(&VOLUME, 4 << 20, &files).is_err());
    }

    #[test]
    fn the_length_of_a_fat32_holds_what_it_was_reckoned_for() {
        let volume = Volume {
            kind: Kind::Fat32,
            ..VOLUME
        };
        let small: Vec<_> = (0..500)
            .map(|n| NewFile::new(format!("a folder/a file with a long name {n}"), [1]))
            .collect();
        let large = vec![
            NewFile::new("one", vec![1; 40 << 20]),
            NewFile::new("two", vec![2; 20 << 20]),
        ];
        for files in [Vec::new(), small, large] {
            let length = fat32_length(&files);
            file_system(&volume, length, &files).unwrap();
        }
    }

    /// What fsck.fat says about a file system that it does not like, or that there is no fsck.fat to ask.
    fn complaint(bytes: &[u8]) -> Option<String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), bytes).unwrap();
        let checked = Command::new("fsck.fat")
            .arg("-nv")
            .arg(file.path())
            .output();
        let Ok(checked) = checked else {
            assert!(std::env::var_os("CI").is_none(), "CI has fsck.fat");
            eprintln!("skipped: there is no fsck.fat (package dosfstools) to ask");
            return None;
        };
        let said = String::from_utf8_lossy(&checked.stdout).into_owned();
        (!checked.status.success()).then_some(said)
    }

    fn read_back(bytes: &[u8], files: &[NewFile]) {
        let mut bytes = bytes.to_vec();
        let system = FileSystem::new(Cursor::new(&mut bytes), FsOptions::new()).unwrap();
        for file in files {
            let mut content = Vec::new();
            let mut place = system.root_dir().open_file(&file.path).unwrap();
            place.read_to_end(&mut content).unwrap();
            assert!(content == file.content, "{}", file.path);
        }
    }

    #[test]
    fn fsck_has_nothing_against_folders_in_folders_and_long_names() {
        let many: Vec<_> = (0..200)
            .map(|n| NewFile::new(format!("a folder/another.one/File number {n}"), [1]))
            .chain((0..40).map(|n| NewFile::new(format!("in the root {n}"), [])))
            .collect();
        for (kind, length) in [(Kind::Fat16, 4 << 20), (Kind::Fat32, 36 << 20)] {
            let bytes = file_system(&Volume { kind, ..VOLUME }, length, &many).unwrap();
            assert_eq!(complaint(&bytes), None);
            read_back(&bytes, &many);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn any_files_come_back_from_a_clean_file_system(
            files in proptest::collection::btree_map(
                "[a-z]{1,3}(/[A-Za-z0-9_ -]{0,20}[a-z]\\.[a-z]{1,5}){0,1}",
                proptest::collection::vec(any::<u8>(), 0..3000),
                0..12,
            )
        ) {
            let files: Vec<_> = files
                .into_iter()
                .map(|(path, content)| NewFile::new(format!("top{path}"), content))
                .collect();
            // Two paths may differ in case alone, or one may be the other's folder.
            if let Ok(bytes) = file_system(&VOLUME, 4 << 20, &files) {
                prop_assert_eq!(complaint(&bytes), None);
                read_back(&bytes, &files);
            }
        }
    }
}
