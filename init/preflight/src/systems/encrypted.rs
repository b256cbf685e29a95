use std::io::{BufRead, IsTerminal};
use std::os::fd::AsFd;

use anyhow::{Context, Result};
use nix::sys::termios::{LocalFlags, SetArg, tcgetattr, tcsetattr};
use storage::{Look, Trouble, VolumeId};

/// Opens every LUKS volume that the passphrase fits, those inside other volumes too. What it does not fit stays
/// closed, and is said.
pub(super) fn open(look: &mut Look, passphrase: &[u8]) -> Vec<Trouble> {
    let mut tried: Vec<VolumeId> = Vec::new();
    let mut troubles = Vec::new();
    loop {
        let volumes = look.storage().volumes.iter();
        let next = volumes
            .filter(|volume| volume.content.is("crypto_LUKS"))
            .map(|volume| volume.id.clone())
            .find(|id| !tried.contains(id));
        let Some(id) = next else {
            return troubles;
        };
        troubles.extend(look.open_luks(&id, passphrase).err());
        tried.push(id);
    }
}

/// Asks for a passphrase on the terminal, without showing it.
pub fn ask() -> Result<Vec<u8>> {
    let stdin = std::io::stdin();
    eprint!("Passphrase of the encrypted disks: ");
    let before = stdin
        .is_terminal()
        .then(|| tcgetattr(stdin.as_fd()))
        .transpose()
        .context("the terminal's settings")?;
    if let Some(before) = &before {
        let mut hidden = before.clone();
        hidden.local_flags.remove(LocalFlags::ECHO);
        tcsetattr(stdin.as_fd(), SetArg::TCSAFLUSH, &hidden).context("the terminal's settings")?;
    }
    let mut line = String::new();
    let read = stdin.lock().read_line(&mut line);
    if let Some(before) = &before {
        let _ = tcsetattr(stdin.as_fd(), SetArg::TCSANOW, before);
        eprintln!();
    }
    read.context("no passphrase can be read")?;
    Ok(line.trim_end_matches(['\r', '\n']).as_bytes().to_vec())
}
