use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use super::list::{Pool, data_sets, pools};
use crate::look::Purpose;
use crate::model::Trouble;
use crate::program::Program;

/// ZFS lets go of a file system some time after it was unmounted: until then its pool is busy. OpenZFS's own tests
/// wait for the same reason (`log_must_busy` in tests/test-suite/logapi.shlib). So long for all pools together: whoever
/// takes away what a killed look has left gets 15 seconds, and is to hear of a pool that stays.
const LETS_GO: Duration = Duration::from_secs(10);

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

    /// The pools on these devices and on those in these folders, and whether there were too many.
    pub fn pools(&self, places: &[PathBuf]) -> Result<(Vec<Pool>, Option<Trouble>), String> {
        let places = texts(places);
        let mut words = vec!["import"];
        words.extend(places.iter().flat_map(|place| ["-d", place]));
        match self.zpool.text(&words, &[]) {
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

    /// Imports a pool, for reading alone where that is the purpose, and mounts nothing; its file systems are then
    /// in it. Under another name for the time of the look when it is to have one. Says whether it has too many.
    pub fn import(
        &self,
        pool: &mut Pool,
        name: &str,
        places: &[PathBuf],
        purpose: &Purpose,
    ) -> Result<Option<Trouble>, String> {
        let (guid, root) = (pool.guid.to_string(), self.root.display().to_string());
        let places = texts(places);
        let import = |how: &[&str]| {
            let mut words = vec!["import", "-N", "-o", "cachefile=none", "-R", &root];
            words.extend(how);
            words.extend(places.iter().flat_map(|place| ["-d", place]));
            if name != pool.name {
                words.push("-t");
            }
            words.push(&guid);
            if name != pool.name {
                words.push(name);
            }
            self.zpool.text(&words, &[])
        };
        // -f: a pool of another host is not exported while that host is off. Only overlays are touched.
        let reading = ["-f", "-o", "readonly=on"];
        match purpose {
            Purpose::Read => import(&reading)?,
            // The intent log is played back at a mount, but not in a pool that was imported for reading alone
            // (zfsvfs_setup in OpenZFS's zfs_vfsops.c). One with a feature that is not known here can be nothing else.
            Purpose::Plan => import(&["-f"]).or_else(|_| import(&reading))?,
            Purpose::Rehearse => import(&["-f"])?,
            // Its own host takes it without force, and a pool that is in use elsewhere nobody.
            Purpose::Write(_) => import(&[])?,
        };
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
        let mut patience = LETS_GO;
        for line in listed.lines() {
            if let Some((name, at)) = line.split_once('\t')
                && at == root
                && let Err(why) = self.export(name, &mut patience)
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

    fn export(&self, name: &str, patience: &mut Duration) -> Result<(), String> {
        when_let_go(patience, thread::sleep, || {
            self.zpool.text(&["export", name], &[]).map(drop)
        })
    }
}

/// Does it again while it fails with a pool that is busy and may not be any more; what it waited is taken off
/// `patience`.
fn when_let_go(
    patience: &mut Duration,
    mut pause: impl FnMut(Duration),
    mut export: impl FnMut() -> Result<(), String>,
) -> Result<(), String> {
    const STEP: Duration = Duration::from_millis(250);
    loop {
        match export() {
            Err(why) if why.contains("busy") && !patience.is_zero() => {
                pause(STEP);
                *patience = patience.saturating_sub(STEP);
            }
            result => return result,
        }
    }
}

fn texts(places: &[PathBuf]) -> Vec<String> {
    let places = places.iter();
    places.map(|place| place.display().to_string()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_pool_is_waited_for_and_another_trouble_is_not() {
        const BUSY: &str = "cannot export 'rpool': pool is busy";
        let after = |failures: usize, why: &str| {
            let (mut tries, mut waited, mut patience) = (0, Duration::ZERO, LETS_GO);
            let pause = |time| waited += time;
            let result = when_let_go(&mut patience, pause, || {
                tries += 1;
                (tries > failures).then_some(()).ok_or(why.to_owned())
            });
            assert_eq!(patience + waited, LETS_GO);
            (result, tries, waited)
        };
        let (result, tries, _) = after(3, BUSY);
        assert_eq!((result, tries), (Ok(()), 4));
        let (result, _, waited) = after(usize::MAX, BUSY);
        assert_eq!((result, waited), (Err(BUSY.to_owned()), LETS_GO));
        let (result, tries, _) = after(usize::MAX, "no such pool");
        assert_eq!((result, tries), (Err("no such pool".to_owned()), 1));
    }
}
