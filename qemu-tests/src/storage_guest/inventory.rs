use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Every file of every file system on the disks, and what small volumes without one hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Inventory {
    /// By file system and path, `ext4 UUID:/etc/fstab`, what is there: kind, permission bits, owner and group;
    /// of a regular file its length, time of change in seconds since 1970 (0 on FAT) and SHA-256, of a link its target, of a
    /// device its numbers. Of a volume its SHA-256.
    pub files: BTreeMap<String, String>,
}

impl Inventory {
    /// What is not the same in `later`, a line for each: `- ` what was, `+ ` what is.
    pub fn difference(&self, later: &Self) -> Vec<String> {
        let mut names: Vec<&String> = self.files.keys().chain(later.files.keys()).collect();
        names.sort_unstable();
        names.dedup();
        let mut lines = Vec::new();
        for name in names {
            let (was, is) = (self.files.get(name), later.files.get(name));
            if was != is {
                lines.extend(was.map(|was| format!("- {name} {was}")));
                lines.extend(is.map(|is| format!("+ {name} {is}")));
            }
        }
        lines
    }

    /// Without the files for which `left_out` is true; it is given the path in their file system.
    pub fn without(mut self, left_out: impl Fn(&str) -> bool) -> Self {
        self.files.retain(|name, _| !left_out(path_of(name)));
        self
    }

    /// What is at this path, in whichever file systems.
    pub fn at<'a>(&'a self, path: &'a str) -> impl Iterator<Item = &'a str> {
        let here = self
            .files
            .iter()
            .filter(move |(name, _)| path_of(name) == path);
        here.map(|(_, what)| what.as_str())
    }
}

/// No name of a file system has a colon with a slash behind it.
fn path_of(name: &str) -> &str {
    name.split_once(":/")
        .map_or("", |(system, _)| &name[system.len() + 1..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inventory(files: &[(&str, &str)]) -> Inventory {
        let files = files.iter();
        Inventory {
            files: files
                .map(|(name, what)| ((*name).to_owned(), (*what).to_owned()))
                .collect(),
        }
    }

    #[test]
    fn what_changed_came_and_went_is_told() {
        let before = inventory(&[("ext4 a:/x", "1"), ("ext4 a:/y", "1"), ("vfat b:/x", "1")]);
        let after = inventory(&[("ext4 a:/x", "2"), ("vfat b:/x", "1"), ("vfat b:/z", "1")]);
        let expected = [
            "- ext4 a:/x 1",
            "+ ext4 a:/x 2",
            "- ext4 a:/y 1",
            "+ vfat b:/z 1",
        ];
        assert_eq!(before.difference(&after), expected);
        assert_eq!(before.difference(&before), Vec::<String>::new());
    }

    #[test]
    fn a_path_is_left_out_in_every_file_system() {
        let all = inventory(&[
            ("ext4 a:/x", "1"),
            ("ext4 a:/x:/y", "1"),
            ("vfat b:/x", "1"),
        ]);
        let rest = all.clone().without(|path| path == "/x");
        assert_eq!(rest.files.len(), 1);
        assert_eq!(all.at("/x").count(), 2);
    }
}
