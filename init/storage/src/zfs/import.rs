use std::path::{Path, PathBuf};

use super::list::{Pool, data_sets, pools};
use crate::look::Purpose;
use crate::model::Trouble;
use crate::program::Program;

/// The programs `zpool` and `zfs`, and the folder below which pools would mount themselves.
#[derive(Clone, Debug)]
pub(crate) struct Zfs {
    zpool: Program,
    zfs: Program,
    root: PathBuf,
}

impl Zfs {
    /// The programs, when the image carries them. `folder` is that of the look.
    pub fn find(folder: &Path) -> Option<Self> {
        Some(Self {
            zpool: Program::find("zpool")?,
            zfs: Program::find("zfs")?,
            root: folder.join("zfs"),
        })
    }

    /// The pools on the devices that stand in `devices`, and whether there were too many.
    pub fn pools(&self, devices: &Path) -> Result<(Vec<Pool>, Option<Trouble>), String> {
        let devices = devices.display().to_string();
        match self.zpool.text(&["import", "-d", &devices], &[]) {
            Ok(text) => Ok(pools(&text)),
            Err(why) if why.contains("no pools available") => Ok((Vec::new(), None)),
            Err(why) => Err(why),
        }
    }

    /// The names of all pools that are imported on this machine, whoever did it.
    pub fn imported(&self) -> Result<Vec<String>, String> {
        let listed = self.zpool.text(&["list", "-H", "-o", "name"], &[])?;
        Ok(listed.lines().map(str::to_owned).collect())
    }

    /// Imports a pool, for reading alone unless it is for a rehearsal, and mounts nothing; its file systems
    /// are then in it. Under another name for the time of the look when it is to have one. Says whether
    /// it has too many.
    pub fn import(
        &self,
        pool: &mut Pool,
        name: &str,
        devices: &Path,
        purpose: Purpose,
    ) -> Result<Option<Trouble>, String> {
        let (guid, root) = (pool.guid.to_string(), self.root.display().to_string());
        let devices = devices.display().to_string();
        // -f: a pool of another host is not exported while that host is off. Only overlays are touched.
        let mut words = vec!["import", "-f", "-N", "-o", "cachefile=none"];
        if purpose == Purpose::Read {
            words.extend(["-o", "readonly=on"]);
        }
        words.extend(["-R", &root, "-d", &devices]);
        if name != pool.name {
            words.push("-t");
        }
        words.push(&guid);
        if name != pool.name {
            words.push(name);
        }
        self.zpool.text(&words, &[])?;
        pool.imported = Some(name.to_owned());
        let boots = self
            .zpool
            .text(&["get", "-H", "-o", "value", "bootfs", name], &[])?;
        let listed = [
            "list",
            "-H",
            "-t",
            "filesystem",
            "-o",
            "name,canmount,mountpoint",
            "-r",
            name,
        ];
        let listed = self.zfs.text(&listed, &[])?;
        let left_out;
        (pool.data_sets, left_out) = data_sets(&listed, &pool.name, name, boots.trim(), &root);
        Ok(left_out)
    }

    /// Exports every pool that a look has imported: those that have its folder as their root.
    pub fn export_all(&self) -> Result<(), String> {
        let listed = self
            .zpool
            .text(&["list", "-H", "-o", "name,altroot"], &[])?;
        let root = self.root.display().to_string();
        let mut failed = Vec::new();
        for line in listed.lines() {
            if let Some((name, at)) = line.split_once('\t')
                && at == root
                && let Err(why) = self.zpool.text(&["export", name], &[])
            {
                failed.push(format!("{name}: {why}"));
            }
        }
        if failed.is_empty() {
            Ok(())
        } else {
            Err(failed.join("; "))
        }
    }
}
