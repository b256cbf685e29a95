//! The Debian packages that the files of an image come from, with their copyright files.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::{BufRead, BufReader};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use serde::{Deserialize, Serialize};

use crate::elf::SystemRoot;
use crate::io::{self, IoError};
use crate::parallel;

const PACKAGE_LISTS: &str = "/var/lib/dpkg/info";
/// Where packages document themselves, each in a folder of its name.
pub(crate) const DOCUMENTS: &str = "usr/share/doc";
/// The licences of a package, in its folder.
pub(crate) const COPYRIGHT: &str = "copyright";
/// Where a package's own history begins with its source package and version. The first one that is there counts:
/// what was only rebuilt has a file of its own for that.
pub const CHANGELOGS: [&str; 3] = [
    "changelog.Debian.amd64.gz",
    "changelog.Debian.gz",
    "changelog.gz",
];

/// A package that an image has files of.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Package {
    /// Name and version of its source package, as its changelog has them: `glibc 2.36-9+deb12u14`.
    pub source: Option<String>,
    /// The licences that its copyright file names, in Debian's short names; none where that is no file for
    /// machines, as many are not.
    pub licenses: BTreeSet<String>,
}

/// Packages and their files in one system.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// Their copyright files.
    pub texts: BTreeMap<String, Vec<u8>>,
    /// What is known of them.
    pub packages: BTreeMap<String, Package>,
    /// Which of the files that were asked for is of which package.
    pub owners: BTreeMap<String, String>,
}

impl Package {
    /// From a copyright file and the packed changelog.
    pub fn new(copyright: &[u8], changelog: Option<&[u8]>) -> Self {
        Self {
            source: changelog.and_then(source),
            licenses: licenses(copyright),
        }
    }

    /// Of the package of this name whose files lie in `root`.
    pub fn unpacked(root: &Path, name: &str) -> Result<Self, IoError> {
        let folder = root.join(DOCUMENTS).join(name);
        let mut changelogs = CHANGELOGS.iter().map(|name| folder.join(name));
        let changelog = changelogs.find(|path| path.exists());
        let changelog = changelog.map(|path| io::read(&path)).transpose()?;
        let copyright = io::read(&folder.join(COPYRIGHT))?;
        Ok(Self::new(&copyright, changelog.as_deref()))
    }
}

/// `glibc (2.36-9+deb12u14) bookworm; urgency=medium` is how a changelog begins (deb-changelog(5)).
fn source(changelog: &[u8]) -> Option<String> {
    const LONGEST: u64 = 1024;
    let mut line = String::new();
    let plain = std::io::Read::take(MultiGzDecoder::new(changelog), LONGEST);
    BufReader::new(plain).read_line(&mut line).ok()?;
    let (name, rest) = line.split_once(" (")?;
    let (version, _) = rest.split_once(')')?;
    Some(format!("{name} {version}"))
}

/// The short names in a copyright file for machines (debian.org/doc/packaging-manuals/copyright-format/1.0).
fn licenses(copyright: &[u8]) -> BTreeSet<String> {
    let text = String::from_utf8_lossy(copyright);
    if !text.trim_start().starts_with("Format:") {
        return BTreeSet::new();
    }
    let names = text
        .lines()
        .filter_map(|line| line.strip_prefix("License:"));
    let names = names.map(str::trim).filter(|name| !name.is_empty());
    names.map(str::to_owned).collect()
}

/// The packages that own these files of a system, by dpkg's own lists; a system without dpkg has none.
pub fn packages<'a>(
    root: &SystemRoot,
    files: impl IntoIterator<Item = &'a str>,
) -> Result<Found, IoError> {
    let files: HashMap<&[u8], &str> = files
        .into_iter()
        .map(|file| (without_usr(file.as_bytes()), file))
        .collect();
    let folder = root.outside(PACKAGE_LISTS);
    let mut found = Found::default();
    if files.is_empty() || !folder.is_dir() {
        return Ok(found);
    }
    let lists = parallel::map(&io::list(&folder)?, |list| owned_by(list, &files));
    for list in lists {
        let Some((package, owned)) = list? else {
            continue;
        };
        let owners = owned.into_iter().map(|file| (file, package.clone()));
        found.owners.extend(owners);
        let copyright = document(root, &package, "copyright")?;
        let mut changelog = None;
        for name in CHANGELOGS {
            changelog = match changelog {
                None => document(root, &package, name)?,
                some => some,
            };
        }
        let text = copyright.as_deref().unwrap_or_default();
        let known = Package::new(text, changelog.as_deref());
        found.packages.insert(package.clone(), known);
        if let Some(text) = copyright {
            found.texts.insert(package, text);
        }
    }
    Ok(found)
}

/// The package that this is dpkg's list of, and which of the files it owns; none where that is none of them.
fn owned_by(
    list: &Path,
    files: &HashMap<&[u8], &str>,
) -> Result<Option<(String, Vec<String>)>, IoError> {
    let name = list.file_name().unwrap_or_default().to_string_lossy();
    let Some(package) = name.strip_suffix(".list") else {
        return Ok(None);
    };
    // `libc6:amd64.list` is how several architectures are told apart.
    let package = package.split(':').next().unwrap_or(package);
    let text = io::read(list)?;
    let lines = text.split(|&byte| byte == b'\n');
    let owned: Vec<String> = lines
        .filter_map(|path| files.get(without_usr(path)))
        .map(|&file| file.to_owned())
        .collect();
    Ok((!owned.is_empty()).then(|| (package.to_owned(), owned)))
}

/// A file about one package, which may be a link to another package's.
fn document(root: &SystemRoot, package: &str, name: &str) -> Result<Option<Vec<u8>>, IoError> {
    match root.locate(&format!("/usr/share/doc/{package}/{name}"))? {
        Some(located) => Ok(Some(root.read(&located.path)?)),
        None => Ok(None),
    }
}

/// On merged-/usr systems the lists have `/lib/x` for what lies in `/usr/lib/x`.
fn without_usr(path: &[u8]) -> &[u8] {
    path.strip_prefix(b"/usr").unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;

    use super::*;

    #[test]
    fn the_owner_of_a_file_gives_its_copyright_licences_and_version() {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &[u8]| {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write(
            "var/lib/dpkg/info/libx1:amd64.list",
            b"/.\n/lib/multi\n/lib/multi/libx.so.1.2\n",
        );
        write("var/lib/dpkg/info/other.list", b"/.\n/usr/bin/other\n");
        let copyright =
            b"Format: 1.0\n\nFiles: *\nLicense: GPL-2+\n\nLicense: GPL-2+\n long text\n";
        write("usr/share/doc/libx1/copyright", copyright);
        write("usr/share/doc/other/copyright", b"free too\n");
        let mut changelog = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        changelog
            .write_all(b"libx (1.2-3) unstable; urgency=low\n\n  * New.\n")
            .unwrap();
        write(
            "usr/share/doc/libx1/changelog.Debian.gz",
            &changelog.finish().unwrap(),
        );
        let root = SystemRoot::new(folder.path());
        let file = "/usr/lib/multi/libx.so.1.2";
        let found = packages(&root, [file]).unwrap();
        assert_eq!(
            found.texts,
            BTreeMap::from([("libx1".to_owned(), copyright.to_vec())])
        );
        assert_eq!(
            found.owners,
            BTreeMap::from([(file.to_owned(), "libx1".to_owned())])
        );
        let known = &found.packages["libx1"];
        assert_eq!(known.source.as_deref(), Some("libx 1.2-3"));
        assert_eq!(known.licenses, BTreeSet::from(["GPL-2+".to_owned()]));
    }

    #[test]
    fn a_copyright_file_for_people_names_no_licence_to_a_machine() {
        let known = Package::new(b"This is free.\nLicense: see below\n", Some(b"damaged"));
        assert_eq!(known, Package::default());
    }
}
