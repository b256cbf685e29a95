//! What a boot loader reads of disks as they lie there: nothing is mounted, no journal is looked at.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::process::Command;

use qemu_tests::golden::Manifest;
use qemu_tests::sha256;

/// Every selector with its text, in which each kernel and initrd is given by its SHA-256: two texts that name the
/// same bytes by different paths are one.
pub type View = BTreeMap<String, String>;

/// What starts a system.
pub enum Loader {
    /// GRUB, with its own reader of disks: the device that its menu is on, as `grub-fstest` calls it.
    Grub(String),
    /// systemd-boot on an ESP: number of the disk, first byte and length.
    SystemdBoot(usize, u64, u64),
}

/// The words before a path in GRUB's menu and in a loader entry.
const NAMING: [&str; 3] = ["linux", "initrd", "efi"];
const MENU: &str = "/boot/grub/grub.cfg";
const SECTOR: u64 = 512;

impl Loader {
    /// All that can start the system.
    pub fn all(system: &Manifest) -> Vec<Self> {
        if let Some(group) = &system.volume_group {
            return vec![Self::Grub(format!("(lvm/{}-root)", group.name))];
        }
        let placed = system.disks.iter().enumerate().flat_map(|(disk, known)| {
            let partitions = known.partitions.iter();
            partitions.map(move |partition| (disk, partition))
        });
        if system.boot_entries.is_empty() {
            let holds_root =
                |holds: &qemu_tests::golden::FileSystem| holds.kind == system.root_kind;
            let root = placed.filter(|(_, it)| it.holds.as_ref().is_some_and(holds_root));
            let devices = root.map(|(disk, it)| format!("(loop{disk},gpt{})", it.number));
            return devices.take(1).map(Self::Grub).collect();
        }
        let is_esp = |uuid: &str| system.esps.iter().any(|esp| esp.partition == uuid);
        let esps = placed.filter(|(_, it)| is_esp(&it.uuid));
        esps.map(|(disk, it)| Self::SystemdBoot(disk, it.start * SECTOR, it.bytes))
            .collect()
    }

    /// What it reads on the disks with these raw images.
    pub fn view(&self, images: &[&Path]) -> View {
        match self {
            Self::Grub(device) => {
                let mut known = BTreeMap::new();
                let read = |path: &str| grub_reads(images, &format!("{device}{path}"));
                let menu = read(MENU).map_or_else(
                    |why| format!("NOT READ: {why}"),
                    |text| {
                        resolved(&String::from_utf8_lossy(&text), |path| {
                            let digest =
                                || read(path).map_or_else(|why| why, |bytes| sha256(&bytes));
                            known.entry(path.to_owned()).or_insert_with(digest).clone()
                        })
                    },
                );
                View::from([(MENU.to_owned(), menu)])
            }
            Self::SystemdBoot(disk, start, length) => {
                let mut esp = Part::open(images[*disk], *start, *length).unwrap();
                let system = fatfs::FileSystem::new(&mut esp, fatfs::FsOptions::new()).unwrap();
                let mut selectors: Vec<String> = names(&system, "loader/entries");
                selectors.retain(|path| path.ends_with(".conf"));
                selectors.push("loader/loader.conf".to_owned());
                let read = |path: &str| fat_reads(&system, path).ok();
                let texts = selectors.into_iter().filter_map(|path| {
                    // An empty entry is none to systemd-boot.
                    let text = read(&path).filter(|text| !text.is_empty())?;
                    let text = resolved(&String::from_utf8_lossy(&text), |path| {
                        read(path).map_or_else(|| "MISSING".to_owned(), |bytes| sha256(&bytes))
                    });
                    Some((path, text))
                });
                texts.collect()
            }
        }
    }
}

/// The text with what `digest` gives in place of every path to a kernel or an initrd.
fn resolved(text: &str, mut digest: impl FnMut(&str) -> String) -> String {
    let lines = text.lines().map(|line| {
        let mut words = line.split_whitespace().map(str::to_owned);
        match words.next() {
            Some(first) if NAMING.contains(&first.as_str()) => {
                let words = words.map(|word| match word.starts_with('/') {
                    true => digest(&word),
                    false => word,
                });
                let words: Vec<String> = words.collect();
                format!("{first} {}", words.join(" "))
            }
            _ => line.to_owned(),
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// A file as GRUB's own drivers read it, or what they say.
fn grub_reads(images: &[&Path], path: &str) -> Result<Vec<u8>, String> {
    let mut command = Command::new("grub-fstest");
    command.arg("-c").arg(images.len().to_string()).args(images);
    let output = command.args(["cat", path]).env("LC_ALL", "C").output();
    let output = output.unwrap_or_else(|error| panic!("grub-fstest: {error}; install grub-common"));
    let said = String::from_utf8_lossy(&output.stderr);
    match output.status.success() && said.is_empty() {
        true => Ok(output.stdout),
        false => Err(said.trim().to_owned()),
    }
}

fn names<T: fatfs::ReadWriteSeek>(system: &fatfs::FileSystem<T>, folder: &str) -> Vec<String> {
    let Ok(opened) = system.root_dir().open_dir(folder) else {
        return Vec::new();
    };
    let entries = opened.iter().map_while(Result::ok);
    let files = entries.filter(fatfs::DirEntry::is_file);
    files
        .map(|entry| format!("{folder}/{}", entry.file_name()))
        .collect()
}

fn fat_reads<T: fatfs::ReadWriteSeek>(
    system: &fatfs::FileSystem<T>,
    path: &str,
) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut file = system.root_dir().open_file(path.trim_start_matches('/'))?;
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A part of an image that is only read.
struct Part {
    file: File,
    start: u64,
    length: u64,
    at: u64,
}

impl Part {
    fn open(image: &Path, start: u64, length: u64) -> io::Result<Self> {
        let file = File::open(image)?;
        Ok(Self {
            file,
            start,
            length,
            at: 0,
        })
    }
}

impl Read for Part {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.length - self.at).unwrap_or(usize::MAX);
        let wanted = into.len().min(left);
        let place = self.start + self.at;
        let read = std::os::unix::fs::FileExt::read_at(&self.file, &mut into[..wanted], place)?;
        self.at += read as u64;
        Ok(read)
    }
}

impl Write for Part {
    /// The library marks what it opens as in use, which no boot loader does.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.at += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for Part {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(by) => self.length.checked_add_signed(by),
        };
        let inside = at.filter(|at| *at <= self.length);
        self.at = inside.ok_or_else(|| io::Error::other("a place outside the ESP"))?;
        Ok(self.at)
    }
}

#[test]
fn paths_give_way_to_what_they_lead_to_and_every_other_word_stays() {
    let text = "set root='x'\n\tlinux\t/a root=/dev/b quiet\n\tinitrd /c /a\noptions /a\n";
    let seen = resolved(text, |path| format!("<{path}>"));
    let expected = "set root='x'\nlinux </a> root=/dev/b quiet\ninitrd </c> </a>\noptions /a";
    assert_eq!(seen, expected);
}
