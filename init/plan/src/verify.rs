//! What was read again from the disks, compared with the plan: the bytes of its files, the command line of every
//! entry that may start, and what the initrds hold.

mod boot;
mod files;
mod initrds;

use std::fmt;

use hardware::Reading;
use proxmox::Installation;
use serde::{Deserialize, Serialize};

use crate::files::SystemFiles;
use crate::plan::Plan;

/// Something on the disks that is not as the plan wants it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mismatch {
    /// Where: a file, an entry of a boot menu.
    pub place: String,
    /// What the plan wants there.
    pub wanted: String,
    /// What is there.
    pub found: Found,
}

/// What is there instead of what is wanted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Found {
    /// Something else.
    Other(String),
    /// Nobody can say, and why.
    NotVerified(String),
}

impl Mismatch {
    fn other(place: &str, wanted: &str, found: impl Into<String>) -> Self {
        Self {
            place: place.to_owned(),
            wanted: wanted.to_owned(),
            found: Found::Other(found.into()),
        }
    }

    fn not_verified(place: &str, wanted: &str, why: impl Into<String>) -> Self {
        Self {
            place: place.to_owned(),
            wanted: wanted.to_owned(),
            found: Found::NotVerified(why.into()),
        }
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, wanted, .. } = self;
        match &self.found {
            Found::Other(found) => write!(f, "{place}: wanted: {wanted}; found: {found}"),
            Found::NotVerified(why) => write!(f, "{place}: cannot be verified: {wanted}: {why}"),
        }
    }
}

/// What `--accept` takes for everything that cannot be verified. It is no refusal of a plan: what cannot be read is
/// known when something is to be written.
pub const UNVERIFIED: &str = "unverified";

impl Mismatch {
    /// Whether nobody can say what is there.
    pub fn is_unverified(&self) -> bool {
        matches!(self.found, Found::NotVerified(_))
    }
}

/// What of the start cannot be read, and cannot be made anew either: known before anything is tried.
pub fn out_of_reach(plan: &Plan, installation: &Installation) -> Vec<Mismatch> {
    match boot::is_concerned(plan) {
        true => boot::missing_esps(installation),
        false => Vec::new(),
    }
}

/// Says what does not agree with the plan; nothing where all of it does. What could not be read is never taken for
/// right. Files on the stick are not looked at.
pub fn verify(plan: &Plan, installation: &Installation, files: &SystemFiles) -> Vec<Mismatch> {
    let mut found = files::check(plan, files);
    found.extend(boot::check(plan, installation));
    found.extend(initrds::check(plan, installation, files));
    found
}

/// Adds to what is needed: initrds and boot files that were never made anew after files which say already what the
/// plan wants.
pub(crate) fn add_unapplied(plan: &mut Plan, system: &Installation, files: &SystemFiles) {
    let is_other = |mismatch: &Mismatch| matches!(mismatch.found, Found::Other(_));
    // Where a file changes, everything that is made from it is needed anyway.
    if plan.needs.initramfs.is_empty() {
        let stale = system.kernels.iter().filter(|kernel| {
            kernel.in_boot
                && initrds::of_boot(plan, system, files, kernel)
                    .iter()
                    .any(is_other)
        });
        plan.needs.initramfs = stale.map(|kernel| kernel.version.clone()).collect();
    }
    if plan.needs.boot_files.is_empty() {
        let words = boot::check(plan, system).iter().any(is_other);
        for (_, way) in system.boot.ways() {
            if let Reading::Known(method) = way.method
                && (words || !plan.needs.initramfs.is_empty() && method.has_kernels_on_esp())
                && !plan.needs.boot_files.contains(&method)
            {
                plan.needs.boot_files.push(method);
            }
        }
    }
}

/// Whether an ESP takes part in starting: proxmox-boot-tool keeps it, or a way begins on it. Nobody says so of one
/// where the tool is not used, and then it may.
fn takes_part(system: &Installation, index: usize) -> bool {
    let ways = system.boot.ways();
    let begins = ways.iter().any(|(_, way)| way.esp == Some(index));
    let esp = system.boot.esps.get(index);
    begins || esp.is_some_and(|esp| esp.listed != Some(false))
}

/// Whether kernels and initrds are started from ESPs.
fn starts_from_esps(system: &Installation) -> bool {
    system.boot.ways().iter().any(|(_, way)| {
        let method = way.method.known();
        method.is_some_and(|method| method.has_kernels_on_esp())
    })
}

#[cfg(test)]
mod tests;
