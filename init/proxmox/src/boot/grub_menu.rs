//! A grub.cfg, run as far as it can be without GRUB: its menu, and the entry that starts by itself (GRUB
//! manual, 6.3 Shell-like scripting, and grub-core/normal/menu.c for how `default` is taken).

mod run;
mod script;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::way::kernel_version;
use crate::command_line::CommandLine;

/// What stands behind so many bytes of a grub.cfg is left out: parsed, a byte takes a hundred.
const LONGEST: usize = 1 << 20;

/// The menu that a grub.cfg makes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrubMenu {
    /// Top level, in order.
    pub entries: Vec<GrubEntry>,
    /// The variable `default`: a number, a title or an id; `a>b` goes into submenus.
    pub default: String,
    /// Whether `default` was set under no condition that only GRUB can judge, in a menu of a length that hosts have.
    pub certain: bool,
    /// The entry was chosen for the next start alone (`next_entry` in grubenv).
    pub once: bool,
}

/// A menuentry, or a submenu with children.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrubEntry {
    /// As it is shown.
    pub title: String,
    /// Given with `--id`.
    pub id: Option<String>,
    /// Where it begins, counted from 1.
    pub line: u32,
    /// The Linux that it starts.
    pub linux: Option<GrubLinux>,
    /// Entries of a submenu.
    pub children: Vec<GrubEntry>,
    /// Whether it is a submenu.
    pub submenu: bool,
}

/// What `linux` and `initrd` say in an entry.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrubLinux {
    /// As GRUB names it, inside its own root.
    pub kernel: String,
    /// What the kernel is given.
    pub command_line: CommandLine,
    /// In order.
    pub initrds: Vec<String>,
    /// Where `linux` stands, counted from 1.
    pub line: u32,
}

impl GrubMenu {
    /// Runs a grub.cfg. `environment` is its grubenv, none without one; `platform` is `efi` or `pc`.
    pub fn parse(
        text: &str,
        environment: Option<&BTreeMap<String, String>>,
        platform: &str,
    ) -> Self {
        let start = text.get(..text.floor_char_boundary(LONGEST));
        let start = start.unwrap_or_default();
        let mut menu = run::run(&script::parse(start), environment, platform);
        menu.certain &= start.len() == text.len();
        menu
    }

    /// The entry that starts when nobody touches a key, with the titles that lead to it. A default that names
    /// nothing is the first entry; one that names a submenu is the first entry in it.
    pub fn starts(&self) -> Option<(Vec<&str>, &GrubEntry)> {
        let mut wanted = Some(self.default.as_str());
        let mut level = &self.entries;
        let mut titles = Vec::new();
        loop {
            let (name, rest) = match wanted.map(|path| path.split_once('>')) {
                Some(Some((name, rest))) => (name, Some(rest)),
                _ => (wanted.unwrap_or_default(), None),
            };
            let entry = find(level, name).or_else(|| level.first())?;
            titles.push(entry.title.as_str());
            if !entry.submenu {
                return Some((titles, entry));
            }
            wanted = rest;
            level = &entry.children;
        }
    }

    /// The entries that update-grub gives the configured command line: those that it makes for kernels of this
    /// system (GRUB, util/grub.d/10_linux.in), known by their ids. Recovery entries get a part of it, and those of
    /// other systems, of memory tests and of a person's own get nothing. Where no entry has such an id, each counts
    /// that is not known to be one of the others.
    pub fn ordinary(&self) -> Vec<(&GrubEntry, &GrubLinux)> {
        let mut linuxes = self.linuxes();
        let generated = |entry: &GrubEntry| {
            let id = entry.id.as_deref().unwrap_or_default();
            id.starts_with("gnulinux-")
        };
        let known_by_id = linuxes.iter().any(|(entry, _)| generated(entry));
        linuxes.retain(|(entry, linux)| {
            let other = entry
                .id
                .as_deref()
                .is_some_and(|id| id.starts_with("osprober-"));
            kernel_version(&linux.kernel).is_some()
                && !entry.is_recovery()
                && !other
                && (!known_by_id || generated(entry))
        });
        linuxes
    }

    /// Every entry that starts a Linux, submenus included, in order.
    pub fn linuxes(&self) -> Vec<(&GrubEntry, &GrubLinux)> {
        let mut found = Vec::new();
        let mut rest: Vec<&GrubEntry> = self.entries.iter().rev().collect();
        while let Some(entry) = rest.pop() {
            found.extend(entry.linux.as_ref().map(|linux| (entry, linux)));
            rest.extend(entry.children.iter().rev());
        }
        found
    }
}

impl GrubEntry {
    /// Whether update-grub made it for recovery.
    fn is_recovery(&self) -> bool {
        let by_id = self
            .id
            .as_deref()
            .is_some_and(|id| id.contains("-recovery-"));
        let single = self.linux.as_ref().is_some_and(|linux| {
            let mut words = linux.command_line.parameters().iter();
            words.any(|word| word.is("single") && word.value.is_none())
        });
        by_id || single || self.title.ends_with("(recovery mode)")
    }
}

fn find<'a>(level: &'a [GrubEntry], name: &str) -> Option<&'a GrubEntry> {
    if let Ok(index) = name.trim().parse::<usize>() {
        return level.get(index);
    }
    level
        .iter()
        .find(|entry| entry.id.as_deref() == Some(name) || entry.title == name)
}

#[cfg(test)]
mod tests;
