#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use storage::Root;
use tempfile::TempDir;

use crate::{
    Attributes, ChangeSet, Contents, Digest, Durability, FileChange, FileState, FolderChange,
    Memory, Observed, Place, PlaceId, Places, Role, Sequence, Way,
};

/// A kernel in a menu: what its files hold, and its command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kernel {
    pub image: u8,
    pub initrd: u8,
    pub options: u8,
}

/// One place's menu, by kernel version, and files that no loader reads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Content {
    pub kernels: BTreeMap<u8, Kernel>,
    pub plain: BTreeMap<u8, (u8, u32)>,
}

/// A root with GRUB, and ESPs with loader entries.
pub type System = Vec<Content>;

pub type Tree = BTreeMap<String, (Vec<u8>, u32)>;

pub struct Machine {
    pub places: Places,
    pub folders: Vec<TempDir>,
    pub contents: Memory,
    pub set: ChangeSet,
    pub trees: Vec<Tree>,
}

pub fn place_id(number: usize) -> PlaceId {
    match number {
        0 => PlaceId::root(),
        esp => PlaceId::Esp(format!("esp-{esp}")),
    }
}

/// In memory where there is such a folder: a sync of a real disk is for the tests that cut its power.
fn folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() {
        tempfile::tempdir_in(memory).unwrap()
    } else {
        tempfile::tempdir().unwrap()
    }
}

/// Every file of a place, with its role.
fn files(number: usize, content: &Content) -> BTreeMap<String, (Role, Vec<u8>, u32)> {
    let mut files = BTreeMap::new();
    let mut menu = String::new();
    for (version, kernel) in &content.kernels {
        let (folder, shown) = match number {
            0 => ("/boot".to_owned(), "/boot".to_owned()),
            _ => (format!("/EFI/{version}"), format!("/EFI/{version}")),
        };
        let image = vec![kernel.image; 700];
        let initrd = vec![kernel.initrd; 900 + usize::from(kernel.initrd)];
        files.insert(
            format!("{folder}/vmlinuz-{version}"),
            (Role::Payload, image, 0o644),
        );
        files.insert(
            format!("{folder}/initrd.img-{version}"),
            (Role::Payload, initrd, 0o600),
        );
        let entry = format!(
            "linux {shown}/vmlinuz-{version} options={}\ninitrd {shown}/initrd.img-{version}\n",
            kernel.options
        );
        if number == 0 {
            menu += &entry;
        } else {
            let path = format!("/loader/entries/{version}.conf");
            files.insert(path, (Role::Selector, entry.into_bytes(), 0o644));
        }
    }
    if number == 0 {
        files.insert(
            "/boot/grub/grub.cfg".to_owned(),
            (Role::Selector, menu.into_bytes(), 0o444),
        );
    } else if let Some(version) = content.kernels.keys().next_back() {
        let text = format!("default {version}.conf\n").into_bytes();
        files.insert(
            "/loader/loader.conf".to_owned(),
            (Role::Selector, text, 0o644),
        );
    }
    for (name, (byte, mode)) in &content.plain {
        files.insert(
            format!("/etc/{name}.conf"),
            (Role::Plain, vec![*byte; 40], *mode),
        );
    }
    files
}

impl Machine {
    /// A machine as `old`, and the change set to `new`.
    pub fn new(old: &System, new: &System) -> Self {
        let mut machine = Self {
            places: Places::default(),
            folders: Vec::new(),
            contents: Memory::default(),
            set: ChangeSet {
                entries: Vec::new(),
                id: "one".to_owned().try_into().unwrap(),
                folders: vec![FolderChange {
                    place: PlaceId::root(),
                    path: "/etc/new.d".to_owned(),
                    attributes: Some(attributes(0o750)),
                    appears: true,
                }],
                files: Vec::new(),
            },
            trees: Vec::new(),
        };
        for (number, (old, new)) in old.iter().zip(new).enumerate() {
            machine.add_place(number, old, new);
        }
        let in_folder = machine.contents.add(b"in a new folder\n".to_vec());
        machine.set.files.push(FileChange {
            place: PlaceId::root(),
            path: "/etc/new.d/file".to_owned(),
            role: Role::Plain,
            before: None,
            after: Some(FileState {
                digest: in_folder,
                size: 16,
                attributes: Some(attributes(0o644)),
            }),
            between: None,
        });
        machine.trees = machine.now();
        machine
    }

    fn add_place(&mut self, number: usize, old: &Content, new: &Content) {
        let folder = folder();
        for inside in ["boot/grub", "etc", "loader/entries", "var/lib", "EFI"] {
            fs::create_dir_all(folder.path().join(inside)).unwrap();
        }
        for version in 0..4 {
            fs::create_dir_all(folder.path().join(format!("EFI/{version}"))).unwrap();
        }
        let (old, new) = (files(number, old), files(number, new));
        for (path, (_, bytes, mode)) in &old {
            let path = folder.path().join(path.trim_start_matches('/'));
            fs::write(&path, bytes).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(*mode)).unwrap();
        }
        let mut paths: Vec<&String> = old.keys().chain(new.keys()).collect();
        paths.sort();
        paths.dedup();
        for path in paths {
            let state = |file: Option<&(Role, Vec<u8>, u32)>| {
                file.map(|(_, bytes, mode)| FileState {
                    digest: Digest::of(bytes),
                    size: bytes.len() as u64,
                    attributes: (number == 0).then(|| attributes(*mode)),
                })
            };
            let (before, after) = (old.get(path), new.get(path));
            let names_none = path.ends_with("/loader.conf");
            if names_none && before == after {
                continue;
            }
            self.set.files.push(FileChange {
                place: place_id(number),
                path: path.clone(),
                role: before.or(after).unwrap().0,
                before: state(before),
                after: state(after),
                between: None,
            });
            if let Some((_, bytes, _)) = after {
                self.contents.add(bytes.clone());
            }
        }
        let durability = Durability::Synced;
        let root = Root::open(folder.path()).unwrap();
        let places = std::mem::take(&mut self.places);
        self.places = places.with(place_id(number), Place { root, durability });
        self.folders.push(folder);
    }

    /// The text of a selector, old or new.
    pub fn text(&self, file: &FileChange, digest: &Digest) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        if let Ok(mut input) = self.contents.open(digest) {
            return input.read_to_end(&mut bytes).map(|_| bytes).ok();
        }
        let places = 0..self.folders.len();
        let number = places
            .into_iter()
            .find(|number| place_id(*number) == file.place)?;
        fs::read(self.path(number, &file.path))
            .ok()
            .filter(|bytes| Digest::of(bytes) == *digest)
    }

    /// The way there, and the files as they are now.
    pub fn sequence(&self) -> (Sequence, Observed) {
        let text = |file: &FileChange, digest: &Digest| self.text(file, digest);
        let sequence = Sequence::new(self.set.clone(), Way::There, &text).unwrap();
        let seen = crate::observe::observe(&self.places, &sequence).unwrap();
        (sequence, seen)
    }

    pub fn path(&self, place: usize, path: &str) -> PathBuf {
        self.folders[place]
            .path()
            .join(path.trim_start_matches('/'))
    }

    /// Every file with its bytes and mode, and every folder.
    pub fn now(&self) -> Vec<Tree> {
        let of = |(number, folder): (usize, &TempDir)| {
            let mut tree = Tree::new();
            walk(folder.path(), folder.path(), &mut tree);
            if place_id(number).is_fat() {
                tree.values_mut().for_each(|(_, mode)| *mode = 0);
            }
            tree
        };
        self.folders.iter().enumerate().map(of).collect()
    }

    /// What each loader starts, by the name of the selector: none that is missing or empty; a payload that is
    /// not there is a broken entry.
    pub fn loaders(&self) -> Vec<BTreeMap<String, String>> {
        (0..self.folders.len())
            .map(|place| self.loader(place))
            .collect()
    }

    fn loader(&self, place: usize) -> BTreeMap<String, String> {
        let mut views = BTreeMap::new();
        let mut selectors = vec![
            "/boot/grub/grub.cfg".to_owned(),
            "/loader/loader.conf".to_owned(),
        ];
        for entry in fs::read_dir(self.path(place, "/loader/entries")).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if name.ends_with(".conf") {
                selectors.push(format!("/loader/entries/{name}"));
            }
        }
        for selector in selectors {
            let text = fs::read_to_string(self.path(place, &selector)).unwrap_or_default();
            if !text.is_empty() {
                views.insert(selector, self.started(place, &text));
            }
        }
        views
    }

    /// The text with each payload's name replaced by what it holds.
    fn started(&self, place: usize, text: &str) -> String {
        let mut view = String::new();
        for word in text.split_whitespace() {
            if word.starts_with('/') {
                match fs::read(self.path(place, word)) {
                    Ok(bytes) => view += &format!("{}x{} ", bytes.len(), bytes[0]),
                    Err(_) => view += "BROKEN ",
                }
            } else {
                view += word;
                view.push(' ');
            }
        }
        view
    }
}

pub fn attributes(mode: u32) -> Attributes {
    Attributes {
        mode,
        uid: nix::unistd::getuid().as_raw(),
        gid: nix::unistd::getgid().as_raw(),
        modified: None,
    }
}

fn walk(base: &Path, folder: &Path, tree: &mut Tree) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.strip_prefix(base).unwrap().display().to_string();
        let mode = path.metadata().unwrap().permissions().mode();
        if path.is_dir() {
            tree.insert(name, (Vec::new(), mode));
            walk(base, &path, tree);
        } else {
            tree.insert(name, (fs::read(&path).unwrap(), mode));
        }
    }
}
