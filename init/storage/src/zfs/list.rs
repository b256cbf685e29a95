use serde::{Deserialize, Serialize};

use crate::model::Trouble;

/// More than this many pools or data sets are not taken in.
const MOST: usize = 4096;

/// A pool that can be imported, as `zpool import` lists it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pool {
    /// Its name; another pool may have the same.
    pub name: String,
    /// Its GUID.
    pub guid: u64,
    /// `ONLINE`, `DEGRADED`, `UNAVAIL`, ...
    pub state: String,
    /// What ZFS says is wrong with it.
    pub status: Option<String>,
    /// What ZFS says can be done.
    pub action: Option<String>,
    /// Devices that are not there or not usable.
    pub missing: u64,
    /// The name that it has in this look, when it could be imported.
    pub imported: Option<String>,
    /// Its file systems, when it could be imported.
    pub data_sets: Vec<DataSet>,
}

/// A file system in a pool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataSet {
    /// Its name, with the pool's own name in front.
    pub name: String,
    /// Its property `mountpoint`, below the folder of the look.
    pub mountpoint: String,
    /// Its property `canmount`.
    pub canmount: CanMount,
    /// The pool's property `bootfs` names it.
    pub boots: bool,
}

/// When a data set is mounted (zfsprops(7), canmount).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CanMount {
    /// When the pool is imported.
    #[default]
    On,
    /// By name alone, as the initramfs mounts a root.
    NoAuto,
    /// Never: its mount point is there for its children to inherit.
    Off,
}

impl DataSet {
    /// Whether a system may have its root here: the boot file system, a child of `ROOT`, or one for `/`.
    pub fn may_be_root(&self) -> bool {
        let in_root =
            self.name.split('/').nth(1) == Some("ROOT") && self.name.matches('/').count() >= 2;
        self.boots || self.canmount != CanMount::Off && (in_root || self.mountpoint == "/")
    }
}

/// The pools in what `zpool import` prints, and whether there were too many.
pub(super) fn pools(text: &str) -> (Vec<Pool>, Option<Trouble>) {
    let mut pools: Vec<Pool> = Vec::new();
    let mut left_out = None;
    let mut key = "";
    for line in text.lines() {
        // Names end with a colon and are aligned to the right; a line that begins with a tab goes on.
        let found = [
            "pool", "id", "state", "status", "action", "see", "config", "comment",
        ]
        .into_iter()
        .find_map(|name| {
            Some((
                name,
                line.trim_start().strip_prefix(name)?.strip_prefix(':')?,
            ))
        });
        match found {
            Some(("pool", rest)) if !line.starts_with('\t') => {
                if pools.len() == MOST {
                    left_out = Some(Trouble::LeftOut {
                        what: "ZFS pools".to_owned(),
                        most: MOST,
                    });
                    break;
                }
                key = "pool";
                pools.push(Pool {
                    name: rest.trim().to_owned(),
                    ..Pool::default()
                });
            }
            Some((name, rest)) if !line.starts_with('\t') => {
                key = name;
                if let Some(pool) = pools.last_mut() {
                    begin(pool, name, rest.trim());
                }
            }
            _ => {
                if let Some(pool) = pools.last_mut() {
                    go_on(pool, key, line.trim());
                }
            }
        }
    }
    pools.retain(|pool| pool.guid != 0 && !pool.name.is_empty());
    (pools, left_out)
}

fn begin(pool: &mut Pool, key: &str, value: &str) {
    match key {
        "id" => pool.guid = value.parse().unwrap_or(0),
        "state" => value.clone_into(&mut pool.state),
        "status" => pool.status = Some(value.to_owned()),
        "action" => pool.action = Some(value.to_owned()),
        _ => {}
    }
}

fn go_on(pool: &mut Pool, key: &str, line: &str) {
    let text = match key {
        "status" => &mut pool.status,
        "action" => &mut pool.action,
        "config" => {
            let mut words = line.split_whitespace();
            let (name, state) = (words.next().unwrap_or_default(), words.next());
            let absent = matches!(state, Some("UNAVAIL" | "REMOVED" | "OFFLINE" | "FAULTED"));
            // A mirror that lacks a member is not itself a device.
            let group = ["mirror-", "raidz", "draid", "spare-", "replacing-"]
                .iter()
                .any(|prefix| name.starts_with(prefix));
            if absent && !group && name != pool.name {
                pool.missing = pool.missing.saturating_add(1);
            }
            return;
        }
        _ => return,
    };
    if let Some(text) = text
        && !line.is_empty()
        && text.len() < 4096
    {
        text.push(' ');
        text.push_str(line);
    }
}

/// The file systems in what `zfs list -H -o name,canmount,mountpoint` prints of the pool imported as `imported`, and whether
/// there were too many.
pub(super) fn data_sets(
    text: &str,
    pool: &str,
    imported: &str,
    boots: &str,
    root: &str,
) -> (Vec<DataSet>, Option<Trouble>) {
    let own_name = |name: &str| Some(format!("{pool}{}", name.strip_prefix(imported)?));
    let left_out = (text.lines().count() > MOST).then(|| Trouble::LeftOut {
        what: format!("data sets of pool {pool}"),
        most: MOST,
    });
    let sets = text
        .lines()
        .take(MOST)
        .filter_map(|line| {
            let (name, rest) = line.split_once('\t')?;
            let (canmount, mountpoint) = rest.split_once('\t')?;
            let inside = mountpoint.strip_prefix(root).unwrap_or(mountpoint);
            Some(DataSet {
                boots: name == boots,
                name: own_name(name)?,
                mountpoint: if inside.is_empty() { "/" } else { inside }.to_owned(),
                canmount: match canmount {
                    "off" => CanMount::Off,
                    "noauto" => CanMount::NoAuto,
                    _ => CanMount::On,
                },
            })
        })
        .collect();
    (sets, left_out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TWO_OF_A_NAME: &str = "   pool: rpool
     id: 9876543210987654321
  state: DEGRADED
status: One or more devices contains corrupted data.
 action: The pool can be imported despite missing or damaged devices.  The
\tfault tolerance of the pool may be compromised if imported.
   see: https://openzfs.github.io/openzfs-docs/msg/ZFS-8000-4J
 config:

\trpool                    DEGRADED
\t  mirror-0               DEGRADED
\t    overlay-vda3         ONLINE
\t    1234567890123456789  UNAVAIL  corrupted data

   pool: rpool
     id: 42
  state: ONLINE
 action: The pool can be imported using its name or numeric identifier.
 config:

\trpool           ONLINE
\t  overlay-vdb3  ONLINE
";

    #[test]
    fn two_pools_of_one_name_are_told_apart_and_a_missing_half_is_counted() {
        let (pools, left_out) = pools(TWO_OF_A_NAME);
        assert_eq!(left_out, None);
        let seen: Vec<_> = pools
            .iter()
            .map(|pool| {
                (
                    pool.name.as_str(),
                    pool.guid,
                    pool.state.as_str(),
                    pool.missing,
                )
            })
            .collect();
        assert_eq!(
            seen,
            [
                ("rpool", 9_876_543_210_987_654_321, "DEGRADED", 1),
                ("rpool", 42, "ONLINE", 0)
            ]
        );
        let action = pools[0].action.as_deref().unwrap();
        assert!(
            action.ends_with("may be compromised if imported."),
            "{action}"
        );
    }

    #[test]
    fn data_sets_have_the_names_that_the_pools_owner_knows() {
        let text = "rpool-42\toff\t/look/zfs\nrpool-42/ROOT/pve-1\tnoauto\t/look/zfs\nrpool-42/data\ton\t/look/zfs/data\n";
        let (sets, left_out) = data_sets(
            text,
            "rpool",
            "rpool-42",
            "rpool-42/ROOT/pve-1",
            "/look/zfs",
        );
        assert_eq!(left_out, None);
        let roots: Vec<_> = sets.iter().filter(|set| set.may_be_root()).collect();
        assert_eq!(roots.len(), 1);
        assert_eq!(roots[0].name, "rpool/ROOT/pve-1");
        assert_eq!(roots[0].mountpoint, "/");
        assert!(roots[0].boots);
        let canmount: Vec<CanMount> = sets.iter().map(|set| set.canmount).collect();
        assert_eq!(canmount, [CanMount::Off, CanMount::NoAuto, CanMount::On]);
    }

    #[test]
    fn more_pools_or_data_sets_than_are_taken_in_are_said() {
        let text = "  pool: a\n    id: 1\n".repeat(MOST + 1);
        let (taken, left_out) = pools(&text);
        assert_eq!(taken.len(), MOST);
        assert!(
            left_out
                .unwrap()
                .to_string()
                .starts_with("ZFS pools: only the first 4096")
        );
        let text = "a/b\ton\t/b\n".repeat(MOST + 1);
        let (taken, left_out) = data_sets(&text, "a", "a", "", "/look");
        assert_eq!(taken.len(), MOST);
        assert!(
            left_out
                .unwrap()
                .to_string()
                .contains("data sets of pool a")
        );
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "[ \tpoolidstatusconfig:0-9\n]*", other in ".*") {
            let _ = pools(&text);
            let _ = pools(&other);
            let _ = data_sets(&other, "a", "b", "c", "d");
        }
    }
}
