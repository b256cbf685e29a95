use std::fs::File;
use std::io::{self, Read};
use std::thread;
use std::time::Instant;

const SOURCE: &str = "/dev/random";

/// Has the kernel gather randomness while the session waits for devices. A processor without an instruction for
/// it takes a second (`try_to_generate_entropy` in `drivers/char/random.c`), and `lvm`, which asks at every
/// start, would wait for it in the middle of the look at the disks.
pub fn gather() {
    let gathering = thread::Builder::new().name("randomness".to_owned());
    let started = gathering.spawn(|| {
        let started = Instant::now();
        match first_byte() {
            Ok(()) => tracing::debug!("randomness after {} ms", started.elapsed().as_millis()),
            Err(error) => tracing::info!("cannot read {SOURCE}: {error}"),
        }
    });
    if let Err(error) = started {
        tracing::info!("randomness is gathered when it is needed: {error}");
    }
}

/// Returns when the kernel has gathered enough.
fn first_byte() -> io::Result<()> {
    File::open(SOURCE)?.read_exact(&mut [0])
}
