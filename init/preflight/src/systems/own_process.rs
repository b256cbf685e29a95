use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use storage::LookOptions;

use super::OnDisks;
use super::process_group::{Interrupts, ProcessGroup};

/// What a look prints is shorter: some MB where many guests are kept.
const LONGEST: usize = 256 << 20;
/// Taking away what a killed look has left gets so long; a disk that hangs must not hold anybody.
const CLEARING: Duration = Duration::from_secs(15);
/// What was killed and hangs in the kernel gets so long to end.
const ENDING: Duration = Duration::from_secs(5);

/// What a look in a process of its own is given, and what ends it.
#[derive(Default)]
pub struct Watched<'a> {
    /// What opens LUKS volumes.
    pub passphrase: Option<&'a [u8]>,
    /// Bytes that all overlays together may fill, when it is not to be a quarter of the free memory.
    pub bound: Option<u64>,
    /// Whether the files that a plan is made from are read.
    pub with_files: bool,
    /// It is ended when it takes longer.
    pub limit: Option<Duration>,
    /// It is ended when one of these arrives.
    pub interrupts: Option<&'a Interrupts>,
}

/// Looks at the installed systems in a process of its own, so that it can be ended from outside: a disk that does
/// not answer must not keep the report away, nor a person who has enough. All that an ended look has put up is
/// taken away.
pub fn on_disks_in_own_process(watched: &Watched) -> Result<OnDisks> {
    let mut command = Command::new("/proc/self/exe");
    command.arg("look-at-disks").stderr(Stdio::null());
    if watched.passphrase.is_some() {
        command.arg("--passphrase");
    }
    if watched.with_files {
        command.arg("--files");
    }
    if let Some(bound) = watched.bound {
        command.arg(format!("--bound={bound}"));
    }
    let mut group = ProcessGroup::start(&mut command).context("the look could not be started")?;
    let printed = group
        .give(watched.passphrase.unwrap_or_default())
        .and_then(|()| group.output(watched.limit, watched.interrupts, LONGEST));
    match printed {
        Ok(printed) => {
            let found: Result<OnDisks, String> = serde_json::from_slice(&printed)
                .context("the look said nothing that can be read")?;
            found.map_err(|why| anyhow!("{why}"))
        }
        Err(error) => {
            let stays = end(&mut group);
            if stays.is_empty() {
                bail!("{error:#}");
            }
            bail!(
                "{error:#}. Not all could be taken away: {}",
                stays.join("; ")
            );
        }
    }
}

/// Kills the look with every program that it has started, and takes away what they have left. What stays, in words.
fn end(group: &mut ProcessGroup) -> Vec<String> {
    let ended = group.kill(ENDING);
    let stays = clear_away();
    // One that hung while all was taken away may have put up more since, and has let go of what it held.
    if !ended && group.kill(ENDING) {
        return clear_away();
    }
    stays
}

fn clear_away() -> Vec<String> {
    let (done, cleared) = mpsc::channel();
    thread::spawn(move || {
        let folder = LookOptions::default().folder;
        let stays = storage::tear_down(Path::new("/sys"), &folder);
        let _ = done.send(stays.iter().map(ToString::to_string).collect());
    });
    let stays: Vec<String> = cleared.recv_timeout(CLEARING).unwrap_or_else(|_| {
        vec![format!(
            "after {} s it was still going on",
            CLEARING.as_secs()
        )]
    });
    for words in &stays {
        tracing::warn!("{words}");
    }
    stays
}
