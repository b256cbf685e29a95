use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use super::{Builtin, ModInfo, ModuleName, alias_matches};
use crate::io;
use crate::package::{Compression, PackageError, Tree};
use crate::parallel;

/// Merged-/usr systems have one of them as a link to the other.
pub(super) const MODULE_FOLDERS: [&str; 2] = ["lib/modules", "usr/lib/modules"];

/// One kernel release of a package or folder, with its modules.
pub struct Kernel {
    tree: Tree,
    release: String,
    /// Path of the release's module folder in the tree.
    folder: String,
    modules: BTreeMap<ModuleName, String>,
    /// Files outside the tree, by the path that they have in the module folder.
    added: BTreeMap<String, PathBuf>,
    builtin: Builtin,
    order: HashMap<String, usize>,
    aliases: OnceLock<Vec<(String, ModuleName)>>,
    image: OnceLock<Arc<Vec<u8>>>,
}

/// No kernel could be had from a package or folder.
#[derive(Debug, thiserror::Error)]
pub enum KernelError {
    /// It could not be read.
    #[error(transparent)]
    Package(#[from] PackageError),
    /// There is nothing in lib/modules.
    #[error("{} has no kernel modules below lib/modules", origin.display())]
    NoModules {
        /// The package or folder.
        origin: PathBuf,
    },
    /// It is not clear which one is meant.
    #[error("{} has several kernels; choose one with --release: {releases}", origin.display())]
    Several {
        /// The package or folder.
        origin: PathBuf,
        /// Their releases.
        releases: String,
    },
    /// The asked one is not there.
    #[error("{} has no kernel {release}; it has: {releases}", origin.display())]
    NoSuchRelease {
        /// The package or folder.
        origin: PathBuf,
        /// The asked one.
        release: String,
        /// What is there.
        releases: String,
    },
    /// The modules are there but the kernel itself is not.
    #[error("{} has no kernel image; looked for {places}", origin.display())]
    NoImage {
        /// The package or folder.
        origin: PathBuf,
        /// Paths in it.
        places: String,
    },
    /// A module's file is none.
    #[error("{path} of {} is no kernel module", origin.display())]
    BadModule {
        /// The package or folder.
        origin: PathBuf,
        /// The path in the release's module folder.
        path: String,
        /// Why.
        source: super::NotAModule,
    },
    /// A folder of more modules has none.
    #[error("{} has no kernel modules (.ko files)", folder.display())]
    NothingToAdd {
        /// The folder.
        folder: PathBuf,
    },
    /// A module was built for another kernel, which would refuse to load it.
    #[error("{} was built for kernel {built_for}, and this image has kernel {release}", path.display())]
    OtherRelease {
        /// The module.
        path: PathBuf,
        /// What it says.
        built_for: String,
        /// The kernel's release.
        release: String,
    },
}

impl Kernel {
    /// Takes the only release of the tree, or the asked one.
    pub fn open(tree: Tree, release: Option<&str>) -> Result<Self, KernelError> {
        let releases = releases(&tree)?;
        let release = choose(&tree, &releases.names, release)?;
        let folder = format!("{}/{release}", releases.folder);
        let inside: Vec<&str> = releases
            .files
            .iter()
            .filter_map(|path| path.strip_prefix(&folder)?.strip_prefix('/'))
            .collect();
        let read = |name: &str| match inside.contains(&name) {
            true => tree.read(&format!("{folder}/{name}")),
            false => Ok(Vec::new()),
        };
        let builtin = Builtin::parse(&read("modules.builtin")?, &read("modules.builtin.modinfo")?);
        let order = String::from_utf8_lossy(&read("modules.order")?)
            .lines()
            .enumerate()
            .map(|(rank, path)| (path.to_owned(), rank))
            .collect();
        let modules = by_name(&inside);
        Ok(Self {
            release,
            folder,
            modules,
            added: BTreeMap::new(),
            builtin,
            order,
            aliases: OnceLock::new(),
            image: OnceLock::new(),
            tree,
        })
    }

    /// Takes the modules in a folder in, built for this release outside the kernel's package: as if they were
    /// installed in `updates`, they replace others of their names.
    pub fn add_modules(&mut self, folder: &Path) -> Result<(), KernelError> {
        let mut some = false;
        for file in io::list(folder).map_err(PackageError::from)? {
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            let Some(module) = ModuleName::from_path(&name) else {
                continue;
            };
            let path = format!("updates/{name}");
            self.added.insert(path.clone(), file.clone());
            let built_for = self.info(&path)?.release.unwrap_or_default();
            if built_for != self.release {
                return Err(KernelError::OtherRelease {
                    path: file,
                    built_for,
                    release: self.release.clone(),
                });
            }
            self.modules.insert(module, path);
            some = true;
        }
        // What they serve is not in an index that was read before.
        self.aliases = OnceLock::new();
        if some {
            Ok(())
        } else {
            let folder = folder.to_owned();
            Err(KernelError::NothingToAdd { folder })
        }
    }

    /// The release as `uname -r` says it.
    pub fn release(&self) -> &str {
        &self.release
    }

    /// What is compiled in.
    pub fn builtin(&self) -> &Builtin {
        &self.builtin
    }

    /// The tree that the kernel was found in.
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// Every module with the path of its file in the release's folder, sorted by name.
    pub fn modules(&self) -> impl Iterator<Item = (&ModuleName, &str)> {
        self.modules
            .iter()
            .map(|(name, path)| (name, path.as_str()))
    }

    /// Whether it has a module, as a file or compiled in.
    pub fn has(&self, name: &ModuleName) -> bool {
        self.modules.contains_key(name) || self.builtin.has(name)
    }

    /// The Debian package that brings a module, by the path of its file in the release's folder; none for what was
    /// built outside the kernel's package.
    pub fn package_of(&self, path: &str) -> Option<String> {
        if self.added.contains_key(path) {
            return None;
        }
        self.tree
            .package_of(&format!("{}/{path}", self.folder), &self.release)
    }

    /// The path of a module's file in the tree.
    pub fn place(&self, path: &str) -> Option<String> {
        let is_inside = !self.added.contains_key(path);
        is_inside.then(|| format!("{}/{path}", self.folder))
    }

    /// The path of a module's file in the release's folder.
    pub fn path(&self, name: &ModuleName) -> Option<&str> {
        self.modules.get(name).map(String::as_str)
    }

    /// The place of a module in `modules.order`; it decides among modules that serve one device.
    pub fn rank(&self, plain_path: &str) -> usize {
        self.order.get(plain_path).copied().unwrap_or(usize::MAX)
    }

    /// A file of the release's folder, such as `modules.builtin`, when it is there.
    pub fn file(&self, name: &str) -> Result<Option<Vec<u8>>, KernelError> {
        match self.tree.read(&format!("{}/{name}", self.folder)) {
            Err(PackageError::Missing { .. }) => Ok(None),
            result => Ok(result.map(Some)?),
        }
    }

    /// A module's bytes, decompressed.
    pub fn read(&self, path: &str) -> Result<Vec<u8>, KernelError> {
        Ok(match self.added.get(path) {
            Some(file) => plain(file)?,
            None => self.tree.read_plain(&format!("{}/{path}", self.folder))?,
        })
    }

    /// What a module says about itself. Where it lies there as it is, its other bytes are not read.
    pub fn info(&self, path: &str) -> Result<ModInfo, KernelError> {
        let stored = match Compression::of(path) {
            Compression::None if !self.added.contains_key(path) => {
                self.tree.stored(&format!("{}/{path}", self.folder))?
            }
            _ => None,
        };
        if let Some(info) = stored.as_ref().and_then(ModInfo::read) {
            return Ok(info);
        }
        ModInfo::parse(&self.read(path)?).map_err(|source| KernelError::BadModule {
            origin: self.tree.origin().to_owned(),
            path: path.to_owned(),
            source,
        })
    }

    /// Modules that serve an alias, such as `crypto-crc32c`. Asks every module once.
    pub fn serving(&self, alias: &str) -> Result<Vec<ModuleName>, KernelError> {
        let aliases = match self.aliases.get() {
            Some(aliases) => aliases,
            None => {
                let all = self.read_aliases()?;
                self.aliases.get_or_init(|| all)
            }
        };
        let mut names: Vec<_> = aliases
            .iter()
            .filter(|(pattern, _)| alias_matches(pattern, alias))
            .map(|(_, name)| name.clone())
            .collect();
        names.dedup();
        Ok(names)
    }

    fn read_aliases(&self) -> Result<Vec<(String, ModuleName)>, KernelError> {
        let modules: Vec<_> = self.modules.iter().collect();
        let infos = parallel::map(&modules, |(_, path)| self.info(path));
        let mut aliases = Vec::new();
        for ((name, _), info) in modules.into_iter().zip(infos) {
            aliases.extend(info?.aliases.into_iter().map(|alias| (alias, name.clone())));
        }
        Ok(aliases)
    }

    /// Where the kernel image may be in the tree.
    pub fn image_places(&self) -> [String; 2] {
        [
            format!("boot/vmlinuz-{}", self.release),
            format!("{}/vmlinuz", self.folder),
        ]
    }

    /// The Debian package that the kernel image is from; none where the tree is an installed system,
    /// whose own lists know.
    pub fn image_package(&self) -> Option<String> {
        let is_system = self.tree.is_system();
        let mut places = self.image_places().into_iter().filter(|_| !is_system);
        places.find_map(|place| self.tree.package_of(&place, &self.release))
    }

    /// The kernel image itself; read once.
    pub fn image(&self) -> Result<Arc<Vec<u8>>, KernelError> {
        if let Some(image) = self.image.get() {
            return Ok(Arc::clone(image));
        }
        let places = self.image_places();
        for place in &places {
            match self.tree.read(place) {
                Err(PackageError::Missing { .. }) => {}
                result => {
                    let image = Arc::new(result?);
                    return Ok(Arc::clone(self.image.get_or_init(|| image)));
                }
            }
        }
        Err(KernelError::NoImage {
            origin: self.tree.origin().to_owned(),
            places: places.join(", "),
        })
    }
}

/// A file's bytes, decompressed when its name says that it is compressed.
fn plain(file: &Path) -> Result<Vec<u8>, PackageError> {
    let name = file.to_string_lossy();
    let stored = io::read(file)?;
    Compression::of(&name)
        .decompress(stored)
        .map_err(|source| PackageError::Damaged {
            origin: file.parent().unwrap_or(file).to_owned(),
            file: name.into_owned(),
            source,
        })
}

/// The kernels of a tree.
struct Releases {
    /// The folder that holds theirs.
    folder: &'static str,
    names: BTreeSet<String>,
    /// All files below the folder, sorted.
    files: Vec<String>,
}

fn releases(tree: &Tree) -> Result<Releases, KernelError> {
    for folder in MODULE_FOLDERS {
        let files = tree.files_below(folder)?;
        let release_of = |path: &String| {
            let (release, rest) = path
                .strip_prefix(folder)?
                .strip_prefix('/')?
                .split_once('/')?;
            let of_a_kernel = rest == "modules.builtin" || ModuleName::from_path(rest).is_some();
            of_a_kernel.then(|| release.to_owned())
        };
        let names: BTreeSet<String> = files.iter().filter_map(release_of).collect();
        if !names.is_empty() {
            return Ok(Releases {
                folder,
                names,
                files,
            });
        }
    }
    Err(KernelError::NoModules {
        origin: tree.origin().to_owned(),
    })
}

fn choose(
    tree: &Tree,
    releases: &BTreeSet<String>,
    asked: Option<&str>,
) -> Result<String, KernelError> {
    let origin = || tree.origin().to_owned();
    let listed = || releases.iter().cloned().collect::<Vec<_>>().join(" ");
    match (asked, releases.first()) {
        (Some(asked), _) if releases.contains(asked) => Ok(asked.to_owned()),
        (Some(asked), _) => Err(KernelError::NoSuchRelease {
            origin: origin(),
            release: asked.to_owned(),
            releases: listed(),
        }),
        (None, Some(only)) if releases.len() == 1 => Ok(only.clone()),
        (None, _) => Err(KernelError::Several {
            origin: origin(),
            releases: listed(),
        }),
    }
}

/// Of two modules with one name, the one outside `kernel/` replaces the kernel's own, as depmod has
/// it.
fn by_name(inside: &[&str]) -> BTreeMap<ModuleName, String> {
    let mut modules = BTreeMap::new();
    let (own, replacing): (Vec<&str>, Vec<&str>) =
        inside.iter().partition(|path| path.starts_with("kernel/"));
    for path in own.into_iter().chain(replacing) {
        if let Some(name) = ModuleName::from_path(path) {
            modules.insert(name, path.to_owned());
        }
    }
    modules
}

#[cfg(test)]
mod tests;
