use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::aliases::Aliases;
use crate::graphics::{is_display_modalias, is_graphics_driver};
use crate::{ModuleName, glob};

/// The folder of a kernel release is missing or not usable.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {path}: {cause}; the image has no modules for the kernel that runs")]
pub struct IndexError {
    path: PathBuf,
    cause: io::Error,
}

/// A module in modules.dep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Module {
    /// File, relative to the folder of the release.
    pub path: String,
    /// Files of all the modules it depends on, in the order of modules.dep (the deepest last).
    dependencies: Vec<String>,
}

/// What depmod(8) wrote for one kernel release.
#[derive(Debug, Default)]
pub struct Index {
    folder: PathBuf,
    modules: BTreeMap<ModuleName, Module>,
    aliases: Aliases,
    before: BTreeMap<ModuleName, Vec<ModuleName>>,
    after: BTreeMap<ModuleName, Vec<ModuleName>>,
    builtin: BTreeSet<ModuleName>,
}

impl Index {
    /// Reads modules.dep, .alias, .softdep, .weakdep and .builtin in `folder` (`/lib/modules/<release>`).
    /// Only modules.dep must be there.
    pub fn read(folder: &Path) -> Result<Self, IndexError> {
        let path = folder.join("modules.dep");
        let dep = fs::read_to_string(&path).map_err(|cause| IndexError { path, cause })?;
        let text = |name: &str| fs::read_to_string(folder.join(name)).unwrap_or_default();
        let mut index = Self {
            folder: folder.to_owned(),
            ..Self::default()
        };
        index.add_modules(&dep);
        index.aliases = Aliases::new(text("modules.alias"));
        index.add_soft_dependencies(&text("modules.softdep"));
        index.add_weak_dependencies(&text("modules.weakdep"));
        index.builtin = text("modules.builtin")
            .lines()
            .filter_map(ModuleName::of_file)
            .collect();
        Ok(index)
    }

    fn add_modules(&mut self, text: &str) {
        for line in text.lines() {
            let Some((path, dependencies)) = line.split_once(':') else {
                continue;
            };
            let Some(name) = ModuleName::of_file(path) else {
                continue;
            };
            let dependencies = dependencies.split_whitespace().map(str::to_owned).collect();
            self.modules.insert(
                name,
                Module {
                    path: path.to_owned(),
                    dependencies,
                },
            );
        }
    }

    fn add_soft_dependencies(&mut self, text: &str) {
        for line in text.lines() {
            let mut words = line.split_whitespace();
            let (Some("softdep"), Some(module)) = (words.next(), words.next()) else {
                continue;
            };
            let module = ModuleName::new(module);
            let mut list = None;
            for word in words {
                match word {
                    "pre:" => list = Some(&mut self.before),
                    "post:" => list = Some(&mut self.after),
                    name => {
                        if let Some(list) = &mut list {
                            list.entry(module.clone())
                                .or_default()
                                .push(ModuleName::new(name));
                        }
                    }
                }
            }
        }
    }

    /// A weak dependency is one the module looks for itself if it is there: loading it first serves that.
    fn add_weak_dependencies(&mut self, text: &str) {
        for line in text.lines() {
            let mut words = line.split_whitespace();
            let (Some("weakdep"), Some(module)) = (words.next(), words.next()) else {
                continue;
            };
            let list = self.before.entry(ModuleName::new(module)).or_default();
            list.extend(words.map(ModuleName::new));
        }
    }

    /// The folder of the release.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The module of this name, unless it is built in or missing.
    pub fn module(&self, name: &ModuleName) -> Option<&Module> {
        self.modules.get(name)
    }

    /// Whether the kernel has the module built in.
    pub fn is_builtin(&self, name: &ModuleName) -> bool {
        self.builtin.contains(name)
    }

    /// The modules that a modalias asks for, in the order of modules.alias. Empty for a display controller.
    pub fn for_modalias(&self, modalias: &str) -> Vec<ModuleName> {
        if is_display_modalias(modalias) {
            return Vec::new();
        }
        let mut found = Vec::new();
        for (pattern, module) in self.aliases.of(modalias) {
            if !glob::matches(pattern, modalias) {
                continue;
            }
            let module = ModuleName::new(module);
            if !found.contains(&module) {
                found.push(module);
            }
        }
        found
    }

    /// Every file to load for a module, in order: soft and weak dependencies before it, hard ones, itself,
    /// soft dependencies after it. Built-in and missing soft dependencies are left out, graphics drivers
    /// always.
    pub fn load_order(&self, name: &ModuleName) -> Vec<String> {
        let mut order = Vec::new();
        self.push_in_order(name, &mut order, &mut BTreeSet::new());
        order
    }

    fn push_in_order(
        &self,
        name: &ModuleName,
        order: &mut Vec<String>,
        seen: &mut BTreeSet<ModuleName>,
    ) {
        let Some(module) = self.modules.get(name) else {
            return;
        };
        if is_graphics_driver(&module.path) || !seen.insert(name.clone()) {
            return;
        }
        if module
            .dependencies
            .iter()
            .any(|path| is_graphics_driver(path))
        {
            return;
        }
        for before in self.before.get(name).into_iter().flatten() {
            self.push_in_order(before, order, seen);
        }
        for path in module.dependencies.iter().rev() {
            match ModuleName::of_file(path) {
                Some(dependency) if self.modules.contains_key(&dependency) => {
                    self.push_in_order(&dependency, order, seen);
                }
                _ => {}
            }
        }
        if !order.contains(&module.path) {
            order.push(module.path.clone());
        }
        for after in self.after.get(name).into_iter().flatten() {
            self.push_in_order(after, order, seen);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(files: &[(&str, &str)]) -> Index {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(folder.path().join(name), text).unwrap();
        }
        Index::read(folder.path()).unwrap()
    }

    #[test]
    fn dependencies_come_before_the_module_and_soft_ones_around_it() {
        let index = index(&[
            (
                "modules.dep",
                "kernel/a/top.ko: kernel/a/mid.ko kernel/a/low.ko\nkernel/a/mid.ko: kernel/a/low.ko\n\
                 kernel/a/low.ko:\nkernel/b/pre-one.ko:\nkernel/b/post.ko.xz:\nkernel/b/weak.ko:\n",
            ),
            (
                "modules.softdep",
                "# comment\nsoftdep top pre: pre_one missing post: post\n",
            ),
            ("modules.weakdep", "weakdep top weak\n"),
        ]);
        assert_eq!(
            index.load_order(&ModuleName::new("top")),
            [
                "kernel/b/pre-one.ko",
                "kernel/b/weak.ko",
                "kernel/a/low.ko",
                "kernel/a/mid.ko",
                "kernel/a/top.ko",
                "kernel/b/post.ko.xz"
            ]
        );
    }

    #[test]
    fn soft_dependencies_in_a_circle_end() {
        let index = index(&[
            ("modules.dep", "kernel/a.ko:\nkernel/b.ko:\n"),
            ("modules.softdep", "softdep a pre: b\nsoftdep b pre: a\n"),
        ]);
        assert_eq!(
            index.load_order(&ModuleName::new("a")),
            ["kernel/b.ko", "kernel/a.ko"]
        );
    }

    #[test]
    fn nothing_that_needs_a_graphics_driver_is_ever_loaded() {
        let index = index(&[(
            "modules.dep",
            "kernel/drivers/gpu/drm/drm.ko:\nkernel/x/uses-drm.ko: kernel/drivers/gpu/drm/drm.ko\n",
        )]);
        assert!(index.load_order(&ModuleName::new("drm")).is_empty());
        assert!(index.load_order(&ModuleName::new("uses_drm")).is_empty());
    }

    #[test]
    fn a_modalias_finds_its_modules_and_a_display_controller_none() {
        let index = index(&[
            ("modules.dep", "kernel/ahci.ko:\n"),
            (
                "modules.alias",
                "alias pci:v*d*sv*sd*bc01sc06i01* ahci\nalias pci:v*d*sv*sd*bc03sc*i* something\n",
            ),
            ("modules.builtin", "kernel/drivers/usb/core/usbcore.ko\n"),
        ]);
        assert_eq!(
            index.for_modalias("pci:v00008086d00002922sv00000000sd00000000bc01sc06i01"),
            [ModuleName::new("ahci")]
        );
        assert!(
            index
                .for_modalias("pci:v00001002d00005046sv0sd0bc03sc00i00")
                .is_empty()
        );
        assert!(index.is_builtin(&ModuleName::new("usbcore")));
    }

    #[test]
    fn a_missing_folder_says_what_that_means() {
        let error = Index::read(Path::new("/nowhere/6.1"))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("/nowhere/6.1/modules.dep") && error.contains("no modules for"),
            "{error}"
        );
    }
}
