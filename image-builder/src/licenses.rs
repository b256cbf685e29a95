//! The copyright files of the Debian packages that an image carries files of.

use std::collections::{BTreeMap, BTreeSet};

use crate::elf::SystemRoot;
use crate::io::{self, IoError};

const PACKAGE_LISTS: &str = "/var/lib/dpkg/info";

/// The copyright file of each package that owns one of the files; the packages are found in dpkg's
/// own lists, and a system without dpkg gives none.
pub fn copyrights<'a>(
    root: &SystemRoot,
    files: impl IntoIterator<Item = &'a str>,
) -> Result<BTreeMap<String, Vec<u8>>, IoError> {
    let files: BTreeSet<&str> = files.into_iter().map(without_usr).collect();
    let folder = root.outside(PACKAGE_LISTS);
    let mut found = BTreeMap::new();
    if files.is_empty() || !folder.is_dir() {
        return Ok(found);
    }
    for list in io::list(&folder)? {
        let name = list.file_name().unwrap_or_default().to_string_lossy();
        let Some(package) = name.strip_suffix(".list") else {
            continue;
        };
        // `libc6:amd64.list` is how several architectures are told apart.
        let package = package.split(':').next().unwrap_or(package);
        let owned = io::read(&list)?;
        let owned = String::from_utf8_lossy(&owned);
        if !owned.lines().any(|path| files.contains(without_usr(path))) {
            continue;
        }
        if let Some(text) = copyright(root, package)? {
            found.insert(package.to_owned(), text);
        }
    }
    Ok(found)
}

/// The copyright file of one package, which may be a link to another package's.
fn copyright(root: &SystemRoot, package: &str) -> Result<Option<Vec<u8>>, IoError> {
    match root.locate(&format!("/usr/share/doc/{package}/copyright"))? {
        Some(located) => Ok(Some(root.read(&located.path)?)),
        None => Ok(None),
    }
}

/// On merged-/usr systems the lists have `/lib/x` for what lies in `/usr/lib/x`.
fn without_usr(path: &str) -> &str {
    path.strip_prefix("/usr").unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_owner_of_a_file_gives_its_copyright() {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write(
            "var/lib/dpkg/info/libx1:amd64.list",
            "/.\n/lib/multi\n/lib/multi/libx.so.1.2\n",
        );
        write("var/lib/dpkg/info/other.list", "/.\n/usr/bin/other\n");
        write("usr/share/doc/libx1/copyright", "free\n");
        write("usr/share/doc/other/copyright", "free too\n");
        let root = SystemRoot::new(folder.path());
        let found = copyrights(&root, ["/usr/lib/multi/libx.so.1.2"]).unwrap();
        let expected = BTreeMap::from([("libx1".to_owned(), b"free\n".to_vec())]);
        assert_eq!(found, expected);
    }
}
