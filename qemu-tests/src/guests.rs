use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

/// At most this many guests run at once, over all processes: more of them only slow each other down
/// past their deadlines.
const AT_ONCE: usize = 2;

/// The right to run a guest. Given back when dropped, also by the end of the process.
#[derive(Debug)]
pub(crate) struct Turn(#[expect(dead_code, reason = "held, not read")] Flock<File>);

impl Turn {
    /// Waits for a turn. The locks are files in `folder`.
    pub(crate) fn wait(folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        loop {
            for place in 0..AT_ONCE {
                let file = File::create(folder.join(format!("guest-{place}.lock")))?;
                match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
                    Ok(lock) => return Ok(Self(lock)),
                    Err((_, Errno::EWOULDBLOCK)) => {}
                    Err((_, error)) => return Err(error.into()),
                }
            }
            thread::sleep(Duration::from_millis(100));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn a_third_guest_waits_until_one_of_two_has_ended() {
        let folder = tempfile::tempdir().unwrap();
        let first = Turn::wait(folder.path()).unwrap();
        let _second = Turn::wait(folder.path()).unwrap();
        let (tell, hear) = mpsc::channel();
        let path = folder.path().to_owned();
        let third = thread::spawn(move || {
            let turn = Turn::wait(&path).unwrap();
            tell.send(()).unwrap();
            turn
        });
        assert!(hear.recv_timeout(Duration::from_millis(400)).is_err());
        drop(first);
        hear.recv_timeout(Duration::from_secs(10)).unwrap();
        third.join().unwrap();
    }
}
