use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write;

use super::graphics;
use super::{Kernel, KernelError, ModInfo, ModuleList, ModuleName};

/// A module that goes into the image.
#[derive(Debug)]
pub struct Carried {
    /// Path of the file in the release's module folder, without a compression's ending.
    pub path: String,
    /// The uncompressed file.
    pub content: Vec<u8>,
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
}

/// A list cannot be satisfied.
#[derive(Debug, thiserror::Error)]
pub enum ClosureError {
    /// The package could not be read.
    #[error(transparent)]
    Kernel(#[from] KernelError),
    /// Entries match nothing.
    #[error(
        "kernel {release} has nothing for these entries of the module list:\n  {}\n\
         Mark an entry that some kernels lack with a ? at its end.",
        entries.join("\n  ")
    )]
    Missing {
        /// The kernel.
        release: String,
        /// The entries, each with its group.
        entries: Vec<String>,
    },
    /// The package is incomplete.
    #[error(
        "kernel {release} lacks modules that others depend on:\n  {}\n\
         Are its modules split into several packages? Unpack them into one folder.",
        chains.join("\n  ")
    )]
    Broken {
        /// The kernel.
        release: String,
        /// Chains of names.
        chains: Vec<String>,
    },
    /// The image would have a driver for graphics cards.
    #[error(
        "an image never carries graphics drivers, but the module list leads to:\n  {}\n\
         Take the first module of each chain out of the list, or keep it out with a ! before it.",
        chains.join("\n  ")
    )]
    Graphics {
        /// Chains of names, each with the objection.
        chains: Vec<String>,
    },
}

struct Todo {
    name: ModuleName,
    group: String,
    cause: Cause,
}

impl Modules {
    /// Everything that the list asks for, with all that it depends on and all soft and weak
    /// dependencies that the kernel has.
    pub fn close(kernel: &Kernel, list: &ModuleList) -> Result<Self, ClosureError> {
        let mut todo = roots(kernel, list)?;
        let mut modules = Self::default();
        let (mut graphics, mut broken) = (Vec::new(), Vec::new());
        while let Some(Todo { name, group, cause }) = todo.pop_front() {
            if modules.carried.contains_key(&name) || kernel.builtin().has(&name) {
                continue;
            }
            let Some(path) = kernel.path(&name) else {
                broken.push(modules.chain(&name, &cause));
                continue;
            };
            let (content, info) = kernel.read(path)?;
            if let Some(objection) = graphics::objection(&name, path, &info) {
                graphics.push(format!("{} ({objection})", modules.chain(&name, &cause)));
                continue;
            }
            for next in &info.depends {
                todo.push_back(Todo {
                    name: next.clone(),
                    group: group.clone(),
                    cause: Cause::NeededBy(name.clone()),
                });
            }
            for next in wanted(kernel, &info, &list.except)? {
                todo.push_back(Todo {
                    name: next,
                    group: group.clone(),
                    cause: Cause::WantedBy(name.clone()),
                });
            }
            let carried = Carried {
                path: plain_path(path).to_owned(),
                content,
                info,
                group,
                cause,
            };
            modules.carried.insert(name, carried);
        }
        if !graphics.is_empty() {
            return Err(ClosureError::Graphics { chains: graphics });
        }
        if !broken.is_empty() {
            return Err(ClosureError::Broken {
                release: kernel.release().to_owned(),
                chains: broken,
            });
        }
        Ok(modules)
    }

    /// All of them, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&ModuleName, &Carried)> {
        self.carried.iter()
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

fn roots(kernel: &Kernel, list: &ModuleList) -> Result<VecDeque<Todo>, ClosureError> {
    let mut roots = VecDeque::new();
    let mut missing = Vec::new();
    for entry in &list.entries {
        let text = entry.selector.to_string();
        match entry.select(kernel, &list.except) {
            Some(names) => roots.extend(names.into_iter().map(|name| Todo {
                name,
                group: entry.group.clone(),
                cause: Cause::Listed(text.clone()),
            })),
            None if entry.optional => {}
            None => {
                let mut line = text;
                let _ = write!(line, " (group {})", entry.group);
                missing.push(line);
            }
        }
    }
    if missing.is_empty() {
        Ok(roots)
    } else {
        Err(ClosureError::Missing {
            release: kernel.release().to_owned(),
            entries: missing,
        })
    }
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
