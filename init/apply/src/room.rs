use std::collections::BTreeMap;

use crate::act::Act;
use crate::change::{ChangeSet, PlaceId};

/// A file takes whole clusters, and a name in its folder.
const CLUSTER: u64 = 32 << 10;

pub(crate) fn taken(size: u64) -> u64 {
    size.next_multiple_of(CLUSTER).max(CLUSTER)
}

/// Bytes that these acts need on each place over what is used before the first of them, at their peak.
pub fn needed(set: &ChangeSet, acts: &[Act]) -> BTreeMap<PlaceId, u64> {
    let mut sizes: BTreeMap<(PlaceId, String), u64> = BTreeMap::new();
    for file in &set.files {
        if let Some(before) = file.before {
            sizes.insert((file.place.clone(), file.path.clone()), taken(before.size));
        }
    }
    // The sum is below zero while more was removed than written.
    let mut used: BTreeMap<PlaceId, i128> = BTreeMap::new();
    let mut peaks: BTreeMap<PlaceId, u64> = BTreeMap::new();
    for act in acts {
        let place = act.place().clone();
        let key = |path: &String| (place.clone(), path.clone());
        let change = match act {
            Act::Write { path, size, .. } => {
                let before = sizes.insert(key(path), taken(*size)).unwrap_or_default();
                i128::from(taken(*size)) - i128::from(before)
            }
            Act::Select { staged, target, .. } | Act::Retire { staged, target, .. } => {
                let (one, other) = (sizes.remove(&key(staged)), sizes.remove(&key(target)));
                if let Some(size) = one {
                    sizes.insert(key(target), size);
                }
                if let Some(size) = other {
                    sizes.insert(key(staged), size);
                }
                0
            }
            Act::Remove { path, .. } => -i128::from(sizes.remove(&key(path)).unwrap_or_default()),
            Act::MakeFolder { .. } => i128::from(CLUSTER),
            Act::RemoveFolder { .. } | Act::Sync { .. } => 0,
        };
        let sum = used.entry(place.clone()).or_default();
        *sum += change;
        let peak = peaks.entry(place).or_default();
        *peak = (*peak).max(u64::try_from(*sum).unwrap_or_default());
    }
    peaks
}
