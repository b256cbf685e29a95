use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;

use super::search::{DEFAULT_FOLDERS, Search, expand};
use super::{ElfFacts, Located, SystemRoot, UNWINDER};
use crate::io::IoError;

/// Something that a program brings into an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// A file with its content, and where it was in the root.
    File {
        /// Path inside the root it came from.
        origin: String,
        /// The bytes.
        content: Vec<u8>,
    },
    /// A link and its target.
    Link(String),
}

/// Programs with all that they need to run, by absolute path in the image.
pub struct Closure<'a> {
    root: &'a SystemRoot,
    search: Search,
    items: BTreeMap<String, Item>,
    /// What is from another system, see [`Closure::sharing`].
    shared: Option<Box<Closure<'a>>>,
}

/// A program cannot be carried.
#[derive(Debug, thiserror::Error)]
pub enum ElfError {
    /// The file system said no.
    #[error(transparent)]
    Io(#[from] IoError),
    /// The program is not there.
    #[error("there is no {}", path.display())]
    NoProgram {
        /// The asked path.
        path: PathBuf,
    },
    /// A library or loader is not there.
    #[error("{file} needs {needed}, which is in none of: {}", folders.join(" "))]
    NoLibrary {
        /// Path of the file inside the root.
        file: String,
        /// The library or loader.
        needed: String,
        /// Where it was looked for.
        folders: Vec<String>,
    },
}

/// A file whose own needs are still to be found.
struct Todo {
    path: String,
    facts: ElfFacts,
    /// The DT_RPATH of what loads it and of what loads that, nearest first.
    inherited: Vec<String>,
}

impl Todo {
    /// What the libraries that it loads inherit. Its own DT_RPATH does not count where it has a DT_RUNPATH; that
    /// of its loaders does for them even then (glibc's elf/dl-load.c, `_dl_map_object`).
    fn passed_on(&self) -> Vec<String> {
        let origin = self.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let own = self.facts.rpath.iter();
        let own = own.filter(|_| self.facts.runpath.is_empty());
        let own = own.map(|folder| expand(folder, origin));
        own.chain(self.inherited.iter().cloned()).collect()
    }

    /// What the C library opens while this file runs: last of all, and not where this file says.
    fn unwinder(&self) -> Self {
        Self {
            path: self.path.clone(),
            facts: ElfFacts {
                needed: vec![UNWINDER.to_owned()],
                machine: self.facts.machine,
                ..ElfFacts::default()
            },
            inherited: Vec::new(),
        }
    }
}

impl<'a> Closure<'a> {
    /// An empty one over a system.
    pub fn new(root: &'a SystemRoot) -> Self {
        Self {
            root,
            search: Search::new(root),
            items: BTreeMap::new(),
            shared: None,
        }
    }

    /// An empty one over a system whose programs will run beside those of another, `libraries`: the loader and the
    /// libraries that both have come from there. An image has one loader, which works with its own C library alone.
    pub fn sharing(root: &'a SystemRoot, libraries: &'a SystemRoot) -> Self {
        Self {
            shared: Some(Box::new(Self::new(libraries))),
            ..Self::new(root)
        }
    }

    /// Adds a program of the root, at its own path or at `destination`. What is no ELF file, such as
    /// a script, is taken alone.
    pub fn add(&mut self, path: &str, destination: Option<&str>) -> Result<(), ElfError> {
        let located = self.root.locate(path)?.ok_or_else(|| ElfError::NoProgram {
            path: self.root.outside(path),
        })?;
        let content = self.root.read(&located.path)?;
        let facts = ElfFacts::parse(&content);
        match destination {
            Some(destination) => {
                let item = Item::File {
                    origin: located.path.clone(),
                    content,
                };
                self.items.insert(destination.to_owned(), item);
            }
            None => self.place(&located, Some(path))?,
        }
        let Some(facts) = facts.filter(|facts| !facts.is_static()) else {
            return Ok(());
        };
        self.add_loader(&located.path, &facts)?;
        self.add_needs(Todo {
            path: located.path,
            facts,
            inherited: Vec::new(),
        })
    }

    /// What is carried so far, sorted by path.
    pub fn into_items(self) -> BTreeMap<String, Item> {
        self.into_own_and_shared().0
    }

    /// What is carried so far of the system, and of the other one that it shares libraries with.
    pub fn into_own_and_shared(self) -> (BTreeMap<String, Item>, BTreeMap<String, Item>) {
        let shared = self.shared.map(|shared| shared.items);
        (self.items, shared.unwrap_or_default())
    }

    fn add_loader(&mut self, path: &str, facts: &ElfFacts) -> Result<(), ElfError> {
        let Some(loader) = &facts.interpreter else {
            return Ok(());
        };
        if let Some(shared) = &mut self.shared
            && let Some(located) = shared.root.locate(loader)?
        {
            return shared.place(&located, Some(loader));
        }
        let located = self
            .root
            .locate(loader)?
            .ok_or_else(|| ElfError::NoLibrary {
                file: path.to_owned(),
                needed: loader.clone(),
                folders: vec!["its place".to_owned()],
            })?;
        // The kernel finds the loader by the path in the program and by no other.
        self.place(&located, Some(loader))
    }

    /// Library by library in the loader's order, breadth first: what is loaded already serves everyone who needs
    /// that name, wherever they would have looked for it.
    fn add_needs(&mut self, first: Todo) -> Result<(), ElfError> {
        let mut loaded: BTreeMap<String, Located> = BTreeMap::new();
        let mut todo = VecDeque::from([first]);
        let mut unwinder = None;
        while let Some(file) = todo.pop_front().or_else(|| unwinder.take()) {
            let (path, facts) = (&file.path, &file.facts);
            if facts.ends_threads {
                unwinder = Some(file.unwinder());
            }
            let folders = self.search.folders(path, facts, &file.inherited);
            let mut found = Vec::new();
            for name in &facts.needed {
                if !loaded.contains_key(name) && self.is_shared(name, &file)? {
                    continue;
                }
                let library = match loaded.get(name) {
                    Some(library) => Some(library.clone()),
                    None => Search::find(self.root, name, path, facts.machine, &folders)?,
                };
                let library = library.ok_or_else(|| ElfError::NoLibrary {
                    file: path.clone(),
                    needed: name.clone(),
                    folders: folders.clone(),
                })?;
                found.push((name, library));
            }
            for names in &facts.opened {
                for name in names {
                    if !loaded.contains_key(name) && self.is_shared(name, &file)? {
                        break;
                    }
                    let library = match loaded.get(name) {
                        Some(library) => Some(library.clone()),
                        None => Search::find(self.root, name, path, facts.machine, &folders)?,
                    };
                    if let Some(library) = library {
                        found.push((name, library));
                        break;
                    }
                }
            }
            for (name, library) in found {
                self.place(&library, None)?;
                self.link_into_default_folder(name, &library, facts.machine)?;
                let is_new = loaded.values().all(|known| known.path != library.path);
                loaded.insert(name.clone(), library.clone());
                if !is_new {
                    continue;
                }
                if let Some(facts) = ElfFacts::parse(&self.root.read(&library.path)?) {
                    loaded.extend(facts.soname.clone().map(|name| (name, library.clone())));
                    todo.push_back(Todo {
                        path: library.path,
                        facts,
                        inherited: file.passed_on(),
                    });
                }
            }
        }
        Ok(())
    }

    /// Whether the other system has the library that a file asks for, which is carried from there then. One that lies
    /// where the file alone looks is its own and no other's.
    fn is_shared(&mut self, name: &str, file: &Todo) -> Result<bool, ElfError> {
        let Some(shared) = &mut self.shared else {
            return Ok(false);
        };
        let machine = file.facts.machine;
        let private = Search::own_folders(&file.path, &file.facts, &file.inherited);
        let own = Search::find(self.root, name, &file.path, machine, &private)?;
        if own.is_some_and(|own| !DEFAULT_FOLDERS.contains(&own.folder())) {
            return Ok(false);
        }
        let Some(asking) = shared.asking(name, machine)? else {
            return Ok(false);
        };
        shared.add_needs(asking)?;
        Ok(true)
    }

    /// Something that asks for a library of the system by its name, where there is one.
    fn asking(&self, name: &str, machine: (u16, bool)) -> Result<Option<Todo>, ElfError> {
        let todo = Todo {
            path: String::new(),
            facts: ElfFacts {
                needed: vec![name.to_owned()],
                machine,
                ..ElfFacts::default()
            },
            inherited: Vec::new(),
        };
        let folders = self.search.folders("", &todo.facts, &[]);
        let library = Search::find(self.root, name, "", machine, &folders)?;
        Ok(library.map(|_| todo))
    }

    /// Puts a file at its path without links, with the links that led to it. `asked` stays a valid
    /// path even when it went through a folder that is a link.
    fn place(&mut self, located: &Located, asked: Option<&str>) -> Result<(), ElfError> {
        if !self.items.contains_key(&located.path) {
            let item = Item::File {
                origin: located.path.clone(),
                content: self.root.read(&located.path)?,
            };
            self.items.insert(located.path.clone(), item);
        }
        for (at, target) in &located.links {
            self.items.insert(at.clone(), Item::Link(target.clone()));
        }
        if let Some(asked) = asked.filter(|&asked| asked != located.entrance()) {
            let link = Item::Link(located.entrance().to_owned());
            self.items.entry(asked.to_owned()).or_insert(link);
        }
        Ok(())
    }

    /// An image has no ld.so.cache, and a program with a destination has another $ORIGIN: a library
    /// from any other folder is linked where every loader looks, unless others share one of that name.
    fn link_into_default_folder(
        &mut self,
        name: &str,
        library: &Located,
        machine: (u16, bool),
    ) -> Result<(), ElfError> {
        if name.contains('/') || DEFAULT_FOLDERS.contains(&library.folder()) {
            return Ok(());
        }
        if let Some(shared) = &self.shared
            && shared.asking(name, machine)?.is_some()
        {
            return Ok(());
        }
        let folder = DEFAULT_FOLDERS
            .iter()
            .find(|folder| {
                let holds = |path: &String| path.strip_prefix(**folder) == Some("/libc.so.6");
                self.items.keys().any(holds)
            })
            .unwrap_or(&"/usr/lib/x86_64-linux-gnu");
        let link = Item::Link(library.entrance().to_owned());
        self.items.entry(format!("{folder}/{name}")).or_insert(link);
        Ok(())
    }
}
