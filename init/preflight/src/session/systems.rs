use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use proxmox::Found;
use storage::LookOptions;

/// What a look prints is shorter: some MB where many guests are kept.
const LONGEST: u64 = 256 << 20;
/// Taking away what a killed look has left gets so long; a disk that hangs must not hold the session.
const CLEARING: Duration = Duration::from_secs(15);

/// Looks at the installed systems in a process of its own, which is ended when it takes longer than `limit`: a
/// disk that does not answer, or whatever else stands on one, must not keep the report away.
pub fn find(limit: Duration) -> Result<Found> {
    let mut child = Command::new("/proc/self/exe")
        .arg("look-at-disks")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .context("the look could not be started")?;
    let printed = printed(&mut child)?.recv_timeout(limit);
    let Ok(printed) = printed else {
        // It may hang in the kernel, where no signal reaches it: nobody waits for it.
        let _ = child.kill();
        clear_away();
        bail!(
            "it took longer than {} s and was ended; a disk may not answer",
            limit.as_secs()
        );
    };
    let status = child.wait().context("the look was lost")?;
    if !status.success() {
        clear_away();
        bail!("it ended with {status}");
    }
    let found: Result<Found, String> =
        serde_json::from_slice(&printed).context("the look said nothing that can be read")?;
    found.map_err(|why| anyhow!("{why}"))
}

/// All that the child prints, once it has closed its output.
fn printed(child: &mut Child) -> Result<mpsc::Receiver<Vec<u8>>> {
    let output = child.stdout.take().context("the look has no output")?;
    let (done, printed) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let read = output.take(LONGEST).read_to_end(&mut bytes);
        if read.is_ok() {
            let _ = done.send(bytes);
        }
    });
    Ok(printed)
}

fn clear_away() {
    let (done, cleared) = mpsc::channel();
    thread::spawn(move || {
        let folder = LookOptions::default().folder;
        for trouble in storage::tear_down(Path::new("/sys"), &folder) {
            tracing::warn!("{trouble}");
        }
        let _ = done.send(());
    });
    if cleared.recv_timeout(CLEARING).is_err() {
        tracing::error!("what the look has put up could not be taken away in time");
    }
}
