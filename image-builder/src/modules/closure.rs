use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::error::{ClosureError, Problems};
use super::graphics;
use super::list::Selected;
use super::{Kernel, KernelError, ModInfo, ModuleList, ModuleName};
use crate::parallel;

/// A module that goes into the image.
#[derive(Debug)]
pub struct Carried {
    /// Path of the file in the release's module folder, without a compression's ending.
    pub path: String,
    /// What it says about itself.
    pub info: ModInfo,
    /// The group of the list that first asked for it.
    pub group: String,
    /// Why it is there.
    pub cause: Cause,
}

/// Why a module is in an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// An entry of a list, as it is written.
    Listed(String),
    /// Another module does not load without it.
    NeededBy(ModuleName),
    /// Another module names it as a soft or weak dependency.
    WantedBy(ModuleName),
}

/// The modules of an image: closed under dependencies, none of them for graphics.
#[derive(Debug, Default)]
pub struct Modules {
    carried: BTreeMap<ModuleName, Carried>,
    left_out: Vec<String>,
}

struct Root {
    todo: Todo,
    optional: bool,
}

struct Todo {
    name: ModuleName,
    group: String,
    cause: Cause,
}

impl Modules {
    /// Everything that the list asks for, with all that it depends on and all soft and weak
    /// dependencies that the kernel has.
    ///
    /// An optional entry that leads to a graphics driver is left out; any other one is an error.
    pub fn close(kernel: &Kernel, list: &ModuleList) -> Result<Self, ClosureError> {
        let mut modules = Self::default();
        let mut problems = Problems::default();
        for Root { todo, optional } in roots(kernel, list)? {
            let mut found = Problems::default();
            let added = modules.add(kernel, todo, &list.except, &mut found)?;
            if optional && !found.graphics.is_empty() {
                modules.carried.retain(|name, _| !added.contains(name));
                modules.left_out.append(&mut found.graphics);
            } else {
                problems.append(found);
            }
        }
        problems.into_result(kernel)?;
        Ok(modules)
    }

    /// Adds one module with its dependencies; gives the names of those that are new.
    fn add(
        &mut self,
        kernel: &Kernel,
        first: Todo,
        except: &[ModuleName],
        problems: &mut Problems,
    ) -> Result<BTreeSet<ModuleName>, KernelError> {
        let mut added = BTreeSet::new();
        let mut todo = VecDeque::from([first]);
        while let Some(Todo { name, group, cause }) = todo.pop_front() {
            if self.carried.contains_key(&name) || kernel.builtin().has(&name) {
                continue;
            }
            let Some(path) = kernel.path(&name) else {
                problems.broken.push(self.chain(&name, &cause));
                continue;
            };
            let info = kernel.info(path)?;
            if let Some(objection) = graphics::objection(&name, path, &info) {
                let chain = self.chain(&name, &cause);
                problems.graphics.push(format!("{chain} ({objection})"));
                continue;
            }
            let needed = info.depends.iter().cloned();
            let needed = needed.map(|next| (next, Cause::NeededBy(name.clone())));
            let wanted = wanted(kernel, &info, except)?.into_iter();
            let wanted = wanted.map(|next| (next, Cause::WantedBy(name.clone())));
            todo.extend(needed.chain(wanted).map(|(name, cause)| Todo {
                name,
                group: group.clone(),
                cause,
            }));
            let carried = Carried {
                path: plain_path(path).to_owned(),
                info,
                group,
                cause,
            };
            added.insert(name.clone());
            self.carried.insert(name, carried);
        }
        Ok(added)
    }

    /// Optional entries that the image goes without, since they lead to graphics drivers; each as
    /// the chain of names.
    pub fn left_out(&self) -> &[String] {
        &self.left_out
    }

    /// All of them, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&ModuleName, &Carried)> {
        self.carried.iter()
    }

    /// Their files, decompressed, in the order of [`Self::iter`].
    pub fn read(&self, kernel: &Kernel) -> Result<Vec<Vec<u8>>, KernelError> {
        let modules: Vec<_> = self.carried.iter().collect();
        let contents = parallel::map(&modules, |(name, module)| {
            kernel.read(kernel.path(name).unwrap_or(&module.path))
        });
        contents.into_iter().collect()
    }

    /// One of them.
    pub fn get(&self, name: &ModuleName) -> Option<&Carried> {
        self.carried.get(name)
    }

    /// How a module came in: `drivers/hid/* -> hid_picolcd -> fb_sys_fops`.
    fn chain(&self, name: &ModuleName, cause: &Cause) -> String {
        let mut chain = name.to_string();
        let mut cause = cause;
        loop {
            match cause {
                Cause::Listed(entry) => {
                    // A module that is listed by its own name needs no arrow from itself.
                    if chain.split(' ').next() != Some(entry.as_str()) {
                        chain.insert_str(0, &format!("{entry} -> "));
                    }
                    return chain;
                }
                Cause::NeededBy(parent) => chain.insert_str(0, &format!("{parent} -> ")),
                Cause::WantedBy(parent) => chain.insert_str(0, &format!("{parent} (softly) -> ")),
            }
            let (Cause::NeededBy(parent) | Cause::WantedBy(parent)) = cause else {
                return chain;
            };
            match self.carried.get(parent) {
                Some(carried) => cause = &carried.cause,
                None => return chain,
            }
        }
    }
}

fn roots(kernel: &Kernel, list: &ModuleList) -> Result<Vec<Root>, ClosureError> {
    let mut roots = Vec::new();
    let (mut missing, mut kept_out) = (Vec::new(), Vec::new());
    for entry in &list.entries {
        let text = entry.selector.to_string();
        match entry.select(kernel, &list.except) {
            Selected::Files(names) => roots.extend(names.into_iter().map(|name| Root {
                todo: Todo {
                    name,
                    group: entry.group.clone(),
                    cause: Cause::Listed(text.clone()),
                },
                optional: entry.optional,
            })),
            Selected::Nothing | Selected::KeptOut if entry.optional => {}
            Selected::Nothing => missing.push(format!("{text} (group {})", entry.group)),
            Selected::KeptOut => kept_out.push(format!("{text} (group {})", entry.group)),
        }
    }
    let release = kernel.release().to_owned();
    if !missing.is_empty() {
        let entries = missing;
        return Err(ClosureError::Missing { release, entries });
    }
    if !kept_out.is_empty() {
        let entries = kept_out;
        return Err(ClosureError::KeptOut { release, entries });
    }
    Ok(roots)
}

/// Soft and weak dependencies name modules or aliases, and the kernel may have none of them.
fn wanted(
    kernel: &Kernel,
    info: &ModInfo,
    except: &[ModuleName],
) -> Result<Vec<ModuleName>, KernelError> {
    let mut names = Vec::new();
    for text in info.wanted() {
        let name = ModuleName::new(text);
        if kernel.path(&name).is_some() {
            names.push(name);
        } else if !kernel.builtin().has(&name) {
            names.extend(kernel.serving(text)?);
        }
    }
    names.retain(|name| !except.contains(name));
    Ok(names)
}

fn plain_path(path: &str) -> &str {
    path.rfind(".ko")
        .and_then(|end| path.get(..end + ".ko".len()))
        .unwrap_or(path)
}
