use std::collections::VecDeque;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use crate::io::{Context, IoError, read};

/// As many links as the kernel follows (path_resolution(7)).
const MOST_LINKS: usize = 40;

/// On a system with merged /usr these are links into /usr. No package that others depend on has the links: Debian's
/// are in base-files, so unpacked packages have only what they lead to.
const MERGED: [&str; 4] = ["bin", "sbin", "lib", "lib64"];

/// A system's root folder. Its links are followed as if it were the root: none leads outside. Where it has no `/lib64`
/// but a `/usr/lib64`, the one leads to the other, and so for the other folders of merged /usr.
#[derive(Debug, Clone)]
pub struct SystemRoot {
    folder: PathBuf,
}

/// Where a path leads inside a root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located {
    /// The file itself; an absolute path inside the root, without links in it.
    pub path: String,
    /// Links in the last place on the way: each where it is and where it leads.
    pub links: Vec<(String, String)>,
}

impl Located {
    /// The first thing on the way: a link or the file itself.
    pub fn entrance(&self) -> &str {
        self.links.first().map_or(&self.path, |(at, _)| at)
    }

    /// The folder that the entrance is in.
    pub fn folder(&self) -> &str {
        self.entrance()
            .rsplit_once('/')
            .map_or("", |(folder, _)| folder)
    }
}

impl SystemRoot {
    /// The system below this folder; `/` is the running one.
    pub fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
        }
    }

    /// The path of something in the root as the running system has it.
    pub fn outside(&self, path: &str) -> PathBuf {
        self.folder.join(path.trim_start_matches('/'))
    }

    /// The bytes of a file by its path without links.
    pub fn read(&self, path: &str) -> Result<Vec<u8>, IoError> {
        read(&self.outside(path))
    }

    /// Follows a path to its end; `None` when there is nothing.
    pub fn locate(&self, path: &str) -> Result<Option<Located>, IoError> {
        let mut left: VecDeque<String> = parts(path).collect();
        let mut current = String::new();
        let mut places = Vec::new();
        let mut links = 0;
        while let Some(part) = left.pop_front() {
            if part == ".." {
                current.truncate(current.rfind('/').unwrap_or(0));
                continue;
            }
            let next = format!("{current}/{part}");
            let outside = self.outside(&next);
            let target = match fs::symlink_metadata(&outside) {
                Ok(found) if found.is_symlink() => {
                    let target = fs::read_link(&outside).at("read", &outside)?;
                    let target = target.to_string_lossy().into_owned();
                    if left.is_empty() {
                        places.push((next, target.clone()));
                    }
                    target
                }
                Ok(_) => {
                    current = next;
                    continue;
                }
                Err(error) if is_absent(&error) => match self.merged(&next) {
                    Some(target) => target,
                    None => return Ok(None),
                },
                Err(error) => return Err(error).at("read", &outside),
            };
            links += 1;
            if links > MOST_LINKS {
                return Err(io::Error::other("too many links")).at("follow", &outside);
            }
            if target.starts_with('/') {
                current.clear();
            }
            for part in parts(&target).collect::<Vec<_>>().into_iter().rev() {
                left.push_front(part);
            }
        }
        Ok(Some(Located {
            links: absolute_links(places, &current),
            path: current,
        }))
    }

    /// Where an absent folder at the top would lead to.
    fn merged(&self, path: &str) -> Option<String> {
        let name = path.strip_prefix('/').filter(|it| MERGED.contains(it))?;
        let target = format!("usr/{name}");
        self.outside(&target).is_dir().then_some(target)
    }
}

/// A link that stays in its folder is kept as it is; another one may lead through folders that the
/// image does not have as links, so it gets the place where it ends.
fn absolute_links(places: Vec<(String, String)>, end: &str) -> Vec<(String, String)> {
    let ends: Vec<String> = places
        .iter()
        .skip(1)
        .map(|(at, _)| at.clone())
        .chain([end.to_owned()])
        .collect();
    places
        .into_iter()
        .zip(ends)
        .map(|((at, target), end)| {
            let kept = !target.contains('/');
            (at, if kept { target } else { end })
        })
        .collect()
}

fn parts(path: &str) -> impl Iterator<Item = String> {
    path.split('/')
        .filter(|part| !part.is_empty() && *part != ".")
        .map(str::to_owned)
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn root() -> (tempfile::TempDir, SystemRoot) {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("usr/lib/multi")).unwrap();
        symlink("usr/lib", folder.path().join("lib")).unwrap();
        fs::write(folder.path().join("usr/lib/multi/libx.so.1.2"), "x").unwrap();
        symlink("libx.so.1.2", folder.path().join("usr/lib/multi/libx.so.1")).unwrap();
        let root = SystemRoot::new(folder.path());
        (folder, root)
    }

    #[test]
    fn links_of_folders_are_followed_and_links_of_files_are_kept() {
        let (_folder, root) = root();
        let located = root.locate("/lib/multi/libx.so.1").unwrap().unwrap();
        assert_eq!(located.path, "/usr/lib/multi/libx.so.1.2");
        let link = (
            "/usr/lib/multi/libx.so.1".to_owned(),
            "libx.so.1.2".to_owned(),
        );
        assert_eq!(located.links, [link]);
    }

    #[test]
    fn a_link_to_elsewhere_leads_to_the_end_inside_the_root() {
        let (folder, root) = root();
        fs::create_dir(folder.path().join("lib64")).unwrap();
        symlink("/lib/multi/libx.so.1", folder.path().join("lib64/ld.so")).unwrap();
        let located = root.locate("/lib64/ld.so").unwrap().unwrap();
        assert_eq!(located.path, "/usr/lib/multi/libx.so.1.2");
        assert_eq!(located.links.first().unwrap().1, "/usr/lib/multi/libx.so.1");
    }

    #[test]
    fn unpacked_packages_need_no_links_of_merged_usr() {
        let (folder, root) = root();
        fs::remove_file(folder.path().join("lib")).unwrap();
        let located = root.locate("/lib/multi/libx.so.1").unwrap().unwrap();
        assert_eq!(located.path, "/usr/lib/multi/libx.so.1.2");
        assert_eq!(located.entrance(), "/usr/lib/multi/libx.so.1");
        assert_eq!(root.locate("/lib64/multi").unwrap(), None);
        // A folder of its own is none of those links.
        fs::create_dir(folder.path().join("lib")).unwrap();
        assert_eq!(root.locate("/lib/multi").unwrap(), None);
    }

    #[test]
    fn no_link_leads_out_or_around_for_ever() {
        let (folder, root) = root();
        symlink("../../../../etc/passwd", folder.path().join("out")).unwrap();
        symlink("round", folder.path().join("round")).unwrap();
        symlink("../sbin", folder.path().join("usr/sbin")).unwrap();
        assert_eq!(root.locate("/out").unwrap(), None);
        assert!(root.locate("/round").is_err());
        assert_eq!(root.locate("/nothing/here").unwrap(), None);
        assert_eq!(root.locate("/sbin").unwrap(), None);
    }
}
