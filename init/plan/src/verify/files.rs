use std::collections::BTreeMap;

use hardware::Reading;

use super::Mismatch;
use crate::files::SystemFiles;
use crate::plan::{Change, Plan, Tree, sha256};

/// Every file of the plan has its bytes.
pub(super) fn check(plan: &Plan, files: &SystemFiles) -> Vec<Mismatch> {
    let changes = plan.changes.iter();
    changes
        .filter_map(|change| match change.tree {
            Tree::Root => root(change, files),
            Tree::Pve => pve(change, files),
            Tree::Stick => None,
        })
        .collect()
}

fn root(change: &Change, files: &SystemFiles) -> Option<Mismatch> {
    let unread = files.unread.iter().find(|(unread, _)| {
        let below = change.path.strip_prefix(unread.as_str());
        below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    });
    match unread {
        Some((_, why)) => Some(Mismatch::not_verified(&change.path, &wanted(change), why)),
        None => compare(&change.path, change, &files.root),
    }
}

fn pve(change: &Change, files: &SystemFiles) -> Option<Mismatch> {
    let place = format!("/etc/pve/{}", change.path);
    match &files.pve {
        Reading::Known(tree) => compare(&place, change, tree),
        Reading::Absent => {
            let why = "the system has no config.db";
            Some(Mismatch::other(&place, &wanted(change), why))
        }
        Reading::Unknown(why) => Some(Mismatch::not_verified(
            &place,
            &wanted(change),
            why.to_string(),
        )),
    }
}

fn compare(place: &str, change: &Change, there: &BTreeMap<String, Vec<u8>>) -> Option<Mismatch> {
    let Some(bytes) = there.get(&change.path) else {
        return Some(Mismatch::other(place, &wanted(change), "it is not there"));
    };
    let found = sha256(bytes);
    (found != change.after.sha256).then(|| {
        let found = format!("{} bytes, SHA-256 {found}", bytes.len());
        Mismatch::other(place, &wanted(change), found)
    })
}

fn wanted(change: &Change) -> String {
    let after = &change.after;
    format!("{} bytes, SHA-256 {}", after.length, after.sha256)
}
