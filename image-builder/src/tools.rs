//! Sets of programs that an image can carry by one name.

use crate::elf::SystemRoot;
use crate::io::IoError;

/// Programs of a system and the kernel modules that they work with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tool {
    /// What `--with` calls it.
    pub name: &'static str,
    /// Names of programs, looked for where a system keeps them.
    pub programs: &'static [&'static str],
    /// Kernel modules.
    pub modules: &'static [&'static str],
    /// The Debian packages that have the programs.
    pub packages: &'static [&'static str],
    /// The component of Debian that has them, where it is not main: few machines' sources name it.
    pub component: Option<&'static str>,
}

/// All that there are.
pub const TOOLS: [Tool; 6] = [
    Tool {
        name: "lvm",
        programs: &["lvm", "dmsetup"],
        modules: &[
            "dm_mod",
            "dm_snapshot",
            "dm_thin_pool",
            "dm_mirror",
            "dm_raid",
        ],
        packages: &["lvm2"],
        component: None,
    },
    Tool {
        name: "zfs",
        programs: &["zpool", "zfs", "mount.zfs"],
        modules: &["zfs"],
        packages: &["zfsutils-linux"],
        component: Some("contrib"),
    },
    Tool {
        name: "btrfs",
        programs: &["btrfs"],
        modules: &["btrfs"],
        packages: &["btrfs-progs"],
        component: None,
    },
    Tool {
        name: "mdadm",
        programs: &["mdadm"],
        modules: &["md_mod", "raid0", "raid1", "raid10", "raid456"],
        packages: &["mdadm"],
        component: None,
    },
    Tool {
        name: "cryptsetup",
        programs: &["cryptsetup"],
        modules: &["dm_crypt", "algif_skcipher", "algif_hash"],
        packages: &["cryptsetup-bin"],
        component: None,
    },
    Tool {
        name: "fsck",
        programs: &["e2fsck", "fsck.fat"],
        modules: &[],
        packages: &["e2fsprogs", "dosfstools"],
        component: None,
    },
];

const FOLDERS: [&str; 4] = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/// A tool cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ToolError {
    /// The file system said no.
    #[error(transparent)]
    Io(#[from] IoError),
    /// The name is not in the table.
    #[error("there is no tool '{name}'; there are: {}", names().join(" "))]
    Unknown {
        /// The asked name.
        name: String,
    },
    /// The system lacks a program of it.
    #[error(
        "the tool '{tool}' needs the program {program}; install the Debian package {packages}, or \
         name a system that has it with --system"
    )]
    NoProgram {
        /// The tool.
        tool: &'static str,
        /// The program.
        program: &'static str,
        /// The packages, as a person reads them.
        packages: String,
    },
}

impl Tool {
    /// The tool of this name.
    pub fn named(name: &str) -> Result<Self, ToolError> {
        TOOLS
            .into_iter()
            .find(|tool| tool.name == name)
            .ok_or_else(|| ToolError::Unknown {
                name: name.to_owned(),
            })
    }

    /// The paths of its programs in a system.
    pub fn programs_in(&self, root: &SystemRoot) -> Result<Vec<String>, ToolError> {
        let find = |program: &&'static str| {
            for folder in FOLDERS {
                let path = format!("{folder}/{program}");
                if root.locate(&path)?.is_some() {
                    return Ok(path);
                }
            }
            Err(ToolError::NoProgram {
                tool: self.name,
                program,
                packages: self.packages.join(" and "),
            })
        };
        self.programs.iter().map(find).collect()
    }
}

fn names() -> Vec<&'static str> {
    TOOLS.iter().map(|tool| tool.name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_name_gets_the_list_of_known_ones() {
        let error = Tool::named("zsf").unwrap_err().to_string();
        assert!(error.contains("lvm zfs btrfs"), "{error}");
    }

    #[test]
    fn a_missing_program_names_the_package() {
        let empty = tempfile::tempdir().unwrap();
        let lvm = Tool::named("lvm").unwrap();
        let error = lvm.programs_in(&SystemRoot::new(empty.path())).unwrap_err();
        assert!(error.to_string().contains("package lvm2"), "{error}");
    }
}
