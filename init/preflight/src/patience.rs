use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::thread;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// A reader may come a moment later.
const NO_READER_YET: Duration = Duration::from_millis(20);

/// Writes to a descriptor in non-blocking mode and gives up when it takes nothing for `limit`: a serial
/// line with its flow stopped must not stop the stick.
pub fn write_patiently(device: &mut File, mut bytes: &[u8], limit: Duration) -> io::Result<()> {
    let mut deadline = Instant::now() + limit;
    while !bytes.is_empty() {
        match device.write(bytes) {
            Ok(written) => {
                bytes = bytes.get(written..).unwrap_or_default();
                deadline = Instant::now() + limit;
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                if Instant::now() >= deadline {
                    return Err(error);
                }
                let mut wait = [PollFd::new(device.as_fd(), PollFlags::POLLOUT)];
                let _ = poll(&mut wait, PollTimeout::from(200_u16));
                let said = wait[0].revents().unwrap_or(PollFlags::empty());
                // Of a port without a reader poll(2) says this at once, each time.
                if said.contains(PollFlags::POLLHUP) {
                    thread::sleep(NO_READER_YET);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;
    use std::os::unix::fs::OpenOptionsExt;

    use nix::libc;

    use super::*;

    #[test]
    fn a_line_that_takes_nothing_is_given_up() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("fifo");
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let _reader = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NONBLOCK)
            .open(&path)
            .unwrap();
        let mut writer = OpenOptions::new()
            .write(true)
            .custom_flags(libc::O_NONBLOCK)
            .open(&path)
            .unwrap();
        let more_than_a_pipe_holds = vec![b'x'; 1 << 20];
        let result = write_patiently(
            &mut writer,
            &more_than_a_pipe_holds,
            Duration::from_millis(50),
        );
        assert_eq!(result.unwrap_err().kind(), io::ErrorKind::WouldBlock);
    }
}
