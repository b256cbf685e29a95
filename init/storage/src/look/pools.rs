use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::Look;
use crate::Error;
use crate::model::Trouble;
use crate::zfs::{Pool, Zfs};

impl Look {
    /// Imports every pool that was not tried yet, and mounts nothing.
    pub(super) fn import_pools(&mut self) {
        let members: Vec<PathBuf> = self
            .holding("zfs_member")
            .into_iter()
            .map(|(_, node)| node.to_owned())
            .collect();
        if members.is_empty() {
            return;
        }
        self.need("zfs_member");
        let Some(zfs) = self.tools.zfs.clone() else {
            self.trouble(Trouble::NoProgram {
                program: "zpool".to_owned(),
                what: "every ZFS pool".to_owned(),
            });
            return;
        };
        let folder = self.options.folder.join("members");
        let listed = link_all(&folder, &members)
            .map_err(|error| error.to_string())
            .and_then(|()| zfs.pools(&folder));
        match listed {
            Ok(pools) => pools
                .into_iter()
                .for_each(|pool| self.import(&zfs, pool, &folder)),
            Err(why) => {
                let what = "ZFS".to_owned();
                self.trouble(Trouble::NotAssembled { what, why });
            }
        }
    }

    fn import(&mut self, zfs: &Zfs, mut pool: Pool, devices: &Path) {
        let known = &self.storage.pools;
        if known
            .iter()
            .any(|other| other.guid == pool.guid && other.imported.is_some())
        {
            return;
        }
        let what = format!("pool {} ({})", pool.name, pool.guid);
        if pool.missing > 0 {
            let (what, missing) = (what.clone(), pool.missing);
            self.trouble(Trouble::Incomplete { what, missing });
        }
        let known = &self.storage.pools;
        let taken = |name: &str| {
            known
                .iter()
                .any(|other| other.imported.as_deref() == Some(name))
        };
        let name = if taken(&pool.name) {
            format!("{}-{}", pool.name, pool.guid)
        } else {
            pool.name.clone()
        };
        let imported = if is_name(&pool.name) {
            zfs.import(&mut pool, &name, devices, self.options.purpose)
        } else {
            Err("its name is none that ZFS gives".to_owned())
        };
        if let Err(why) = imported {
            self.trouble(Trouble::NotAssembled { what, why });
        }
        self.storage.pools.retain(|other| other.guid != pool.guid);
        self.storage.pools.push(pool);
    }
}

/// A folder with nothing but links to these devices: all that ZFS looks at.
fn link_all(folder: &Path, members: &[PathBuf]) -> Result<(), Error> {
    fs::create_dir_all(folder).map_err(Error::io("make", folder))?;
    for member in members {
        let link = folder.join(member.file_name().unwrap_or_default());
        match symlink(member, &link) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
                return Err(Error::io("make", &link)(error));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Names that pools can have (zpoolconcepts(7)).
fn is_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_-:. ".contains(&byte))
}
