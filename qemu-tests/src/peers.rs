//! The builders that Debian itself has, in a Debian of their own, with the kernel that our image is made
//! of: mkinitramfs and dracut-core.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use image_builder::cache::Cache;

/// Counts changes of what is put into the root.
const FORMAT: u32 = 1;

/// Packages beside Debian's minimum; what both builders need to make a bootable initramfs.
const PACKAGES: &str = "initramfs-tools,dracut-core,zstd,busybox,kmod,udev";

/// A line of the kernel log that Debian's initrd writes right before it starts its shell.
pub const SHELL_MARK: &str = "bench: the shell starts";

/// A Debian root folder with the kernel unpacked in it.
pub struct Peers {
    root: PathBuf,
    release: String,
}

impl Peers {
    /// Makes the root with debootstrap, or takes the cached one. Needs root, for the chroot.
    pub fn prepare(cache: &Cache, kernel: &Path) -> Result<Self> {
        ensure!(
            nix::unistd::geteuid().is_root(),
            "needs root: the peers run in a chroot"
        );
        let kernel_name = kernel
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let inputs = format!("{FORMAT} {PACKAGES} {kernel_name}");
        let root = cache.entry("bench-root", inputs, |root| fill(root, kernel))?;
        let release = only_name(&root.join("lib/modules"))?;
        Ok(Self { root, release })
    }

    /// The root: a folder with boot/ and lib/modules.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// `mkinitramfs` with Debian's settings, writing to `file` inside the root.
    pub fn mkinitramfs(&self, file: &str) -> Command {
        self.command(&["mkinitramfs", "-o", file, &self.release])
    }

    /// `mkinitramfs` with these modules and what they depend on, writing to `file` inside the root.
    pub fn mkinitramfs_of(&self, modules: &[String], file: &str) -> Result<Command> {
        const SETTINGS: &str = "etc/initramfs-bench";
        let folder = self.root.join(SETTINGS);
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        let usual = self.root.join("etc/initramfs-tools");
        run(Command::new("cp").arg("-a").arg(&usual).arg(&folder))?;
        let settings = folder.join("initramfs.conf");
        let text = fs::read_to_string(&settings)?;
        let lines = text.lines().filter(|line| !line.starts_with("MODULES="));
        let lines: Vec<&str> = lines.chain(["MODULES=list"]).collect();
        fs::write(&settings, lines.join("\n") + "\n")?;
        fs::write(folder.join("modules"), modules.join("\n") + "\n")?;
        let settings = format!("/{SETTINGS}");
        Ok(self.command(&["mkinitramfs", "-d", &settings, "-o", file, &self.release]))
    }

    /// `dracut` for any machine, writing to `file` inside the root.
    pub fn dracut(&self, file: &str) -> Command {
        self.command(&[
            "dracut",
            "--quiet",
            "--force",
            "--no-hostonly",
            "--kver",
            &self.release,
            file,
        ])
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new("unshare");
        let script =
            "mount -t proc proc \"$0/proc\" && mount --bind /dev \"$0/dev\" && exec chroot \"$@\"";
        command
            .args(["--mount", "sh", "-ec", script])
            .arg(&self.root)
            .arg(&self.root)
            .args(words);
        command
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .stdin(Stdio::null());
        command
    }
}

fn fill(root: &Path, kernel: &Path) -> Result<()> {
    let mirror = mirror()?;
    let suite = suite()?;
    run(Command::new("debootstrap")
        .args([
            "--variant=minbase",
            &format!("--include={PACKAGES}"),
            &suite,
        ])
        .arg(root)
        .arg(mirror))?;
    // dpkg-deb -x would put a folder in place of the link from /lib to /usr/lib.
    let unpack = "dpkg-deb --fsys-tarfile \"$0\" | tar -x --keep-directory-symlink -C \"$1\"";
    run(Command::new("sh")
        .args(["-ec", unpack])
        .arg(kernel)
        .arg(root))?;
    let release = only_name(&root.join("lib/modules"))?;
    run(Command::new("chroot").arg(root).args(["depmod", &release]))?;
    // It runs in the initrd when a shell is about to be given.
    let folder = root.join("etc/initramfs-tools/scripts/panic");
    fs::create_dir_all(&folder)?;
    let script = folder.join("bench-mark");
    let mut file = fs::File::create(&script)?;
    writeln!(
        file,
        "#!/bin/sh\n[ \"$1\" = prereqs ] && exit 0\necho '<5>{SHELL_MARK}' >/dev/kmsg"
    )?;
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755))?;
    Ok(())
}

/// The mirror that the machine's apt uses.
fn mirror() -> Result<String> {
    let output = Command::new("apt-get")
        .args([
            "indextargets",
            "--format",
            "$(SITE)",
            "Created-By: Packages",
        ])
        .output()
        .context("cannot ask apt-get for its mirror")?;
    let sites = String::from_utf8_lossy(&output.stdout).into_owned();
    let site = sites
        .lines()
        .find(|site| site.trim_end_matches('/').ends_with("/debian"));
    site.map(str::to_owned)
        .context("apt names no mirror of Debian")
}

fn suite() -> Result<String> {
    let text = fs::read_to_string("/etc/os-release").context("cannot read /etc/os-release")?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("VERSION_CODENAME="));
    line.map(str::to_owned)
        .context("/etc/os-release names no code name")
}

fn run(command: &mut Command) -> Result<()> {
    let output = command
        .output()
        .with_context(|| format!("cannot start {command:?}"))?;
    if !output.status.success() {
        bail!(
            "{command:?} failed:\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(())
}

fn only_name(folder: &Path) -> Result<String> {
    let mut names =
        fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let name = names
        .next()
        .with_context(|| format!("{} is empty", folder.display()))??
        .file_name();
    name.into_string()
        .ok()
        .context("a kernel release is no text")
}
