//! Kernels that came after a change: an undo puts back files that it knows, and theirs have what was changed.

use std::collections::{BTreeMap, BTreeSet};

use apply::{ChangeSet, PlaceId, Places, Role, kept_text};
use storage::Root;

/// An entry of a boot menu is some lines.
const LARGEST_ENTRY: u64 = 64 << 10;
/// Copies beside a kernel's files, which nothing starts.
const COPIES: [&str; 5] = [".old", ".bak", ".new", ".dpkg-tmp", ".old-dkms"];
/// Where proxmox-boot-tool has its list of ESPs.
const ESPS: &str = "/etc/kernel/proxmox-boot-uuids";

/// Kernels that a change does not know.
#[derive(Debug, PartialEq, Eq)]
pub struct Kernels {
    /// By version: their files.
    versions: BTreeMap<String, BTreeSet<String>>,
    /// What brings boot menus up to date on the started host.
    refresh: &'static str,
}

/// Kernels whose files lie on these places and that the change has not: none where it has no boot files at all.
pub fn left_out(places: &Places, set: &ChangeSet) -> Option<Kernels> {
    let known = known(set, &|digest| kept_text(places, &set.id, digest));
    if known.is_empty() {
        return None;
    }
    let mut versions: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut ids = set.places();
    ids.push(PlaceId::root());
    for id in ids {
        let Ok(place) = places.get(&id) else { continue };
        for (path, text) in boot_files(&place.root) {
            for version in versions_in(&text)
                .into_iter()
                .filter(|one| !known.contains(one))
            {
                let whole = match &id {
                    PlaceId::FileSystem(point) => format!("{}{path}", point.trim_end_matches('/')),
                    PlaceId::Esp(_) => format!("{path} on {id}"),
                };
                versions.entry(version).or_default().insert(whole);
            }
        }
    }
    let root = places.root().ok()?;
    let refresh = match root.root.status(ESPS) {
        Ok(_) => "proxmox-boot-tool refresh",
        Err(_) => "update-grub",
    };
    (!versions.is_empty()).then_some(Kernels { versions, refresh })
}

impl Kernels {
    /// What an undo leaves, and what is to be done then.
    pub fn words(&self) -> String {
        let mut text = String::from(
            "These kernels are not in the receipt. What came after the change still has it in its boot files, and an undo \
             leaves that:\n",
        );
        for (version, files) in &self.versions {
            let files: Vec<&str> = files.iter().map(String::as_str).collect();
            text.push_str(&format!("  {version}: {}\n", files.join(", ")));
        }
        text.push_str("Make them anew when the host has started after the undo:\n");
        for version in self.versions.keys() {
            text.push_str(&format!("  update-initramfs -u -k {version}\n"));
        }
        text.push_str(&format!("  {}\n", self.refresh));
        text
    }
}

/// Kernels that the change's boot files are of, or that its menus name.
fn known(set: &ChangeSet, text: &dyn Fn(&apply::Digest) -> Option<Vec<u8>>) -> BTreeSet<String> {
    let mut known = BTreeSet::new();
    for file in &set.files {
        known.extend(versions_in(&file.path));
        if file.role != Role::Selector {
            continue;
        }
        for state in [file.before, file.after].into_iter().flatten() {
            let text = text(&state.digest).unwrap_or_default();
            known.extend(versions_in(&String::from_utf8_lossy(&text)));
        }
    }
    known
}

/// Kernels' files, and entries with their texts, of a root, a /boot or an ESP.
fn boot_files(root: &Root) -> Vec<(String, String)> {
    let list = |folder: &str| {
        let names = root.list(folder).unwrap_or_default().into_iter();
        let names = names.filter_map(|name| name.into_string().ok());
        names
            .map(|name| format!("{}/{name}", folder.trim_end_matches('/')))
            .collect::<Vec<_>>()
    };
    let mut files = list("/");
    files.extend(list("/boot"));
    for folder in list("/EFI/proxmox") {
        files.extend(list(&folder));
    }
    let mut found: Vec<(String, String)> =
        files.into_iter().map(|path| (path.clone(), path)).collect();
    for entry in list("/loader/entries") {
        let text = root.read(&entry, LARGEST_ENTRY).unwrap_or_default();
        found.push((entry, String::from_utf8_lossy(&text).into_owned()));
    }
    found
}

/// Versions of the kernels and initrds that are named in a text or a path.
fn versions_in(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| c.is_whitespace() || "/\\'\";,{}".contains(c));
    let versions = words.filter_map(|word| {
        let names = ["initrd.img-", "vmlinuz-"].into_iter();
        let version = names.filter_map(|name| word.strip_prefix(name)).next()?;
        let is_version = version.starts_with(|c: char| c.is_ascii_digit());
        let is_copy = COPIES.iter().any(|ending| version.ends_with(ending));
        (is_version && !is_copy).then(|| version.to_owned())
    });
    versions.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_those_of_kernels_and_initrds_and_not_of_copies_beside_them() {
        let text = "linux /ROOT/pve-1@/boot/vmlinuz-6.8.12-1-pve root=x\ninitrd '/initrd.img-6.8.4-2-pve'\n\
                    /boot/initrd.img-6.8.12-9-pve.old-dkms /boot/initrd.img /boot/vmlinuz-staged.dpkg-tmp";
        let found: Vec<String> = versions_in(text).into_iter().collect();
        assert_eq!(found, ["6.8.12-1-pve", "6.8.4-2-pve"]);
    }
}
