use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::capture::Recording;
use crate::tree::{Image, Recorder, Tree};
use crate::{Error, Reading};

/// Where a machine is read from: the running one, a folder with a copy of another one's /sys, or a
/// capture.
pub struct Source {
    live: bool,
    complete: bool,
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
    /// One of these, while everything that is read is written down.
    Recorded(Box<LogSource>, Recorder),
    /// What was written down, and where it had been read.
    Image(Arc<Image>, String),
}

/// Name of the saved kernel log beside a copy of /sys.
pub(crate) const LOG_FILE: &str = "kernel.log";
/// Names of the folders in a capture.
pub(crate) const SYS: &str = "sys";
pub(crate) const PROC: &str = "proc";
/// The list of functions, without which there is no machine.
pub(crate) const FUNCTIONS: &str = "bus/pci/devices";

impl Source {
    /// The running machine.
    pub fn live() -> Self {
        Self {
            live: true,
            complete: true,
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
            complete: false,
            sys: Some(sys),
            proc: tree.folder("proc").ok(),
            log: LogSource::File(tree),
        })
    }

    /// The folders of a capture.
    pub(crate) fn capture(
        complete: bool,
        sys: Option<Tree>,
        proc: Option<Tree>,
        log: LogSource,
    ) -> Self {
        Self {
            live: false,
            complete,
            sys,
            proc,
            log,
        }
    }

    /// The same source, and a recording of all that is read of it from now on. What was read once is not
    /// read again: a recorded source is for one reading of the machine.
    pub fn record(self) -> (Self, Recording) {
        let recorder = Recorder::default();
        let name = |tree: &Tree| tree.path().display().to_string();
        let recording = Recording {
            recorder: recorder.clone(),
            complete: self.complete,
            sys: self.sys.as_ref().map(name),
            proc: self.proc.as_ref().map(name),
            log: self.log.name(),
        };
        let recorded = Self {
            sys: self.sys.map(|tree| tree.recorded(&recorder, SYS)),
            proc: self.proc.map(|tree| tree.recorded(&recorder, PROC)),
            log: LogSource::Recorded(Box::new(self.log), recorder),
            ..self
        };
        (recorded, recording)
    }

    /// Whether it is the running machine.
    pub fn is_live(&self) -> bool {
        self.live
    }

    /// Whether what is not in it was not on the machine either. A folder may only lack what was not
    /// copied.
    pub(crate) fn is_complete(&self) -> bool {
        self.complete
    }

    /// The tree of /sys.
    pub(crate) fn sys(&self) -> Result<&Tree, Error> {
        self.sys.as_ref().ok_or_else(|| Error::NoFunctions {
            path: Path::new("/sys").join(FUNCTIONS),
            cause: io::ErrorKind::NotFound.into(),
        })
    }

    /// What became of an attempt at something that a kernel may or may not show: not found is absent on
    /// the running machine and in a capture of it, and unknown in a folder, where it may only not have
    /// been copied.
    pub(crate) fn reading<T>(&self, tree: &Tree, path: &str, result: io::Result<T>) -> Reading<T> {
        if self.complete {
            tree.reading(path, result)
        } else {
            tree.expected(path, result)
        }
    }

    /// A file of /proc, at most `limit` bytes of it.
    pub(crate) fn proc_text(&self, path: &str, limit: usize) -> Reading<String> {
        let Some(proc) = &self.proc else {
            let place = if self.complete {
                "/proc is not mounted"
            } else {
                "the folder has no proc/"
            };
            return Reading::unknown(format!("{place}: {path} was not read"));
        };
        let text = proc.bytes(path, limit);
        let text = text.map(|bytes| String::from_utf8_lossy(&bytes).trim_end().to_owned());
        proc.expected(path, text)
    }
}
