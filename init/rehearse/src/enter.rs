//! The way into a root, in two steps: the first process makes the namespaces and mounts, its child is the first
//! one of its process namespace, takes the root as its own and becomes the program. When it ends, the kernel ends
//! whatever it has started.

use std::ffi::OsString;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;
use nix::unistd::{chdir, chroot, sethostname};
use serde::{Deserialize, Serialize};
use storage::Root;

use crate::Error;
use crate::surroundings::{Device, mount_all};

/// What a process has to do that was started to run a program in a root.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Orders {
    pub(crate) step: Step,
    pub(crate) root: PathBuf,
    pub(crate) devices: Vec<Device>,
    /// The command of this program that leads to [`enter`].
    pub(crate) entrance: Vec<String>,
    pub(crate) program: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Step {
    Surround,
    Become,
}

/// All that a program of another system needs to know of this one.
const ENVIRONMENT: [(&str, &str); 7] = [
    (
        "PATH",
        "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    ),
    ("HOME", "/root"),
    ("LC_ALL", "C"),
    ("TERM", "dumb"),
    ("DEBIAN_FRONTEND", "noninteractive"),
    ("SYSTEMD_OFFLINE", "1"),
    // It looks into every device, and makes new ones for that. The entries that it found before stay in the menu.
    ("GRUB_DISABLE_OS_PROBER", "true"),
];

/// What is of the whole machine in /proc, whichever namespace a process is in.
const KERNEL_SETTINGS: [&str; 2] = ["/proc/sys", "/proc/sysrq-trigger"];

/// Does what [`crate::InRoot`] started this process for; `orders` is the word that it gave. Gives the status that
/// the process ends with, or does not return. An error means that the program was not started.
pub fn enter(orders: &str) -> Result<i32, Error> {
    let mut orders: Orders =
        serde_json::from_str(orders).map_err(|error| Error::Words(error.to_string()))?;
    match orders.step {
        Step::Surround => {
            orders.step = Step::Become;
            surround(&orders)
        }
        Step::Become => Err(become_program(&orders)),
    }
}

fn surround(orders: &Orders) -> Result<i32, Error> {
    end_with_parent(&orders.root)?;
    let all = CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWPID
        | CloneFlags::CLONE_NEWNET
        | CloneFlags::CLONE_NEWIPC
        | CloneFlags::CLONE_NEWUTS;
    unshare(all).map_err(Error::errno("get namespaces for", &orders.root))?;
    let root = Root::open(&orders.root)?;
    mount_all(&root, &orders.devices)?;
    let this = Path::new("/proc/self/exe");
    let text = serde_json::to_string(orders).map_err(|error| Error::Words(error.to_string()))?;
    let status = Command::new(this)
        .args(&orders.entrance)
        .arg(text)
        .status()
        .map_err(Error::io("start", this))?;
    // As a shell says it: a signal above 128.
    Ok(status
        .code()
        .unwrap_or_else(|| 128 + status.signal().unwrap_or_default()))
}

/// Nobody is left to wait for it then, and what it works in is taken away.
fn end_with_parent(root: &Path) -> Result<(), Error> {
    set_pdeathsig(Signal::SIGKILL).map_err(Error::errno("tie to its parent what runs in", root))
}

/// Gives why it could not.
fn become_program(orders: &Orders) -> Error {
    let entered = || -> Result<(), Error> {
        let root = &orders.root;
        end_with_parent(root)?;
        chdir(root).map_err(Error::errno("enter", root))?;
        chroot(".").map_err(Error::errno("take as the root", root))?;
        chdir("/").map_err(Error::errno("enter", root))?;
        // Only now: the kernel shows the processes of the namespace of whoever mounts.
        let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
        mount(Some("proc"), "/proc", Some("proc"), flags, None::<&str>)
            .map_err(Error::errno("mount over", Path::new("/proc")))?;
        KERNEL_SETTINGS.iter().try_for_each(read_only)?;
        sethostname("preflight").map_err(Error::errno("name", root))
    };
    if let Err(error) = entered() {
        return error;
    }
    let Some((program, arguments)) = orders.program.split_first() else {
        return Error::Words("no program".to_owned());
    };
    let failed = Command::new(OsString::from(program))
        .args(arguments)
        .env_clear()
        .envs(ENVIRONMENT)
        .exec();
    Error::io("start", Path::new(program))(failed)
}

fn read_only(path: &&str) -> Result<(), Error> {
    let nothing = None::<&str>;
    let bound = mount(Some(*path), *path, nothing, MsFlags::MS_BIND, nothing);
    let flags = MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
    bound
        .and_then(|()| mount(nothing, *path, nothing, flags, nothing))
        .map_err(Error::errno("make read-only", Path::new(path)))
}
