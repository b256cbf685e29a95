//! The init of a guest that is asked: carries out the requests in `/requests.json`, sends the answers over
//! virtio-serial as one JSON line, and powers off.

mod answer;
mod memory;
mod port;
mod vfio;

use std::{fs, process};

use anyhow::Context;
use nix::mount::{MsFlags, mount};
use nix::sys::reboot::{RebootMode, reboot};
use qemu_tests::probe::Request;

use answer::Guest;

const MOUNTS: [(&str, &str); 3] = [("proc", "/proc"), ("sysfs", "/sys"), ("devtmpfs", "/dev")];

fn main() {
    if process::id() != 1 {
        eprintln!("guest-probe is the init of a test guest; it does nothing anywhere else");
        process::exit(2);
    }
    println!("preflight: milestone init");
    match work() {
        Ok(()) => println!("preflight: milestone end"),
        Err(error) => println!("guest-probe: {error:#}"),
    }
    // PID 1 has nowhere to report a failure to; returning makes the kernel panic, which is seen.
    let _ = reboot(RebootMode::RB_POWER_OFF);
}

fn work() -> anyhow::Result<()> {
    for (kind, place) in MOUNTS {
        mount(
            Some(kind),
            place,
            Some(kind),
            MsFlags::empty(),
            None::<&str>,
        )
        .with_context(|| format!("cannot mount {place}"))?;
    }
    let requests: Vec<Request> = serde_json::from_slice(&fs::read("/requests.json")?)?;
    let mut guest = Guest::new()?;
    for module in ["virtio_pci", "virtio_console"] {
        guest.load(module)?;
    }
    let mut port = port::open()?;
    let answers: Vec<_> = requests
        .iter()
        .map(|request| guest.answer(request))
        .collect();
    port::send(&mut port, &answers)
}
