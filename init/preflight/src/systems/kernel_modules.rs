use std::collections::BTreeMap;
use std::path::Path;

use modules::{Index, Loader, ModuleName};

/// The firmware's variables.
const EFIVARFS: &str = "efivarfs";

/// Loads what a look at the disks needs. A module that this kernel or image does not have is missed when
/// something on the disks needs it, and is said there.
pub fn load() -> anyhow::Result<()> {
    let release = nix::sys::utsname::uname()?
        .release()
        .to_string_lossy()
        .into_owned();
    let index = Index::read(&Path::new("/lib/modules").join(release))?;
    let mut loader = Loader::new(index, BTreeMap::new());
    for name in storage::MODULES.iter().chain([&EFIVARFS]) {
        for result in loader.load(&ModuleName::new(name)) {
            if let Err(error) = result {
                tracing::info!("{error}");
            }
        }
    }
    Ok(())
}
