//! The folder of one change on the root: what it was and is to be, and the documents about it.

use std::fs::File;
use std::io::Read;

use nix::errno::Errno;
use nix::sys::stat::fstat;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::change::{FileChange, PlaceId, ReceiptId, Role};
use crate::contents::Contents;
use crate::digest::Digest;
use crate::durable::sync_folders;
use crate::error::ApplyError;
use crate::perform::{absent_is_fine, io, write};
use crate::place::{Place, free_at};

/// Where receipts are kept.
pub const FOLDER: &str = "/var/lib/preflight";

/// It and the folders around it, the inner ones first.
const AROUND: [&str; 4] = [FOLDER, "/var/lib", "/var", "/"];

/// An apply is under way.
pub(crate) const JOURNAL: &str = "journal.json";
/// An apply is done.
pub(crate) const RECEIPT: &str = "receipt.json";
/// An undo is under way.
pub(crate) const UNDO: &str = "undo.json";

/// Documents are lists of files.
const LARGEST_DOCUMENT: u64 = 64 << 20;
/// grub.cfg of a host with very many kernels is some hundred kilobytes.
const LARGEST_SELECTOR: u64 = 16 << 20;

/// What a store writes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Room {
    /// The root's file system.
    Roots,
    /// One of its own (/var), with so many free bytes; none where it is read-only.
    Own(Option<u64>),
}

#[derive(Clone, Debug)]
pub(crate) struct Store<'a> {
    place: &'a Place,
    folder: String,
}

impl<'a> Store<'a> {
    pub fn new(place: &'a Place, id: &ReceiptId) -> Self {
        Self {
            place,
            folder: format!("{FOLDER}/{id}"),
        }
    }

    /// The names of all folders there are, sorted; what else is there is none of ours.
    pub fn all(place: &Place) -> Result<Vec<ReceiptId>, ApplyError> {
        let names = match place.root.list(FOLDER) {
            Ok(names) => names,
            Err(error) if error.is_missing() => return Ok(Vec::new()),
            Err(error) => return Err(error.into()),
        };
        let names = names.into_iter().filter_map(|name| name.into_string().ok());
        Ok(names.filter_map(|name| name.try_into().ok()).collect())
    }

    /// The free space of the file system that receipts are kept on, where that is not the root's.
    pub fn room(place: &Place) -> Result<Room, ApplyError> {
        let id = PlaceId::FileSystem(FOLDER.to_owned());
        let device = |folder: &File| {
            fstat(folder)
                .map(|stat| stat.st_dev)
                .map_err(|errno| ApplyError::System {
                    action: "look at",
                    place: id.clone(),
                    path: "/".into(),
                    errno,
                })
        };
        for path in AROUND {
            let folder = match place.root.handle(path) {
                Ok(folder) => folder,
                Err(error) if error.errno == Errno::ENOENT => continue,
                Err(error) => return Err(error.into()),
            };
            if device(&folder)? == device(&place.root.handle("/")?)? {
                break;
            }
            return Ok(Room::Own(free_at(&id, &folder)?));
        }
        Ok(Room::Roots)
    }

    /// Makes the folder, and gives the folders around it that had to be made, the outer ones first.
    pub fn make(&self) -> Result<Vec<String>, ApplyError> {
        let mut made = Vec::new();
        for folder in ["/var", "/var/lib", FOLDER] {
            match self.place.root.make_folder(folder, 0o755) {
                Ok(()) => made.push(folder.to_owned()),
                Err(error) if error.errno == Errno::EEXIST => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.place.root.make_folder(&self.folder, 0o700)?;
        self.place.root.make_folder(self.path("objects"), 0o700)?;
        Ok(made)
    }

    /// What of it, and of the folders around it, is on other file systems than the root is written out too.
    fn sync(&self) -> Result<(), ApplyError> {
        let mut folders = vec![self.folder.as_str()];
        folders.extend(AROUND);
        sync_folders(&self.place.root, &folders)
    }

    fn path(&self, name: &str) -> String {
        format!("{}/{name}", self.folder)
    }

    fn object(&self, digest: &Digest) -> String {
        self.path(&format!("objects/{digest}"))
    }

    /// Keeps these bytes.
    pub fn keep(
        &self,
        digest: &Digest,
        input: &mut dyn Read,
        wrote: &mut dyn FnMut(u64),
    ) -> Result<(), ApplyError> {
        let path = self.object(digest);
        if self.place.root.status(&path).is_ok() {
            return Ok(());
        }
        write(
            &PlaceId::root(),
            self.place,
            &path,
            input,
            digest,
            None,
            wrote,
        )
    }

    /// Lets bytes go that no undo needs.
    pub fn forget(&self, digest: &Digest) -> Result<(), ApplyError> {
        absent_is_fine(self.place.root.remove(self.object(digest)))
    }

    /// Whether there is such a document. What cannot be looked at is neither: without its journal, all that a
    /// change has kept would be taken for leftovers.
    pub fn has(&self, name: &str) -> Result<bool, ApplyError> {
        match self.place.root.status(self.path(name)) {
            Ok(_) => Ok(true),
            Err(error) if error.is_missing() => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Writes a document; it is whole or not there, and on the disk.
    pub fn write(&self, name: &str, document: &impl Serialize) -> Result<(), ApplyError> {
        let (path, new) = (self.path(name), self.path(&format!("{name}.new")));
        let text =
            serde_json::to_vec_pretty(document).map_err(|error| self.document(name, &error))?;
        absent_is_fine(self.place.root.remove(&new))?;
        let mut file = self.place.root.create(&new, 0o600)?;
        std::io::Write::write_all(&mut file, &text).map_err(io(&new))?;
        file.sync_all().map_err(io(&new))?;
        self.place.root.replace(&new, &path)?;
        self.sync()
    }

    pub fn read<T: DeserializeOwned>(&self, name: &str) -> Result<T, ApplyError> {
        let bytes = self.place.root.read(self.path(name), LARGEST_DOCUMENT)?;
        serde_json::from_slice(&bytes).map_err(|error| self.document(name, &error))
    }

    fn document(&self, name: &str, error: &serde_json::Error) -> ApplyError {
        ApplyError::Document {
            path: self.path(name),
            reason: error.to_string(),
        }
    }

    /// Removes a document, and waits until it is gone.
    pub fn remove(&self, name: &str) -> Result<(), ApplyError> {
        absent_is_fine(self.place.root.remove(self.path(name)))?;
        self.sync()
    }

    /// Removes the folder with all that is in it, this document first and that one last, and the folders around
    /// it that were made for it and have nothing else.
    pub fn remove_all(&self, first: &str, last: &str, made: &[String]) -> Result<(), ApplyError> {
        self.remove(first)?;
        for folder in ["objects", "."] {
            let path = self.path(folder);
            let names = match self.place.root.list(&path) {
                Ok(names) => names,
                Err(error) if error.is_missing() => continue,
                Err(error) => return Err(error.into()),
            };
            for name in names.iter().filter_map(|name| name.to_str()) {
                if !matches!(name, "objects") && name != last {
                    absent_is_fine(self.place.root.remove(format!("{path}/{name}")))?;
                }
            }
        }
        absent_is_fine(self.place.root.remove_folder(self.path("objects")))?;
        self.remove(last)?;
        absent_is_fine(self.place.root.remove_folder(&self.folder))?;
        for folder in made.iter().rev() {
            match self.place.root.remove_folder(folder) {
                Err(error) if error.errno == Errno::ENOTEMPTY => break,
                other => absent_is_fine(other)?,
            }
        }
        self.sync()
    }

    /// The text of a selector that is kept.
    pub fn text(&self, digest: &Digest) -> Option<Vec<u8>> {
        self.place
            .root
            .read(self.object(digest), LARGEST_SELECTOR)
            .ok()
    }

    /// Lets go what only going forward needed.
    pub fn forget_new(&self, files: &[FileChange]) -> Result<(), ApplyError> {
        // A selector's text is needed to know what it names.
        let kept = files.iter().flat_map(|file| {
            let after = file.after.filter(|_| file.role == Role::Selector);
            [file.before, file.between, after]
        });
        let kept: Vec<Digest> = kept.flatten().map(|state| state.digest).collect();
        for state in files.iter().filter_map(|file| file.after) {
            if !kept.contains(&state.digest) {
                self.forget(&state.digest)?;
            }
        }
        Ok(())
    }
}

impl Contents for Store<'_> {
    fn open(&self, digest: &Digest) -> Result<Box<dyn Read + '_>, ApplyError> {
        match self.place.root.file(self.object(digest)) {
            Ok(file) => Ok(Box::new(file)),
            Err(error) if error.is_missing() => Err(ApplyError::NoContent(*digest)),
            Err(error) => Err(error.into()),
        }
    }
}
