use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::kernel::MODULE_FOLDERS;
use crate::io::{IoError, read};

/// What the kernel says of its release (proc_sys_kernel(5)).
const RELEASE: &str = "proc/sys/kernel/osrelease";

/// The kernel that a machine runs, with its modules: on a Proxmox machine, ZFS among them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostKernel {
    /// The machine's root folder, a tree with `boot/` and `lib/modules/`.
    pub root: PathBuf,
    /// The release as `uname -r` says it.
    pub release: String,
}

/// The machine's kernel cannot be taken.
#[derive(Debug, thiserror::Error)]
pub enum HostKernelError {
    /// Which one it is cannot be read.
    #[error(
        "cannot tell which kernel this machine runs; name one of those below /lib/modules with --release"
    )]
    Release(#[source] IoError),
    /// It has no modules.
    #[error(
        "this machine has no modules of kernel {release} (looked for {places}). A kernel that was upgraded since the \
         machine started is gone after the upgrade: restart the machine, choose an installed kernel with --release, \
         or give the kernel's package: --kernel FILE.deb"
    )]
    NoModules {
        /// Of the kernel.
        release: String,
        /// Where they should be.
        places: String,
    },
    /// The modules are there but the kernel itself is not.
    #[error(
        "this machine has the modules of kernel {release}, but not the kernel itself (looked for {places}). Is /boot \
         mounted? Or give the kernel's package: --kernel FILE.deb"
    )]
    NoImage {
        /// Of the kernel.
        release: String,
        /// Where it should be.
        places: String,
    },
    /// It is there and may not be read.
    #[error(
        "cannot read {} of this machine's kernel. Where only root may read it, run this as root, or give the kernel's \
         package: --kernel FILE.deb",
        path.display()
    )]
    Unreadable {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl HostKernel {
    /// The running kernel of the machine whose root folder this is, or its kernel of another release; only where the
    /// kernel and its modules are there and can be read.
    pub fn find(root: &Path, release: Option<&str>) -> Result<Self, HostKernelError> {
        let release = match release {
            Some(release) => release.to_owned(),
            None => {
                let text = read(&root.join(RELEASE)).map_err(HostKernelError::Release)?;
                String::from_utf8_lossy(&text).trim().to_owned()
            }
        };
        let folders = MODULE_FOLDERS.map(|folder| root.join(folder).join(&release));
        let modules = first_readable(&folders, |path| fs::read_dir(path).map(drop))?;
        modules.ok_or_else(|| HostKernelError::NoModules {
            release: release.clone(),
            places: places(&folders),
        })?;
        let [one, other] = folders;
        let images = [
            root.join("boot").join(format!("vmlinuz-{release}")),
            one.join("vmlinuz"),
            other.join("vmlinuz"),
        ];
        let image = first_readable(&images, |path| {
            io::Read::read(&mut File::open(path)?, &mut [0; 1]).map(drop)
        })?;
        image.ok_or_else(|| HostKernelError::NoImage {
            release: release.clone(),
            places: places(&images),
        })?;
        Ok(Self {
            root: root.to_owned(),
            release,
        })
    }
}

fn first_readable(
    paths: &[PathBuf],
    look: impl Fn(&Path) -> io::Result<()>,
) -> Result<Option<()>, HostKernelError> {
    for path in paths {
        match look(path) {
            Ok(()) => return Ok(Some(())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => {
                let path = path.clone();
                return Err(HostKernelError::Unreadable { path, source });
            }
        }
    }
    Ok(None)
}

fn places(paths: &[PathBuf]) -> String {
    let paths: Vec<String> = paths
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    paths.join(", ")
}
