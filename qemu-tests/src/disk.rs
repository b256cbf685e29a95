//! Internal disks as images: what the tool must not write to.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::{gpt, sha256_of_file};

/// Block of the file system that the journal will write to when it is replayed.
const REPLAYED_BLOCK: u32 = 2000;

/// Bytes of the file system.
const LENGTH: u64 = 32 << 20;

/// An internal disk: a raw image.
#[derive(Debug)]
pub struct Disk {
    path: PathBuf,
}

impl Disk {
    /// A disk with a GPT and one partition of zeros.
    pub fn blank(folder: &Path, name: &str) -> io::Result<Self> {
        let path = folder.join(format!("{name}.img"));
        gpt::write_disk(&path, gpt::LINUX_DATA, name, &vec![0; 8 << 20])?;
        Ok(Self { path })
    }

    /// A disk with a GPT and one partition that holds an ext4 whose machine was switched off: the journal
    /// has a committed transaction, and the next mount, even a read-only one, replays it onto the disk.
    /// Made with `mke2fs` and `debugfs` of e2fsprogs.
    pub fn dirty_ext4(folder: &Path, name: &str) -> io::Result<Self> {
        let volume = folder.join(format!("{name}.ext4"));
        let contents = tempfile::tempdir()?;
        fs::write(contents.path().join("hostname"), "pve\n")?;
        fs::write(contents.path().join("block"), vec![0xab; 1024])?;
        fs::File::create(&volume)?.set_len(LENGTH)?;
        tool(
            Command::new("mke2fs")
                .args(["-q", "-t", "ext4", "-b", "1024", "-d"])
                .arg(contents.path())
                .arg(&volume),
            "",
        )?;
        let block = contents.path().join("block");
        let commands = format!("jo\njw -b {REPLAYED_BLOCK} {}\njc\n", block.display());
        tool(
            Command::new("debugfs").args(["-w", "-f", "-"]).arg(&volume),
            &commands,
        )?;
        let features = tool(Command::new("dumpe2fs").arg("-h").arg(&volume), "")?;
        if !features.contains("needs_recovery") {
            return Err(io::Error::other("debugfs left the ext4 clean"));
        }
        let path = folder.join(format!("{name}.img"));
        gpt::write_disk(&path, gpt::LINUX_DATA, name, &fs::read(&volume)?)?;
        fs::remove_file(&volume)?;
        Ok(Self { path })
    }

    /// The image.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// SHA-256 of all its bytes, hex.
    pub fn sha256(&self) -> io::Result<String> {
        sha256_of_file(&self.path)
    }
}

/// Runs one tool of e2fsprogs with this input; what it printed, or an error with its words.
fn tool(command: &mut Command, input: &str) -> io::Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let missing = |error: io::Error| {
        io::Error::new(error.kind(), format!("{name}: {error}; install e2fsprogs"))
    };
    let path = std::env::var("PATH").unwrap_or_default();
    let mut child = command
        .env("PATH", format!("{path}:/usr/sbin:/sbin"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(missing)?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input.as_bytes())?;
    }
    let output = child.wait_with_output()?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(io::Error::other(format!(
            "{name}: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replay_of_the_dirty_ext4_would_change_the_disk() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Disk::dirty_ext4(folder.path(), "disk").unwrap();
        let before = disk.sha256().unwrap();
        let bytes = fs::read(disk.path()).unwrap();
        let volume = folder.path().join("copy.ext4");
        let start = usize::try_from(gpt::START).unwrap();
        let length = usize::try_from(LENGTH).unwrap();
        fs::write(&volume, &bytes[start..start + length]).unwrap();
        let at = usize::try_from(REPLAYED_BLOCK).unwrap() * 1024;
        assert_ne!(fs::read(&volume).unwrap()[at..at + 1024], [0xab; 1024]);
        // e2fsck exits with 1 after it has corrected something.
        let status = Command::new("/usr/sbin/e2fsck")
            .args(["-y", "-E", "journal_only"])
            .arg(&volume)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        assert!(status.unwrap().code().is_some_and(|code| code <= 1));
        assert_eq!(fs::read(&volume).unwrap()[at..at + 1024], [0xab; 1024]);
        assert_eq!(disk.sha256().unwrap(), before);
    }
}
