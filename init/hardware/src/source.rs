use std::io;
use std::path::Path;

use crate::tree::Tree;
use crate::{Error, Reading};

/// Where a machine is read from: the running one, or a folder with a copy of another one's /sys.
pub struct Source {
    live: bool,
    pub(crate) sys: Option<Tree>,
    pub(crate) proc: Option<Tree>,
    pub(crate) log: LogSource,
}

/// Where the kernel log is.
pub(crate) enum LogSource {
    /// /dev/kmsg of the running kernel.
    Kmsg,
    /// A text file beside the copy of /sys.
    File(Tree),
}

/// Name of the saved kernel log beside a copy of /sys.
pub(crate) const LOG_FILE: &str = "kernel.log";
/// The list of functions, without which there is no machine.
pub(crate) const FUNCTIONS: &str = "bus/pci/devices";

impl Source {
    /// The running machine.
    pub fn live() -> Self {
        Self {
            live: true,
            sys: Tree::open(Path::new("/sys")).ok(),
            proc: Tree::open(Path::new("/proc")).ok(),
            log: LogSource::Kmsg,
        }
    }

    /// A folder that holds a copy of /sys, or of its parts, with `proc/` and `kernel.log` beside where
    /// there are any: either all in one (`ROOT/bus`, `ROOT/proc`) or with a `sys` of its own
    /// (`ROOT/sys/bus`, `ROOT/proc`). Nothing outside the folder is ever opened.
    ///
    /// # Errors
    /// [`Error::NotLikeSys`] names what is missing.
    pub fn folder(root: &Path) -> Result<Self, Error> {
        let open = |path: &Path| {
            Tree::open(path).map_err(|cause| Error::Open {
                path: path.to_owned(),
                cause,
            })
        };
        let tree = open(root)?;
        let sys = if tree.folder(FUNCTIONS).is_ok() {
            open(root)?
        } else {
            tree.folder("sys")
                .ok()
                .filter(|sys| sys.folder(FUNCTIONS).is_ok())
                .ok_or_else(|| Error::NotLikeSys {
                    path: root.to_owned(),
                    missing: FUNCTIONS,
                })?
        };
        Ok(Self {
            live: false,
            sys: Some(sys),
            proc: tree.folder("proc").ok(),
            log: LogSource::File(tree),
        })
    }

    /// Whether it is the running machine.
    pub fn is_live(&self) -> bool {
        self.live
    }

    /// The tree of /sys.
    pub(crate) fn sys(&self) -> Result<&Tree, Error> {
        self.sys.as_ref().ok_or_else(|| Error::NoFunctions {
            path: Path::new("/sys").join(FUNCTIONS),
            cause: io::ErrorKind::NotFound.into(),
        })
    }

    /// What became of an attempt at something that a kernel may or may not show: not found is absent on
    /// the running machine, and unknown in a folder, where it may only not have been copied.
    pub(crate) fn reading<T>(&self, tree: &Tree, path: &str, result: io::Result<T>) -> Reading<T> {
        if self.live {
            tree.reading(path, result)
        } else {
            tree.expected(path, result)
        }
    }

    /// A file of /proc, at most `limit` bytes of it.
    pub(crate) fn proc_text(&self, path: &str, limit: usize) -> Reading<String> {
        let Some(proc) = &self.proc else {
            let place = if self.live {
                "/proc is not mounted"
            } else {
                "the folder has no proc/"
            };
            return Reading::Unknown(format!("{place}: {path} was not read"));
        };
        let text = proc.bytes(path, limit);
        let text = text.map(|bytes| String::from_utf8_lossy(&bytes).trim_end().to_owned());
        proc.expected(path, text)
    }
}
