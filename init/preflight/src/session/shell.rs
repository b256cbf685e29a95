use std::fs::OpenOptions;
use std::os::unix::fs::{OpenOptionsExt, symlink};
use std::path::Path;
use std::process::{Child, Command};

use anyhow::{Context, Result, bail};
use nix::libc;

const BUSYBOX: &str = "/bin/busybox";

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
    // The program itself, as a person types it.
    if let Ok(own) = std::env::current_exe() {
        let _ = symlink(own, "/bin/preflight");
    }
    let mut command = Command::new(BUSYBOX);
    command.args(["setsid", "-c", BUSYBOX, "sh", "-c", WELCOME]);
    start_on(console, command)
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
        .stdin(open()?)
        .stdout(open()?)
        .stderr(open()?)
        .spawn()
        .with_context(|| format!("cannot start {BUSYBOX}"))
}
