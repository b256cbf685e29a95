use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::process::Child;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// Gives `input` to a program and takes in what it prints until it has closed both outputs: standard output and
/// standard error. An error when that takes longer than to the deadline, or either is longer than `longest` bytes.
pub(super) fn talk(
    child: &mut Child,
    mut input: &[u8],
    longest: usize,
    deadline: Instant,
) -> io::Result<[Vec<u8>; 2]> {
    let mut to = child
        .stdin
        .take()
        .map(|pipe| File::from(OwnedFd::from(pipe)));
    if let Some(to) = &to {
        fcntl(to, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    }
    let mut from = [
        child
            .stdout
            .take()
            .map(|pipe| File::from(OwnedFd::from(pipe))),
        child
            .stderr
            .take()
            .map(|pipe| File::from(OwnedFd::from(pipe))),
    ];
    let mut said = [Vec::new(), Vec::new()];
    while from.iter().any(Option::is_some) {
        wait(&to, &from, deadline)?;
        if let Some(pipe) = &mut to {
            match pipe.write(input) {
                Ok(count) => input = input.get(count..).unwrap_or_default(),
                Err(error) if is_for_later(&error) => {}
                // It does not want to read more; how it ends says whether that is well.
                Err(_) => input = &[],
            }
        }
        if input.is_empty() {
            to = None;
        }
        for (pipe, said) in from.iter_mut().zip(&mut said) {
            take_in(pipe, said, longest)?;
        }
    }
    Ok(said)
}

/// Waits until a pipe can be used.
fn wait(to: &Option<File>, from: &[Option<File>; 2], deadline: Instant) -> io::Result<()> {
    let to = to.iter().map(|pipe| (pipe, PollFlags::POLLOUT));
    let from = from.iter().flatten().map(|pipe| (pipe, PollFlags::POLLIN));
    let mut pipes: Vec<PollFd> = to
        .chain(from)
        .map(|(pipe, flags)| PollFd::new(pipe.as_fd(), flags))
        .collect();
    let left = deadline.saturating_duration_since(Instant::now());
    // Rounded up: no round without waiting in the last millisecond.
    let left = PollTimeout::try_from(left + Duration::from_millis(1)).unwrap_or(PollTimeout::MAX);
    match poll(&mut pipes, left) {
        Ok(0) if Instant::now() >= deadline => Err(io::ErrorKind::TimedOut.into()),
        Ok(_) | Err(Errno::EINTR) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

/// Takes in what there is, without waiting for more; at its end the pipe is closed.
fn take_in(pipe: &mut Option<File>, said: &mut Vec<u8>, longest: usize) -> io::Result<()> {
    let Some(file) = pipe else {
        return Ok(());
    };
    let mut ready = [PollFd::new(file.as_fd(), PollFlags::POLLIN)];
    if poll(&mut ready, PollTimeout::ZERO)? == 0 {
        return Ok(());
    }
    let mut bytes = [0; 16 << 10];
    match file.read(&mut bytes) {
        Ok(0) => *pipe = None,
        Ok(count) => said.extend_from_slice(bytes.get(..count).unwrap_or_default()),
        Err(error) if is_for_later(&error) => {}
        Err(error) => return Err(error),
    }
    if said.len() > longest {
        return Err(io::Error::other(format!(
            "printed more than {} MiB, which no machine's disks call for",
            longest >> 20
        )));
    }
    Ok(())
}

fn is_for_later(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
    )
}
