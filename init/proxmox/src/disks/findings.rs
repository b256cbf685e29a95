use std::collections::BTreeMap;

use assess::{Finding, Severity};
use storage::{Storage, Trouble};

use crate::differences::finding;
use crate::document::DisksSeen;

const WRITTEN: &str = "system.disk-written";
const OVERFLOW: &str = "system.overlay-overflow";
const UNREAD: &str = "system.disk-unread";
const MISSING: &str = "system.member-missing";
const SAME_NAME: &str = "system.same-name";

/// The ids of findings about the look itself.
pub(crate) const IDS: [&str; 5] = [WRITTEN, OVERFLOW, UNREAD, MISSING, SAME_NAME];

/// What there is to say of the disks as a whole, the worst first.
pub fn findings(seen: &DisksSeen) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(written(seen));
    findings.extend(seen.storage.troubles.iter().filter_map(trouble));
    findings.extend(same_names(&seen.storage));
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    findings
}

fn written(seen: &DisksSeen) -> Option<Finding> {
    let disks = seen.writes.iter().filter(|disk| !disk.writes.is_none());
    let evidence: Vec<String> = disks
        .map(|disk| {
            let writes = disk.writes;
            format!(
                "{}: {} requests, {} sectors written, {} discarded",
                disk.disk, writes.requests, writes.sectors, writes.discarded
            )
        })
        .collect();
    (!evidence.is_empty()).then(|| {
        finding(
            WRITTEN,
            Severity::Caution,
            "The kernel counts writes to a disk during the look, which writes nothing itself.",
            evidence,
            "Find out what else used the disk; when nothing did, please report it with this document.",
        )
    })
}

fn trouble(trouble: &Trouble) -> Option<Finding> {
    let (id, summary, remedy) = match trouble {
        Trouble::Overflow { .. } | Trouble::NoOverlay { .. } => (
            OVERFLOW,
            "A part of the disks could not be read behind an overlay in memory, so nothing from it counts.",
            "The disks are unchanged. Give the machine more memory, or unplug disks that are not needed.",
        ),
        Trouble::Incomplete { .. } => (
            MISSING,
            "A volume group, a pool, a btrfs or a RAID array lacks members.",
            "Look whether a disk has failed or is not plugged in.",
        ),
        // Thin pools and guests' disks are never opened, and a second path shows nothing new.
        Trouble::LeftAlone { .. } | Trouble::OtherPath { .. } => return None,
        Trouble::Closed { .. } => (
            UNREAD,
            "A part of the disks is encrypted.",
            "Give the passphrase: preflight systems --disks --passphrase-file FILE.",
        ),
        Trouble::NotCounted { .. } => (
            WRITTEN,
            "It is not known whether a disk was written to during the look, which writes nothing itself.",
            "See what the evidence says, and look again.",
        ),
        Trouble::InUse { .. }
        | Trouble::Silent { .. }
        | Trouble::LeftOut { .. }
        | Trouble::NoProgram { .. }
        | Trouble::NotAssembled { .. }
        | Trouble::NotMounted { .. }
        | Trouble::NotWritable { .. }
        | Trouble::NotClosed { .. }
        | Trouble::NotTakenDown { .. } => (
            UNREAD,
            "A part of the disks could not be read; a system there is not in this list.",
            "See what the evidence says, and look again.",
        ),
    };
    Some(Finding {
        unknown: true,
        ..finding(
            id,
            Severity::Caution,
            summary,
            vec![trouble.to_string()],
            remedy,
        )
    })
}

/// Two groups or pools of one name: their own tools take one of them, or none.
fn same_names(storage: &Storage) -> Vec<Finding> {
    let mut named: BTreeMap<(&str, &str), Vec<String>> = BTreeMap::new();
    for group in &storage.volume_groups {
        let same = named.entry(("volume groups", &group.name)).or_default();
        same.push(group.uuid.clone());
    }
    for pool in &storage.pools {
        let same = named.entry(("pools", &pool.name)).or_default();
        same.push(pool.guid.to_string());
    }
    let twice = named.into_iter().filter(|(_, ids)| ids.len() > 1);
    twice
        .map(|((what, name), ids)| {
            finding(
                SAME_NAME,
                Severity::Note,
                format!("{} {what} have the name {name}; they are told apart by identity here.", ids.len()),
                ids.into_iter().map(|id| format!("{name}: {id}")).collect(),
                "A system that starts with both plugged in may take the wrong one. Unplug the disk of the \
                 other system, or rename its group (vgrename UUID NAME) or pool (zpool import GUID NAME).",
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use storage::{DiskId, DiskWrites, VolumeId, Writes};

    use super::*;
    use crate::disks::testing::{lvm, zfs};

    fn of(storage: Storage, writes: Vec<DiskWrites>) -> Vec<Finding> {
        findings(&DisksSeen {
            storage,
            uses: Vec::new(),
            writes,
            written_over: 0,
            kernel_names: BTreeMap::new(),
            took_ms: 0,
        })
    }

    #[test]
    fn disks_that_were_read_whole_and_not_written_to_are_no_finding() {
        let none = DiskWrites {
            disk: DiskId("a".to_owned()),
            writes: Writes::default(),
        };
        assert!(of(lvm(), vec![none]).is_empty());
        let one = DiskWrites {
            disk: DiskId("a".to_owned()),
            writes: Writes {
                requests: 1,
                sectors: 8,
                discarded: 0,
            },
        };
        let found = of(lvm(), vec![one]);
        assert_eq!(found[0].id, WRITTEN);
        assert_eq!(
            found[0].evidence,
            ["a: 1 requests, 8 sectors written, 0 discarded"]
        );
    }

    #[test]
    fn a_disk_whose_writes_were_not_counted_is_unknown_and_not_unwritten() {
        let mut storage = lvm();
        storage.troubles = vec![Trouble::NotCounted {
            disk: DiskId("a".to_owned()),
            why: "it was pulled".to_owned(),
        }];
        let found = of(storage, Vec::new());
        assert_eq!((&*found[0].id, found[0].unknown), (WRITTEN, true));
        assert!(found[0].evidence[0].contains("it was pulled"));
    }

    #[test]
    fn two_groups_of_one_name_are_named_with_their_identities() {
        let mut storage = lvm();
        let mut second = storage.volume_groups[0].clone();
        second.uuid = "other".to_owned();
        storage.volume_groups.push(second);
        storage.pools = zfs().pools;
        let found = of(storage, Vec::new());
        assert_eq!(found.len(), 1);
        assert!(found[0].summary.contains("volume groups have the name pve"));
        assert_eq!(found[0].evidence, ["pve: pve-uuid", "pve: other"]);
    }

    #[test]
    fn what_could_not_be_read_is_unknown_and_thin_pools_are_none_of_that() {
        let mut storage = lvm();
        let volume = VolumeId::Disk(DiskId("a".to_owned()));
        storage.troubles = vec![
            Trouble::Overflow {
                volume: volume.clone(),
                bound: 16 << 20,
            },
            Trouble::Closed {
                volume: volume.clone(),
            },
            Trouble::LeftAlone {
                volume,
                name: "pve/data".to_owned(),
                why: "thin".to_owned(),
            },
        ];
        let found = of(storage, Vec::new());
        let ids: Vec<&str> = found.iter().map(|finding| &*finding.id).collect();
        assert_eq!(ids, [OVERFLOW, UNREAD]);
        assert!(found.iter().all(|finding| finding.unknown));
    }
}
