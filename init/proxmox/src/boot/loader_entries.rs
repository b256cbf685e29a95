//! systemd-boot: loader.conf and the entries of type 1 (UAPI group, Boot Loader Specification; loader.conf(5)).

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use crate::command_line::CommandLine;
use crate::version;

/// What systemd-boot finds on an ESP.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoaderMenu {
    /// `default` of loader.conf: a pattern of entry names.
    pub default: Option<String>,
    /// In the order of the menu.
    pub entries: Vec<LoaderEntry>,
}

/// One file of `loader/entries`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoaderEntry {
    /// The file's name.
    pub file: String,
    /// `title`.
    pub title: Option<String>,
    /// `version`.
    pub version: Option<String>,
    /// `sort-key`.
    pub sort_key: Option<String>,
    /// `machine-id`.
    pub machine_id: Option<String>,
    /// `linux`, a path on the ESP.
    pub linux: Option<String>,
    /// `initrd`, each a path on the ESP.
    pub initrds: Vec<String>,
    /// All `options` lines, one after the other.
    pub options: CommandLine,
    /// Where the first `options` stands, counted from 1; 0 without one.
    pub options_line: u32,
}

/// `default` of a loader.conf.
pub fn parse_loader_conf(text: &str) -> Option<String> {
    let (_, _, value) = lines(text).filter(|(_, key, _)| *key == "default").last()?;
    Some(value.to_owned())
}

impl LoaderEntry {
    /// Reads one entry. Keys that are not known are left alone, as the specification wants.
    pub fn parse(file: &str, text: &str) -> Self {
        let mut entry = Self {
            file: file.to_owned(),
            ..Self::default()
        };
        let mut options = Vec::new();
        for (line, key, value) in lines(text) {
            let kept = Some(value.to_owned());
            match key {
                "title" => entry.title = kept,
                "version" => entry.version = kept,
                "sort-key" => entry.sort_key = kept,
                "machine-id" => entry.machine_id = kept,
                "linux" => entry.linux = kept,
                "initrd" => entry.initrds.extend(kept),
                "options" => {
                    if options.is_empty() {
                        entry.options_line = line;
                    }
                    options.push(value);
                }
                _ => {}
            }
        }
        entry.options = CommandLine::from(options.join(" ").as_str());
        entry
    }

    /// The entry's name as patterns are matched with: without counters of tries (`+3-1`), lower case.
    fn id(&self) -> String {
        let stem = self.file.strip_suffix(".conf").unwrap_or(&self.file);
        let stem = match stem.rsplit_once('+') {
            Some((name, tries)) if tries.starts_with(|first: char| first.is_ascii_digit()) => name,
            _ => stem,
        };
        format!("{stem}.conf").to_ascii_lowercase()
    }

    /// All tries used up: it goes to the end of the menu (systemd.io, Automatic Boot Assessment).
    fn is_bad(&self) -> bool {
        let stem = self.file.strip_suffix(".conf").unwrap_or(&self.file);
        stem.rsplit_once('+')
            .is_some_and(|(_, tries)| tries == "0" || tries.starts_with("0-"))
    }
}

impl LoaderMenu {
    /// Puts entries into the order of the menu.
    pub fn new(default: Option<String>, mut entries: Vec<LoaderEntry>) -> Self {
        entries.sort_by(order);
        Self { default, entries }
    }

    /// The entries that proxmox-boot-tool writes, known by their names; where it wrote none, all that name a kernel.
    pub fn ordinary(&self) -> Vec<&LoaderEntry> {
        let own = |entry: &LoaderEntry| entry.id().starts_with("proxmox-");
        let known = self.entries.iter().any(own);
        let entries = self.entries.iter();
        entries
            .filter(|entry| entry.linux.is_some() && (!known || own(entry)))
            .collect()
    }

    /// The entry that starts by itself. `chosen` is what the firmware's variables name: LoaderEntryOneShot,
    /// then LoaderEntryDefault; they go before loader.conf.
    pub fn starts(&self, chosen: Option<&str>) -> Option<&LoaderEntry> {
        let patterns = chosen.into_iter().chain(self.default.as_deref());
        for pattern in patterns {
            let pattern = pattern.to_ascii_lowercase();
            let matching = |entry: &&LoaderEntry| {
                let id = entry.id();
                glob(&pattern, &id) || glob(&format!("{pattern}.conf"), &id)
            };
            if let Some(entry) = self.entries.iter().find(matching) {
                return Some(entry);
            }
        }
        self.entries.first()
    }
}

fn lines(text: &str) -> impl Iterator<Item = (u32, &str, &str)> {
    text.lines().zip(1_u32..).filter_map(|(line, number)| {
        let line = line.trim();
        let (key, value) = line.split_once([' ', '\t'])?;
        (!line.starts_with('#')).then_some((number, key, value.trim()))
    })
}

fn order(one: &LoaderEntry, other: &LoaderEntry) -> Ordering {
    let newest_first = |one: &Option<String>, other: &Option<String>| {
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        version::compare(&text(other), &text(one))
    };
    let by_key = match (&one.sort_key, &other.sort_key) {
        (Some(key), Some(other_key)) => key
            .cmp(other_key)
            .then_with(|| one.machine_id.cmp(&other.machine_id))
            .then_with(|| newest_first(&one.version, &other.version)),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => Ordering::Equal,
    };
    one.is_bad()
        .cmp(&other.is_bad())
        .then(by_key)
        .then_with(|| version::compare(&other.id(), &one.id()))
}

/// `*` and `?`, as in fnmatch(3); linear in the text times the number of stars.
fn glob(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while let Some(byte) = text.get(t) {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(wanted) if *wanted == b'?' || wanted == byte => {
                p += 1;
                t += 1;
            }
            _ => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    p = at + 1;
                    t = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(p).all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn proxmox(version: &str) -> LoaderEntry {
        let text = format!(
            "title    Proxmox Virtual Environment\nversion  {version}\noptions   root=ZFS=rpool/ROOT/pve-1 boot=zfs\n\
             linux    /EFI/proxmox/{version}/vmlinuz-{version}\ninitrd   /EFI/proxmox/{version}/initrd.img-{version}\n"
        );
        LoaderEntry::parse(&format!("proxmox-{version}.conf"), &text)
    }

    #[test]
    fn the_newest_entry_that_fits_the_pattern_starts() {
        let entries = ["6.8.4-2-pve", "6.8.12-11-pve", "6.8.12-2-pve"].map(proxmox);
        let default = parse_loader_conf("timeout 3\n#default x\ndefault proxmox-*\n");
        let menu = LoaderMenu::new(default, entries.into());
        let starts = menu.starts(None).unwrap();
        assert_eq!(starts.version.as_deref(), Some("6.8.12-11-pve"));
        assert_eq!(
            starts.options.as_str(),
            "root=ZFS=rpool/ROOT/pve-1 boot=zfs"
        );
        assert_eq!(starts.options_line, 3);
    }

    #[test]
    fn a_pinned_entry_and_the_firmwares_choice_go_before_it() {
        let entries = ["6.8.4-2-pve", "6.8.12-11-pve"].map(proxmox);
        let menu = LoaderMenu::new(Some("proxmox-6.8.4-2-pve.conf".to_owned()), entries.into());
        let version = |chosen| menu.starts(chosen).unwrap().version.clone().unwrap();
        assert_eq!(version(None), "6.8.4-2-pve");
        assert_eq!(version(Some("proxmox-6.8.12-11-pve.conf")), "6.8.12-11-pve");
        assert_eq!(version(Some("gone.conf")), "6.8.4-2-pve");
    }

    #[test]
    fn an_entry_without_tries_left_goes_last() {
        let mut newest = proxmox("6.9.0-1-pve");
        newest.file = "proxmox-6.9.0-1-pve+0-3.conf".to_owned();
        let menu = LoaderMenu::new(
            Some("proxmox-*".to_owned()),
            vec![newest, proxmox("6.8.4-2-pve")],
        );
        assert_eq!(
            menu.starts(None).unwrap().version.as_deref(),
            Some("6.8.4-2-pve")
        );
    }

    #[test]
    fn several_options_lines_are_one_command_line() {
        let entry = LoaderEntry::parse("a.conf", "options root=/dev/sda2\noptions\tquiet  ro\n");
        assert_eq!(entry.options.as_str(), "root=/dev/sda2 quiet  ro");
    }

    proptest! {
        #[test]
        fn any_files_make_a_menu(texts in proptest::collection::vec("(?s).{0,60}", 0..5), pattern in ".{0,8}") {
            let entries = texts.iter().enumerate().map(|(i, text)| LoaderEntry::parse(&format!("{i}{text}"), text));
            let menu = LoaderMenu::new(Some(pattern), entries.collect());
            let _ = menu.starts(None);
        }
    }
}
