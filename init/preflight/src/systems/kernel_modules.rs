use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use modules::{Index, Loader, ModuleName};
use storage::LoadModules;

/// The firmware's variables.
const EFIVARFS: &str = "efivarfs";

/// [`loader`], or one that loads nothing where the running kernel's modules cannot be read.
pub fn loader_or_none() -> LoadModules {
    loader().unwrap_or_else(|error| {
        tracing::warn!("no module can be loaded: {error:#}");
        Box::new(|_| {})
    })
}

/// Loads what a look at the disks needs, each module once. One that this kernel or image does not have is missed
/// by what needs it, and is said there.
fn loader() -> anyhow::Result<LoadModules> {
    let release = nix::sys::utsname::uname()?
        .release()
        .to_string_lossy()
        .into_owned();
    let index = Index::read(&Path::new("/lib/modules").join(release))?;
    let mut loader = Loader::new(index, BTreeMap::new()).without_waiting();
    let mut asked: BTreeSet<&'static str> = BTreeSet::new();
    let mut load = move |names: &[&'static str]| {
        for name in names {
            if !asked.insert(name) {
                continue;
            }
            for result in loader.load(&ModuleName::new(name)) {
                match result {
                    Ok(loaded) => {
                        tracing::debug!("module {} in {} ms", loaded.name, loaded.took.as_millis());
                    }
                    Err(error) => tracing::info!("{error}"),
                }
            }
        }
    };
    load(&[EFIVARFS]);
    Ok(Box::new(load))
}
