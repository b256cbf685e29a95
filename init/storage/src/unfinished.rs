//! The folders in which runs grow, and what is to be done with those of runs that were interrupted.
//!
//! vfat's rename writes the new directory entry and erases the old one. Where the two lie in different sectors and
//! the power goes between them, both lead to the same clusters. To remove either folder would free what the other
//! has, and the kernel has no way of removing an entry alone, so such a folder stays as it is.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Name under which a run's folder grows until it is whole. No run is named so: their names have no dot, and end
/// with a number.
const NAME: &str = "UNFINISHED";

/// A folder that an interrupted run has left, and that may not be removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    /// It has the same files as another folder.
    Twin {
        /// Its name in the root.
        name: String,
        /// Name of the other folder.
        of: String,
    },
    /// It is not known whether it has: what cannot be found out is no leave to free clusters.
    Unread {
        /// Its name in the root.
        name: String,
        /// Why.
        why: String,
    },
}

/// Removes the folders in this root that interrupted runs have left, as far as that works, but for those whose
/// clusters another folder has too.
pub(crate) fn remove_all(root: &Path) -> Vec<Kept> {
    let names = names(root).unwrap_or_default();
    let mut kept = Vec::new();
    for name in names.iter().filter(|name| is_unfinished(name)) {
        let text = |name: &OsStr| name.to_string_lossy().into_owned();
        match twin_of(root, name, &names) {
            Ok(None) => {
                let _ = fs::remove_dir_all(root.join(name));
            }
            Ok(Some(of)) => kept.push(Kept::Twin {
                name: text(name),
                of: text(of),
            }),
            Err(error) => kept.push(Kept::Unread {
                name: text(name),
                why: error.to_string(),
            }),
        }
    }
    kept
}

/// The first folder that a run can grow in. Where the root cannot be read any more, making it says so.
pub(crate) fn free(root: &Path) -> PathBuf {
    let first = root.join(NAME);
    let next = (2_u32..).map(|n| root.join(format!("{NAME}.{n}")));
    std::iter::once(first.clone())
        .chain(next)
        .find(|folder| fs::symlink_metadata(folder).is_err())
        .unwrap_or(first)
}

fn is_unfinished(name: &OsStr) -> bool {
    let rest = name.to_str().and_then(|name| name.strip_prefix(NAME));
    rest.is_some_and(|rest| {
        rest.is_empty()
            || rest
                .strip_prefix('.')
                .is_some_and(|number| number.parse::<u32>().is_ok())
    })
}

fn is_absence(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

/// Which of these entries of the root is a folder on the clusters of this one.
fn twin_of<'a>(root: &Path, name: &OsStr, all: &'a [OsString]) -> io::Result<Option<&'a OsStr>> {
    for other in all.iter().filter(|other| *other != name) {
        if share(&root.join(name), &root.join(other))? {
            return Ok(Some(other));
        }
    }
    Ok(None)
}

/// Folders on the same clusters have the same entries. vfat knows a file by the place of its entry (`fat_iget` in
/// the kernel's fs/fat/inode.c), so that a file in both is one file.
fn share(one: &Path, other: &Path) -> io::Result<bool> {
    for name in names(one)? {
        // The number counts only as long as the file is open: the kernel makes it up when it meets the file.
        let here = File::open(one.join(&name))?;
        let there = match File::open(other.join(&name)) {
            Ok(there) => there,
            Err(error) if is_absence(&error) => continue,
            Err(error) => return Err(error),
        };
        let (here, there) = (here.metadata()?, there.metadata()?);
        if (here.dev(), here.ino()) == (there.dev(), there.ino()) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn names(folder: &Path) -> io::Result<Vec<OsString>> {
    let entries = fs::read_dir(folder)?;
    let mut names: Vec<OsString> = entries
        .map(|entry| Ok(entry?.file_name()))
        .collect::<io::Result<_>>()?;
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A root with these files, each with other contents.
    fn root(files: &[&str]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for file in files {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, file).unwrap();
        }
        root
    }

    /// One file by two names, which a folder's files are when two entries lead to its clusters.
    fn link(root: &Path, file: &str, also: &str) {
        fs::create_dir_all(root.join(also).parent().unwrap()).unwrap();
        fs::hard_link(root.join(file), root.join(also)).unwrap();
    }

    #[test]
    fn what_an_interrupted_run_has_left_is_removed_and_finished_runs_stay() {
        let files = [
            "LAB-1/SHA256SUMS",
            "UNFINISHED/SHA256SUMS",
            "UNFINISHED.2/a",
        ];
        let root = root(&files);
        assert_eq!(remove_all(root.path()), []);
        assert_eq!(names(root.path()).unwrap(), ["LAB-1"]);
        assert!(root.path().join("LAB-1/SHA256SUMS").exists());
        assert_eq!(free(root.path()), root.path().join("UNFINISHED"));
    }

    #[test]
    fn a_folder_whose_files_are_those_of_a_finished_run_stays_and_the_next_run_grows_beside_it() {
        let root = root(&["LAB-1/report.txt", "LAB-2/report.txt", "UNFINISHED.3/a"]);
        for file in ["report.txt", "SHA256SUMS"] {
            let (finished, unfinished) = (format!("LAB-2/{file}"), format!("UNFINISHED/{file}"));
            fs::write(root.path().join(&finished), file).unwrap();
            link(root.path(), &finished, &unfinished);
        }
        let twin = Kept::Twin {
            name: "UNFINISHED".to_owned(),
            of: "LAB-2".to_owned(),
        };
        assert_eq!(remove_all(root.path()), [twin]);
        assert_eq!(
            names(root.path()).unwrap(),
            ["LAB-1", "LAB-2", "UNFINISHED"]
        );
        assert!(root.path().join("UNFINISHED/report.txt").exists());
        assert_eq!(free(root.path()), root.path().join("UNFINISHED.2"));
    }

    #[test]
    fn a_folder_that_cannot_be_told_from_a_finished_run_stays() {
        let root = root(&["LAB-1/a"]);
        fs::create_dir(root.path().join("UNFINISHED")).unwrap();
        // An entry that nothing can be learnt of.
        std::os::unix::fs::symlink("a", root.path().join("UNFINISHED/a")).unwrap();
        let kept = remove_all(root.path());
        assert!(matches!(&kept[..], [Kept::Unread { .. }]), "{kept:?}");
        assert!(root.path().join("UNFINISHED").is_dir());
    }

    #[test]
    fn folders_of_other_names_are_never_removed() {
        let root = root(&["UNFINISHED-1/a", "UNFINISHED.txt", "UNFINISHEDS/a"]);
        let before = names(root.path()).unwrap();
        assert_eq!(remove_all(root.path()), []);
        assert_eq!(names(root.path()).unwrap(), before);
    }
}
