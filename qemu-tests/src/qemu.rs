use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fmt, io};

use image_builder::apt::{self, AptError, Request};
use image_builder::cache::Cache;

/// The oldest version of which the private QEMU is of use: the first with vfio-user devices.
pub const NEEDED: Version = Version {
    major: 10,
    minor: 1,
};

/// First version that ends with the process that started it (`-run-with exit-with-parent=on`).
const EXITS_WITH_PARENT: Version = Version {
    major: 10,
    minor: 2,
};

/// What the private QEMU consists of, with everything it depends on, and where it comes from.
const PACKAGES: &[&str] = &["qemu-system-x86", "qemu-utils", "seabios", "ipxe-qemu"];
const SUITES: &[&str] = &["trixie", "trixie-backports"];

/// Folders of a QEMU installation that hold firmware and option ROMs, below its root.
const DATA_FOLDERS: &[&str] = &["usr/share/qemu", "usr/share/seabios", "usr/lib/ipxe/qemu"];

const SYSTEM: &str = "qemu-system-x86_64";
const LIBRARIES: &str = "usr/lib/x86_64-linux-gnu";
const LOADER: &str = "usr/lib64/ld-linux-x86-64.so.2";

/// Major and minor version of QEMU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// Raised each year.
    pub major: u32,
    /// 0 to 2.
    pub minor: u32,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// Why there is no QEMU to be had.
#[derive(Debug, thiserror::Error)]
pub enum QemuError {
    /// A program of it does not start.
    #[error("{program} does not start: {source}; install qemu-system-x86 or set PREFLIGHT_QEMU")]
    Start {
        /// The program.
        program: String,
        /// Why.
        source: io::Error,
    },
    /// The program started and did not say which version it is.
    #[error("{program} --version printed '{output}' instead of its version")]
    NoVersion {
        /// The program.
        program: String,
        /// What it printed.
        output: String,
    },
    /// Neither a private one nor the host's.
    #[error("no QEMU: {private}; and {host}")]
    None {
        /// Why there is no private one.
        private: Box<QemuError>,
        /// Why there is none on the host.
        host: Box<QemuError>,
    },
    /// Its packages could not be fetched.
    #[error("Debian's QEMU could not be fetched: {0}")]
    Fetch(#[from] AptError),
    /// The unpacked QEMU is too old for the lab.
    #[error("{root} holds QEMU {found}; the lab needs {NEEDED} or newer (trixie-backports has it)")]
    TooOld {
        /// Where it is.
        root: String,
        /// Its version.
        found: Version,
    },
}

/// A QEMU that starts here: one unpacked below a folder of its own, or the host's.
#[derive(Clone, Debug)]
pub struct Qemu {
    root: PathBuf,
    private: bool,
    version: Version,
}

impl Qemu {
    /// The QEMU to use: the one that `PREFLIGHT_QEMU` names; else Debian's newest, fetched into the cache
    /// the first time; else, with a word about it, the host's.
    pub fn obtain() -> Result<Self, QemuError> {
        if let Some(folder) = env::var_os("PREFLIGHT_QEMU") {
            return Self::unpacked(Path::new(&folder));
        }
        Self::private(false).or_else(|private| match Self::host() {
            Ok(host) => {
                eprintln!("note: {private}; using {}", host.place());
                Ok(host)
            }
            Err(host) => Err(QemuError::None {
                private: Box::new(private),
                host: Box::new(host),
            }),
        })
    }

    /// Debian's QEMU from its backports, in the cache. It stays the same until `renew` asks for what is
    /// current.
    pub fn private(renew: bool) -> Result<Self, QemuError> {
        let mut request = Request::new(PACKAGES.iter().copied())
            .from_debian(SUITES.iter().copied())
            .with_dependencies();
        request.renew = renew;
        let cache = Cache::open().map_err(AptError::from)?;
        Self::unpacked(&apt::cached_tree(&cache, &request)?)
    }

    /// A QEMU whose packages were unpacked below `folder/root` (or `folder` itself) and never installed:
    /// it runs with its own dynamic loader, libraries and modules.
    pub fn unpacked(folder: &Path) -> Result<Self, QemuError> {
        let nested = folder.join("root");
        let root = if nested.is_dir() {
            nested
        } else {
            folder.to_owned()
        };
        let version = version_of(&root, true)?;
        if version < NEEDED {
            return Err(QemuError::TooOld {
                root: root.display().to_string(),
                found: version,
            });
        }
        Ok(Self {
            root,
            private: true,
            version,
        })
    }

    /// The QEMU that is installed on this host.
    pub fn host() -> Result<Self, QemuError> {
        let root = PathBuf::from("/");
        let version = version_of(&root, false)?;
        Ok(Self {
            root,
            private: false,
            version,
        })
    }

    /// Its version.
    pub fn version(&self) -> Version {
        self.version
    }

    /// Whether it is new enough for all that the lab does; the host's may be older.
    pub fn is_recent(&self) -> bool {
        self.version >= NEEDED
    }

    /// Where it is, in words.
    pub fn place(&self) -> String {
        if self.private {
            format!("QEMU {} in {}", self.version, self.root.display())
        } else {
            format!("the host's QEMU {}", self.version)
        }
    }

    /// A firmware file or option ROM that comes with QEMU, such as `vgabios-ati.bin`.
    pub fn data_file(&self, name: &str) -> Option<PathBuf> {
        DATA_FOLDERS
            .iter()
            .map(|folder| self.root.join(folder).join(name))
            .find(|path| path.is_file())
    }

    /// The system emulator, ready for arguments.
    pub fn system(&self) -> Command {
        let mut command = program(&self.root, self.private, SYSTEM);
        if self.version < EXITS_WITH_PARENT {
            command = ending_with_parent(&command);
        }
        if self.private {
            for folder in DATA_FOLDERS {
                let folder = self.root.join(folder);
                if folder.is_dir() {
                    command.arg("-L").arg(folder);
                }
            }
        }
        if self.version >= EXITS_WITH_PARENT {
            command.args(["-run-with", "exit-with-parent=on"]);
        }
        command
    }

    /// One of its tools, such as `qemu-img`, ready for arguments.
    pub fn tool(&self, name: &str) -> Command {
        program(&self.root, self.private, name)
    }
}

fn program(root: &Path, private: bool, name: &str) -> Command {
    if !private {
        return Command::new(name);
    }
    let libraries = root.join(LIBRARIES);
    let mut command = Command::new(root.join(LOADER));
    command
        .arg("--library-path")
        .arg(&libraries)
        .arg(root.join("usr/bin").join(name))
        .env("QEMU_MODULE_DIR", libraries.join("qemu"));
    command
}

/// `command` with the kernel's promise that it is killed when the process that started it ends.
fn ending_with_parent(command: &Command) -> Command {
    let mut wrapped = Command::new("setpriv");
    wrapped
        .args(["--pdeathsig", "KILL"])
        .arg(command.get_program())
        .args(command.get_args());
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            wrapped.env(name, value);
        }
    }
    wrapped
}

fn version_of(root: &Path, private: bool) -> Result<Version, QemuError> {
    let mut command = program(root, private, SYSTEM);
    let name = command.get_args().last().map_or_else(
        || command.get_program().to_owned(),
        |argument: &OsStr| OsString::from(argument),
    );
    let name = name.to_string_lossy().into_owned();
    let output = command
        .arg("--version")
        .output()
        .map_err(|source| QemuError::Start {
            program: name.clone(),
            source,
        })?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    parse_version(&text).ok_or(QemuError::NoVersion {
        program: name,
        output: text + &String::from_utf8_lossy(&output.stderr),
    })
}

/// Reads `QEMU emulator version 11.1.3 (...)`.
fn parse_version(text: &str) -> Option<Version> {
    let number = text.split_once("version ")?.1.split_whitespace().next()?;
    let mut fields = number.split('.').map(str::parse);
    Some(Version {
        major: fields.next()?.ok()?,
        minor: fields.next()?.ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_read_from_what_qemu_prints() {
        let version = parse_version("QEMU emulator version 11.1.3 (Debian 1:11.1.3+ds-1)\n");
        assert_eq!(
            version,
            Some(Version {
                major: 11,
                minor: 1
            })
        );
        assert!(version.unwrap() > NEEDED);
        assert_eq!(parse_version("command not found"), None);
    }

    #[test]
    fn a_folder_without_qemu_is_an_error_that_says_what_to_do() {
        let empty = tempfile::tempdir().unwrap();
        let error = Qemu::unpacked(empty.path()).unwrap_err().to_string();
        assert!(error.contains("PREFLIGHT_QEMU"), "{error}");
    }
}
