use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::{Look, Purpose};
use crate::Error;
use crate::model::Trouble;
use crate::zfs::{Pool, Zfs, take_over};

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
        let listed = self
            .places(members)
            .map_err(|error| error.to_string())
            .and_then(|places| Ok((zfs.pools(&places)?, zfs.imported()?, places)));
        match listed {
            Ok(((pools, left_out), taken, places)) => {
                self.trouble_all(left_out.into_iter().collect());
                for pool in pools {
                    if self
                        .wanted()
                        .is_none_or(|wanted| wanted.has_pool(pool.guid))
                    {
                        self.import(&zfs, pool, &taken, &places);
                    }
                }
            }
            Err(why) => {
                let what = "ZFS".to_owned();
                self.trouble(Trouble::NotAssembled { what, why });
            }
        }
    }

    /// Where ZFS looks for members, and nowhere else. What is written carries the places in it, so that those are
    /// the devices; and the host's own number, so that it takes the pool back without force.
    fn places(&self, members: Vec<PathBuf>) -> Result<Vec<PathBuf>, Error> {
        let (sys, folder) = (&self.options.sys, &self.options.folder);
        if let Purpose::Write(wanted) = &self.options.purpose {
            take_over(sys, folder, wanted.host_id())?;
            return Ok(members);
        }
        let links = folder.join("members");
        link_all(&links, &members)?;
        Ok(vec![links])
    }

    fn import(&mut self, zfs: &Zfs, mut pool: Pool, taken: &[String], places: &[PathBuf]) {
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
        let mut known = self.storage.pools.iter();
        // A pool of the running system may have the name too.
        let is_taken = taken.contains(&pool.name)
            || known.any(|other| other.imported.as_ref() == Some(&pool.name));
        let name = if is_taken {
            format!("{}-{}", pool.name, pool.guid)
        } else {
            pool.name.clone()
        };
        let imported = if is_name(&pool.name) {
            zfs.import(&mut pool, &name, places, &self.options.purpose)
        } else {
            Err("its name is none that ZFS gives".to_owned())
        };
        match imported {
            Ok(left_out) => self.trouble_all(left_out.into_iter().collect()),
            Err(why) => self.trouble(Trouble::NotAssembled { what, why }),
        }
        self.storage.pools.retain(|other| other.guid != pool.guid);
        self.storage.pools.push(pool);
    }
}

/// A folder with nothing but links to these devices: all that ZFS looks at.
fn link_all(folder: &Path, members: &[PathBuf]) -> Result<(), Error> {
    // What an earlier look has left there may lead to a disk by now.
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(Error::io("empty", folder)(error));
        }
        _ => {}
    }
    fs::create_dir_all(folder).map_err(Error::io("make", folder))?;
    for member in members {
        let link = folder.join(member.file_name().unwrap_or_default());
        symlink(member, &link).map_err(Error::io("make", &link))?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zfs_is_given_the_members_of_this_look_and_nothing_that_an_earlier_one_left() {
        let folder = tempfile::tempdir().unwrap();
        let members = folder.path().join("members");
        fs::create_dir(&members).unwrap();
        symlink("/dev/sda3", members.join("sda3")).unwrap();
        let overlay = PathBuf::from("/dev/mapper/overlay-sda3");
        for _ in 0..2 {
            link_all(&members, std::slice::from_ref(&overlay)).unwrap();
        }
        let names: Vec<_> = fs::read_dir(&members)
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(names, ["overlay-sda3"]);
    }
}
