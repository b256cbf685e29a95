use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use image_builder::cache::Cache;

use super::{disks, root, scripts};

/// Counts changes of how the modules are built.
const FORMAT: u32 = 1;

/// ZFS's kernel modules for one kernel.
pub(super) struct Modules {
    folder: PathBuf,
    release: String,
}

/// The modules for this release of Debian 12's kernel: DKMS builds them in a root of its own, which takes
/// minutes.
pub(super) fn modules(cache: &Cache, release: &str) -> Result<Modules> {
    let inputs = format!("{release} {}", recipe()?);
    let folder = cache.entry("golden-zfs", inputs, |staging| {
        let tree = staging.join("tree");
        let packages = format!("linux-headers-{release},zfs-dkms");
        root::debootstrap("bookworm", &packages, &hook(), &tree)?;
        let built = tree.join("built");
        for entry in fs::read_dir(&built).context("DKMS built no modules")? {
            let entry = entry?;
            fs::copy(entry.path(), staging.join(entry.file_name()))?;
        }
        ensure!(
            staging.join("zfs.ko").is_file(),
            "DKMS built no zfs.ko for {release}"
        );
        fs::remove_dir_all(&tree).with_context(|| format!("cannot remove {}", tree.display()))
    })?;
    Ok(Modules {
        folder,
        release: release.to_owned(),
    })
}

/// What makes them, whichever kernel they are for.
pub(super) fn recipe() -> Result<String> {
    let hook = crate::sha256_of_file(&hook())?;
    Ok(format!("{FORMAT} {:?} {hook}", root::LEFT_OUT))
}

fn hook() -> PathBuf {
    scripts::folder().join("zfs-modules.sh")
}

impl Modules {
    /// Where they are.
    pub(super) fn folder(self) -> PathBuf {
        self.folder
    }

    /// Puts them where DKMS would have, and renews the module index.
    pub(super) fn copy_to(&self, tree: &Path) -> Result<()> {
        let into = tree.join(format!("usr/lib/modules/{}/updates/dkms", self.release));
        fs::create_dir_all(&into).with_context(|| format!("cannot make {}", into.display()))?;
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            fs::copy(entry.path(), into.join(entry.file_name()))?;
        }
        disks::run(
            Command::new("chroot")
                .arg(tree)
                .args(["depmod", &self.release]),
        )
    }
}
