//! FAT file systems as bytes, the same for the same content.

use std::io::{self, Cursor, Write};

use fatfs::{
    Date, DateTime, FatType, FileSystem, FormatVolumeOptions, FsOptions, Time, TimeProvider,
};

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
    let kind = match volume.kind {
        Kind::Fat16 => FatType::Fat16,
        Kind::Fat32 => FatType::Fat32,
    };
    let format = FormatVolumeOptions::new()
        .fat_type(kind)
        .volume_id(volume.id)
        .volume_label(label);
    fatfs::format_volume(Cursor::new(&mut bytes), format)?;
    // The library wants a clock that lives as long as the program; this one has four bytes.
    let clock: &'static StoppedClock = Box::leak(Box::new(StoppedClock(volume.modified)));
    let options = FsOptions::new().time_provider(clock);
    let system = FileSystem::new(Cursor::new(&mut bytes), options)?;
    let root = system.root_dir();
    for file in files {
        for (end, _) in file.path.match_indices('/') {
            root.create_dir(file.path.get(..end).unwrap_or_default())?;
        }
        let mut place = root.create_file(&file.path)?;
        place.write_all(&file.content)?;
        place.flush()?;
    }
    drop(root);
    system.unmount()?;
    Ok(bytes)
}

#[derive(Debug)]
struct StoppedClock(u32);

impl TimeProvider for StoppedClock {
    fn get_current_date(&self) -> Date {
        self.get_current_date_time().date
    }

    fn get_current_date_time(&self) -> DateTime {
        date_time(self.0)
    }
}

/// Coordinated universal time as FAT writes it; never before 1980.
fn date_time(seconds: u32) -> DateTime {
    const SECONDS_PER_DAY: u32 = 86_400;
    const FIRST: u32 = 3652 * SECONDS_PER_DAY;
    let seconds = seconds.max(FIRST);
    let mut days = seconds / SECONDS_PER_DAY;
    let mut year = 1970;
    while days >= days_in(year) {
        days -= days_in(year);
        year += 1;
    }
    let february = if days_in(year) == 366 { 29 } else { 28 };
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    let rest = seconds % SECONDS_PER_DAY;
    let small = |number: u32| u16::try_from(number).unwrap_or(u16::MAX);
    DateTime {
        date: Date {
            year,
            month,
            day: small(days + 1),
        },
        time: Time {
            hour: small(rest / 3600),
            min: small(rest / 60 % 60),
            sec: small(rest % 60),
            millis: 0,
        },
    }
}

/// Between 1970 and 2106 the only century, 2000, has a leap day.
fn days_in(year: u16) -> u32 {
    let leap = year.is_multiple_of(4) && year != 2100;
    if leap { 366 } else { 365 }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

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

    #[test]
    fn days_are_counted_through_leap_years_and_start_in_1980() {
        let date = |seconds| {
            let date = date_time(seconds).date;
            (date.year, date.month, date.day)
        };
        assert_eq!(date(0), (1980, 1, 1));
        assert_eq!(date(951_782_400), (2000, 2, 29));
        assert_eq!(date(951_868_800), (2000, 3, 1));
        assert_eq!(date(u32::MAX), (2106, 2, 7));
        let time = date_time(1_700_000_000).time;
        assert_eq!((time.hour, time.min, time.sec), (22, 13, 20));
    }
}
