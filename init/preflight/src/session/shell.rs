use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::libc;

const BUSYBOX: &str = "/bin/busybox";

/// What lvm calls, and from then on the kernel, for the modules that they need: before, this program alone loads some.
const MODPROBE: &str = "/sbin/modprobe";

/// Files that programs look for which a person calls.
const FILES: [(&str, &str); 2] = [
    // No udev makes nodes here, nor dmeventd watches, and no program checks thin pools (lvm.conf(5)).
    (
        "/etc/lvm/lvm.conf",
        "activation { udev_sync = 0 udev_rules = 0 monitoring = 0 }\n\
         devices { obtain_device_list_from_udev = 0 external_device_info_source = \"none\" }\n\
         global { use_lvmpolld = 0 event_activation = 0 thin_check_executable = \"\" cache_check_executable = \"\" }\n",
    ),
    // What mount tries where no type is named: the kernel itself names those alone that it has loaded.
    (
        "/etc/filesystems",
        "ext4\nvfat\nxfs\nbtrfs\niso9660\nexfat\nntfs3\n",
    ),
];

/// Programs that somebody added to the image lie where their own system has them.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

const WELCOME: &str = "echo; echo 'A shell of Preflight. Disks that it has made ready are held read-only \
                       in the kernel,'; echo 'all but the stick: blockdev --getro /dev/DISK says 1. \
                       preflight systems shows what'; echo 'is installed on them. Type exit to leave.'; exec /bin/busybox sh";

/// Starts a shell on a console, with job control.
pub fn start(console: &Path) -> Result<Child> {
    if !Path::new(BUSYBOX).exists() {
        bail!(
            "this image carries no shell; build it with --busybox FILE, which `image-builder fetch busybox` names"
        );
    }
    // Every applet by its own name; one that is there already is no error.
    let _ = Command::new(BUSYBOX)
        .args(["--install", "-s", "/bin"])
        .status();
    make_at_home();
    let mut command = Command::new(BUSYBOX);
    command.args(["setsid", "-c", BUSYBOX, "sh", "-c", WELCOME]);
    start_on(console, command)
}

/// Makes what programs look for that a person calls. A file that is there already stays; one that cannot be made is
/// missed by its program alone.
fn make_at_home() {
    if let Ok(own) = std::env::current_exe() {
        let _ = symlink(own, "/bin/preflight");
    }
    let _ = fs::create_dir_all("/sbin");
    let _ = symlink(BUSYBOX, MODPROBE);
    let _ = fs::write("/proc/sys/kernel/modprobe", MODPROBE);
    for (path, text) in FILES {
        if let Some(folder) = Path::new(path).parent() {
            let _ = fs::create_dir_all(folder);
        }
        let new = OpenOptions::new().write(true).create_new(true).open(path);
        let _ = new.and_then(|mut file| file.write_all(text.as_bytes()));
    }
}

/// A shell on each of these consoles, until somebody leaves one of them. `complain` hears why one did not start.
pub fn on_every(consoles: &[PathBuf], complain: &mut dyn FnMut(anyhow::Error)) {
    let mut running = Vec::new();
    for console in consoles {
        match start(console) {
            Ok(shell) => running.push(shell),
            Err(error) => complain(error),
        }
    }
    let has_ended = |shell: &mut Child| !matches!(shell.try_wait(), Ok(None));
    while !running.is_empty() && !running.iter_mut().any(has_ended) {
        thread::sleep(Duration::from_millis(200));
    }
    for mut shell in running {
        let _ = shell.kill();
        let _ = shell.wait();
    }
}

/// Starts this very program on a console, with the console as its own.
pub fn start_own(console: &Path, arguments: &[&str]) -> Result<Child> {
    let own = std::env::current_exe().context("this program cannot be found")?;
    let mut command = Command::new(BUSYBOX);
    command.args(["setsid", "-c"]).arg(own).args(arguments);
    start_on(console, command)
}

fn start_on(console: &Path, mut command: Command) -> Result<Child> {
    let open = || {
        OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(libc::O_NOCTTY)
            .open(console)
            .with_context(|| format!("cannot open {}", console.display()))
    };
    command
        .env_clear()
        .env("PATH", PATH)
        .env("HOME", "/")
        .env("TERM", "linux")
        .env("PS1", "preflight# ")
        .env("ZFS_MODULE_LOADING", "yes")
        .stdin(open()?)
        .stdout(open()?)
        .stderr(open()?)
        .spawn()
        .with_context(|| format!("cannot start {BUSYBOX}"))
}
