//! A little system for power cuts: a root with GRUB's menu and an ESP with loader entries, before and after a
//! change, and what a boot loader reads of it.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use apply::{
    Attributes, ChangeSet, Digest, Durability, FileChange, FileState, Memory, Place, PlaceId,
    Places, Role,
};
use storage::Root;

/// When every file was made, in seconds since 1970: even, because FAT counts in twos.
const MADE: u64 = 1_600_000_000;

/// How many files stand before the loader entries. With names of three directory entries each, the two loader
/// entries fill up a sector of their folder, and what is staged for them lies in the next one.
const FILLERS: usize = 8;

/// A file system of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Volume {
    /// ext4, read by GRUB.
    Root,
    /// FAT, read by systemd-boot.
    Esp,
}

/// Before or after the change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Time {
    /// Before.
    Old,
    /// After.
    New,
}

/// Files by path from the volume's root, without a slash in front: role, bytes, permission bits.
pub type Files = BTreeMap<String, (Role, Vec<u8>, u32)>;

/// What a selector leads to: its text, with every path in it replaced by a digest of what is there.
pub type View = BTreeMap<String, String>;

impl Volume {
    /// Both, in the order of their disks.
    pub const ALL: [Self; 2] = [Self::Root, Self::Esp];

    /// As a place of a change set.
    pub fn place(self) -> PlaceId {
        match self {
            Self::Root => PlaceId::root(),
            Self::Esp => PlaceId::Esp("little-esp".to_owned()),
        }
    }

    /// Its files.
    pub fn files(self, time: Time) -> Files {
        let new = time == Time::New;
        let options = if new { "quiet iommu=pt" } else { "quiet" };
        let mut files = Files::new();
        let mut menu = format!("# {}\n", "a menu of some length ".repeat(80));
        for version in ["6.8.12-1", "6.8.12-2"] {
            let (folder, shown) = match self {
                Self::Root => ("boot".to_owned(), "/boot".to_owned()),
                Self::Esp => (
                    format!("EFI/proxmox/{version}"),
                    format!("/EFI/proxmox/{version}"),
                ),
            };
            let image = blob(version, 30_000);
            let initrd = if new {
                blob(&format!("{version} new"), 52_000)
            } else {
                blob(&format!("{version} old"), 47_000)
            };
            let entry = format!(
                "title Little {version}\noptions root=/dev/x {options}\nlinux {shown}/vmlinuz-{version}\n\
                 initrd {shown}/initrd.img-{version}\n"
            );
            files.insert(
                format!("{folder}/vmlinuz-{version}"),
                (Role::Payload, image, 0o644),
            );
            files.insert(
                format!("{folder}/initrd.img-{version}"),
                (Role::Payload, initrd, 0o600),
            );
            match self {
                Self::Root => menu += &entry,
                Self::Esp => {
                    let path = format!("loader/entries/proxmox-{version}.conf");
                    files.insert(path, (Role::Selector, entry.into_bytes(), 0o644));
                }
            }
        }
        match self {
            Self::Root => {
                files.insert(
                    "boot/grub/grub.cfg".to_owned(),
                    (Role::Selector, menu.into_bytes(), 0o444),
                );
                let text = format!("GRUB_CMDLINE_LINUX_DEFAULT=\"{options}\"\n").into_bytes();
                files.insert("etc/default/grub".to_owned(), (Role::Plain, text, 0o644));
                if new {
                    let text = b"options vfio-pci ids=10de:0fc6\n".to_vec();
                    files.insert(
                        "etc/modprobe.d/vfio.conf".to_owned(),
                        (Role::Plain, text, 0o644),
                    );
                } else {
                    let text = b"blacklist nouveau\n".to_vec();
                    files.insert(
                        "etc/modprobe.d/old.conf".to_owned(),
                        (Role::Plain, text, 0o640),
                    );
                }
            }
            Self::Esp => {
                let text = format!("timeout {}\ndefault proxmox-*\n", if new { 5 } else { 3 });
                files.insert(
                    "loader/loader.conf".to_owned(),
                    (Role::Selector, text.into_bytes(), 0o644),
                );
            }
        }
        files
    }

    /// Files that no change is about, in the order in which they have to be made.
    pub fn fillers(self) -> Vec<String> {
        match self {
            Self::Root => vec![
                "etc/modprobe.d/other.conf".to_owned(),
                "var/lib/kept".to_owned(),
            ],
            Self::Esp => (0..FILLERS)
                .map(|number| format!("loader/entries/filler-with-name-{number}"))
                .collect(),
        }
    }

    /// Makes the old files in a folder, the fillers first.
    pub fn make(self, folder: &Path) -> io::Result<()> {
        let made = SystemTime::UNIX_EPOCH + Duration::from_secs(MADE);
        let old = self.files(Time::Old);
        let fillers = self
            .fillers()
            .into_iter()
            .map(|path| (path, Vec::new(), 0o644));
        let files = old
            .into_iter()
            .map(|(path, (_, bytes, mode))| (path, bytes, mode));
        for (path, bytes, mode) in fillers.chain(files) {
            let path = folder.join(path);
            fs::create_dir_all(path.parent().unwrap_or(folder))?;
            fs::write(&path, bytes)?;
            fs::set_permissions(&path, fs::Permissions::from_mode(mode))?;
            fs::File::options()
                .append(true)
                .open(&path)?
                .set_modified(made)?;
        }
        Ok(())
    }

    /// What a loader starts from these files: every selector with what it names.
    pub fn view(self, files: &BTreeMap<String, Vec<u8>>) -> View {
        let is_selector = |path: &str| match self {
            Self::Root => path == "boot/grub/grub.cfg",
            Self::Esp => path.starts_with("loader/") && path.ends_with(".conf"),
        };
        let selectors = files.iter().filter(|(path, _)| is_selector(path));
        // An empty entry is none to systemd-boot.
        let selectors = selectors.filter(|(_, text)| !text.is_empty());
        let shown = selectors.map(|(path, text)| {
            let text = String::from_utf8_lossy(text);
            let words = text
                .split_whitespace()
                .map(|word| match word.strip_prefix("/") {
                    Some(path) if !word.starts_with("/dev/") => files.get(path).map_or_else(
                        || "MISSING".to_owned(),
                        |bytes| Digest::of(bytes).to_string(),
                    ),
                    _ => word.to_owned(),
                });
            // Which kernel a name means does not change; what it holds does.
            let words: Vec<String> = words.collect();
            (path.clone(), words.join(" "))
        });
        shown.collect()
    }

    /// What a loader starts at this time.
    pub fn view_at(self, time: Time) -> View {
        let files = self
            .files(time)
            .into_iter()
            .map(|(path, (_, bytes, _))| (path, bytes));
        self.view(&files.collect())
    }

    /// What is wrong with the files in a folder, as they should be at this time; modes and times count on the
    /// root.
    pub fn complaints(self, folder: &Path, time: Time) -> io::Result<Vec<String>> {
        let mut found = BTreeMap::new();
        walk(folder, folder, &mut found)?;
        let wanted = self.files(time);
        let old = self.files(Time::Old);
        let fillers = self.fillers();
        let mut complaints = Vec::new();
        for path in found.keys() {
            if !wanted.contains_key(path) && !fillers.contains(path) {
                complaints.push(format!("{path} should not be there"));
            }
        }
        for path in fillers.iter().filter(|path| !found.contains_key(*path)) {
            complaints.push(format!("{path} is gone"));
        }
        for (path, (_, bytes, mode)) in &wanted {
            let Some(metadata) = found.get(path) else {
                complaints.push(format!("{path} is gone"));
                continue;
            };
            if fs::read(folder.join(path))? != *bytes {
                complaints.push(format!("{path} has other bytes"));
            }
            if self == Self::Root && metadata.permissions().mode() & 0o7777 != *mode {
                complaints.push(format!("{path} has another mode"));
            }
            let made = metadata.modified()?.duration_since(SystemTime::UNIX_EPOCH);
            let kept = old.get(path).is_some_and(|(_, before, _)| before == bytes);
            if self == Self::Root && kept && made.map_or(0, |made| made.as_secs()) != MADE {
                complaints.push(format!("{path} has another time"));
            }
        }
        Ok(complaints)
    }
}

/// The change, and the contents for it.
pub fn change(id: &str) -> Option<(ChangeSet, Memory)> {
    let mut contents = Memory::default();
    let mut files = Vec::new();
    for volume in Volume::ALL {
        let (old, new) = (volume.files(Time::Old), volume.files(Time::New));
        let mut paths: Vec<&String> = old.keys().chain(new.keys()).collect();
        paths.sort();
        paths.dedup();
        for path in paths {
            let (before, after) = (old.get(path), new.get(path));
            let state = |file: Option<&(Role, Vec<u8>, u32)>, modified| {
                file.map(|(_, bytes, mode)| FileState {
                    digest: Digest::of(bytes),
                    size: bytes.len() as u64,
                    attributes: (volume == Volume::Root).then_some(Attributes {
                        mode: *mode,
                        uid: 0,
                        gid: 0,
                        modified,
                    }),
                })
            };
            files.push(FileChange {
                place: volume.place(),
                path: format!("/{path}"),
                role: before.or(after)?.0,
                before: state(before, i64::try_from(MADE).ok().map(|made| (made, 0))),
                after: state(after, None),
                between: None,
            });
            if let Some((_, bytes, _)) = after {
                contents.add(bytes.clone());
            }
        }
    }
    let set = ChangeSet {
        entries: Vec::new(),
        id: id.to_owned().try_into().ok()?,
        folders: Vec::new(),
        files,
    };
    Some((set, contents))
}

/// The places, mounted at these folders.
pub fn places(root: &Path, esp: &Path) -> Result<Places, storage::RootError> {
    let durability = Durability::Checkpointed;
    let mut places = Places::default();
    for (volume, folder) in Volume::ALL.into_iter().zip([root, esp]) {
        let root = Root::open(folder)?;
        places = places.with(volume.place(), Place { root, durability });
    }
    Ok(places)
}

fn walk(base: &Path, folder: &Path, found: &mut BTreeMap<String, fs::Metadata>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path
            .strip_prefix(base)
            .unwrap_or(&path)
            .display()
            .to_string();
        let metadata = path.metadata()?;
        if name == "lost+found" {
            continue;
        }
        if metadata.is_dir() {
            let before = found.len();
            walk(base, &path, found)?;
            // No folder of it is empty; one that is was left there.
            if found.len() == before && name.contains("preflight") {
                found.insert(name, metadata);
            }
        } else {
            found.insert(name, metadata);
        }
    }
    Ok(())
}

/// Bytes that look like nothing else, and that no two blocks share.
fn blob(name: &str, length: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(length + 64);
    let mut number = 0;
    while bytes.len() < length {
        bytes.extend(
            Digest::of(format!("{name} {number}").as_bytes())
                .to_string()
                .bytes(),
        );
        number += 1;
    }
    bytes.truncate(length);
    bytes
}
