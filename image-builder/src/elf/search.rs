use super::{ElfFacts, Located, SystemRoot};
use crate::io::{self, IoError};
use crate::modules::alias_matches;

/// Where loaders of x86-64 systems look without being told: Debian's first, then the others'.
pub(super) const DEFAULT_FOLDERS: [&str; 6] = [
    "/lib/x86_64-linux-gnu",
    "/usr/lib/x86_64-linux-gnu",
    "/lib64",
    "/usr/lib64",
    "/lib",
    "/usr/lib",
];

/// Files that /etc/ld.so.conf may include, one inside the other.
const DEEPEST_INCLUDE: usize = 4;

/// The search for shared libraries that ld.so(8) does, without its cache and without the folders
/// `glibc-hwcaps`: an image carries the variant that runs everywhere.
pub(super) struct Search {
    configured: Vec<String>,
}

impl Search {
    pub(super) fn new(root: &SystemRoot) -> Self {
        let mut configured = Vec::new();
        read_configuration(root, "/etc/ld.so.conf", 0, &mut configured);
        Self { configured }
    }

    /// Folders in the order of ld.so(8) for a library that the file at `path` needs; `inherited` is
    /// the DT_RPATH of what loaded that file, expanded.
    pub(super) fn folders(
        &self,
        path: &str,
        facts: &ElfFacts,
        inherited: &[String],
    ) -> Vec<String> {
        Self::own_folders(path, facts, inherited)
            .into_iter()
            .chain(self.configured.iter().cloned())
            .chain(DEFAULT_FOLDERS.map(str::to_owned))
            .collect()
    }

    /// Those of them that the file itself, or what loads it, names.
    pub(super) fn own_folders(path: &str, facts: &ElfFacts, inherited: &[String]) -> Vec<String> {
        let own: Vec<&String> = if facts.runpath.is_empty() {
            facts.rpath.iter().chain(inherited).collect()
        } else {
            facts.runpath.iter().collect()
        };
        let origin = folder_of(path);
        own.into_iter()
            .map(|folder| expand(folder, origin))
            .collect()
    }

    /// The library of this name for the same machine, in the first of the folders that has it. `path` is the file
    /// that asks for it.
    pub(super) fn find(
        root: &SystemRoot,
        name: &str,
        path: &str,
        machine: (u16, bool),
        folders: &[String],
    ) -> Result<Option<Located>, IoError> {
        let candidates: Vec<String> = if name.contains('/') {
            vec![expand(name, folder_of(path))]
        } else {
            folders
                .iter()
                .map(|folder| format!("{folder}/{name}"))
                .collect()
        };
        for candidate in candidates {
            let Some(located) = root.locate(&candidate)? else {
                continue;
            };
            if !root.outside(&located.path).is_file() {
                continue;
            }
            let facts = ElfFacts::parse(&root.read(&located.path)?);
            if facts.is_some_and(|facts| facts.machine == machine) {
                return Ok(Some(located));
            }
        }
        Ok(None)
    }
}

fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// The dynamic string tokens of ld.so(8).
pub(super) fn expand(folder: &str, origin: &str) -> String {
    [
        ("ORIGIN", origin),
        ("LIB", "lib/x86_64-linux-gnu"),
        ("PLATFORM", "x86_64"),
    ]
    .iter()
    .fold(folder.to_owned(), |text, (token, value)| {
        text.replace(&format!("${{{token}}}"), value)
            .replace(&format!("${token}"), value)
    })
}

/// Unreadable files count as absent, as they do for ldconfig(8).
fn read_configuration(root: &SystemRoot, path: &str, depth: usize, folders: &mut Vec<String>) {
    let Ok(Some(located)) = root.locate(path) else {
        return;
    };
    let Ok(content) = root.read(&located.path) else {
        return;
    };
    for line in String::from_utf8_lossy(&content).lines() {
        let line = line.split('#').next().unwrap_or_default().trim();
        let mut words = line.split_whitespace();
        match (words.next(), depth < DEEPEST_INCLUDE) {
            (Some("include"), true) => {
                for pattern in words {
                    include(root, pattern, depth, folders);
                }
            }
            (Some("include" | "hwcap") | None, _) => {}
            (Some(folder), _) => folders.push(folder.trim_end_matches('/').to_owned()),
        }
    }
}

fn include(root: &SystemRoot, pattern: &str, depth: usize, folders: &mut Vec<String>) {
    let pattern = match pattern.strip_prefix('/') {
        Some(absolute) => format!("/{absolute}"),
        None => format!("/etc/{pattern}"),
    };
    let Some((folder, file_pattern)) = pattern.rsplit_once('/') else {
        return;
    };
    for path in io::list(&root.outside(folder)).unwrap_or_default() {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if alias_matches(file_pattern, &name) {
            read_configuration(root, &format!("{folder}/{name}"), depth + 1, folders);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_runpath_hides_the_rpath_and_knows_its_origin() {
        let search = Search {
            configured: vec!["/opt/conf".to_owned()],
        };
        let mut facts = ElfFacts {
            rpath: vec!["/rpath".to_owned()],
            ..ElfFacts::default()
        };
        let folders = search.folders("/opt/bin/x", &facts, &["/parent".to_owned()]);
        assert_eq!(
            folders.get(..3).unwrap(),
            ["/rpath", "/parent", "/opt/conf"]
        );
        facts.runpath = vec!["$ORIGIN/../lib".to_owned(), "${ORIGIN}".to_owned()];
        let folders = search.folders("/opt/bin/x", &facts, &[]);
        assert_eq!(
            folders.get(..3).unwrap(),
            ["/opt/bin/../lib", "/opt/bin", "/opt/conf"]
        );
    }

    #[test]
    fn the_loader_configuration_is_read_with_its_includes() {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write(
            "etc/ld.so.conf",
            "include ld.so.conf.d/*.conf\n/opt/last/ # mine\n",
        );
        write(
            "etc/ld.so.conf.d/a.conf",
            "/opt/a\ninclude /etc/ld.so.conf\n",
        );
        write("etc/ld.so.conf.d/b.txt", "/opt/b\n");
        let search = Search::new(&SystemRoot::new(folder.path()));
        assert!(search.configured.contains(&"/opt/a".to_owned()));
        assert!(search.configured.contains(&"/opt/last".to_owned()));
        assert!(!search.configured.contains(&"/opt/b".to_owned()));
    }
}
