//! The init of a guest with disks: carries out the requests in `/requests.json`, sends the answers over
//! virtio-serial, waits for a line on the console, and ends like in a power cut: nothing is synced, nothing
//! unmounted.

mod inventory;
#[path = "../guest-probe/port.rs"]
mod port;
mod rehearsal;
mod writing;

use std::collections::BTreeMap;
use std::io::{self, BufRead};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;
use std::{fs, process};

use anyhow::{Context, anyhow, bail};
use modules::{Index, Loader, ModuleName};
use nix::mount::{MsFlags, mount};
use nix::sys::reboot::{RebootMode, reboot};
use qemu_tests::probe::{Answer, Refusal};
use qemu_tests::storage_guest::{LookAnswer, LookRequest, Request, RootFile};
use storage::{Content, Look, LookOptions, MODULES, Purpose, Volume, VolumeId, look};

const MOUNTS: [(&str, &str); 4] = [
    ("proc", "/proc"),
    ("sysfs", "/sys"),
    ("devtmpfs", "/dev"),
    ("tmpfs", "/run"),
];
const OWN_MODULES: [&str; 3] = ["virtio_pci", "virtio_console", "virtio_blk"];
/// Lays thin pools out; a look never needs it. It needs a checksum that a look has loaded.
const THIN_POOL: &str = "dm_thin_pool";

fn main() {
    if let Some(code) = rehearsal::entered() {
        process::exit(code);
    }
    writing::entered();
    if process::id() != 1 {
        eprintln!("storage-guest is the init of a test guest; it does nothing anywhere else");
        process::exit(2);
    }
    println!("preflight: milestone init");
    match work() {
        Ok(()) => println!("preflight: milestone end"),
        Err(error) => println!("storage-guest: {error:#}"),
    }
    // PID 1 has nowhere to report a failure to; returning makes the kernel panic, which is seen.
    let _ = reboot(RebootMode::RB_POWER_OFF);
}

fn work() -> anyhow::Result<()> {
    for (kind, place) in MOUNTS {
        let nothing = None::<&str>;
        mount(Some(kind), place, Some(kind), MsFlags::empty(), nothing).context(place)?;
    }
    let release = nix::sys::utsname::uname()?;
    let folder = Path::new("/lib/modules").join(release.release());
    let mut loader = Loader::new(Index::read(&folder)?, BTreeMap::new());
    for name in OWN_MODULES.iter().chain(MODULES).chain([&THIN_POOL]) {
        for loaded in loader.load(&ModuleName::new(name)) {
            loaded.with_context(|| format!("module {name}"))?;
        }
    }
    let requests: Vec<Request> = serde_json::from_slice(&fs::read("/requests.json")?)?;
    let mut port = port::open()?;
    let answers: Vec<_> = requests.iter().map(answer).collect();
    port::send(&mut port, &answers)?;
    io::stdin().lock().read_line(&mut String::new())?;
    Ok(())
}

fn answer(request: &Request) -> Result<Answer, Refusal> {
    let answered = match request {
        Request::Shell(script) => shell(script),
        Request::Look(request) => {
            looked(request).and_then(|answer| Ok(serde_json::to_string(&answer)?))
        }
        Request::Inventory => {
            inventory::listed().and_then(|answer| Ok(serde_json::to_string(&answer)?))
        }
        Request::Rehearse(request) => {
            rehearsal::rehearsed(request).and_then(|answer| Ok(serde_json::to_string(&answer)?))
        }
        Request::Write(request) => {
            writing::written(request).and_then(|answer| Ok(serde_json::to_string(&answer)?))
        }
    };
    answered.map(Answer::Text).map_err(|error| Refusal {
        errno: None,
        why: format!("{error:#}"),
    })
}

fn shell(script: &str) -> anyhow::Result<String> {
    let output = Command::new("/bin/busybox")
        .args(["sh", "-exc", script])
        .env("PATH", "/bin")
        .stdin(Stdio::null())
        .output()?;
    if !output.status.success() {
        bail!(
            "{}: {}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Opens every LUKS volume when there is a passphrase.
fn open_encrypted(look: &mut Look, passphrase: Option<&str>) -> anyhow::Result<()> {
    let Some(passphrase) = passphrase else {
        return Ok(());
    };
    let encrypted = |volume: &&Volume| match &volume.content {
        Content::Known(known) => known.kind == "crypto_LUKS",
        _ => false,
    };
    let volumes = look.storage().volumes.iter().filter(encrypted);
    let closed: Vec<VolumeId> = volumes.map(|volume| volume.id.clone()).collect();
    for id in closed {
        look.open_luks(&id, passphrase.as_bytes())
            .map_err(|trouble| anyhow!("{trouble}"))?;
    }
    Ok(())
}

fn looked(request: &LookRequest) -> anyhow::Result<LookAnswer> {
    let started = Instant::now();
    let mut look = look(LookOptions {
        bound: request.bound,
        purpose: match request.to_plan {
            true => Purpose::Plan,
            false => Purpose::Read,
        },
        ..LookOptions::default()
    })?;
    open_encrypted(&mut look, request.passphrase.as_deref())?;
    let mut files = Vec::new();
    for root in 0..look.storage().roots.len() {
        let opened = look
            .open_root(root)
            .map_err(|trouble| anyhow!("{trouble}"))?;
        files.extend(request.files.iter().map(|path| {
            RootFile {
                root,
                path: path.clone(),
                text: opened
                    .read(path, 1 << 20)
                    .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
                    .map_err(|error| error.to_string()),
            }
        }));
    }
    let (storage, written_over) = (look.storage().clone(), look.written_over());
    let ended = look.end();
    Ok(LookAnswer {
        storage,
        files,
        written_over,
        ended,
        took: u64::try_from(started.elapsed().as_millis())?,
    })
}
