//! What long work tells whoever waits for it.

use std::io::{self, Write};

/// How it goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress<'a> {
    /// This begins.
    Doing(&'a str),
    /// So many of its parts are done, out of all: bytes, or percent.
    Part {
        /// Those that are done.
        done: u64,
        /// All of them.
        all: u64,
    },
}

/// Hears it.
pub type Watch<'a> = &'a dyn Fn(Progress<'_>);

/// Hears it for as long as a value that keeps it.
pub type Watcher = fn(Progress<'_>);

/// Passes what it is given on, and tells how many of so many bytes that were.
pub(crate) struct Told<'a, W> {
    output: W,
    done: u64,
    all: u64,
    progress: Watch<'a>,
}

impl<'a, W> Told<'a, W> {
    pub(crate) fn new(output: W, all: u64, progress: Watch<'a>) -> Self {
        let done = 0;
        Self {
            output,
            done,
            all,
            progress,
        }
    }

    /// What it was passed on to.
    pub(crate) fn into_output(self) -> W {
        self.output
    }
}

impl<W: Write> Write for Told<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        const AT_A_TIME: usize = 1 << 20;
        let part = bytes.get(..AT_A_TIME).unwrap_or(bytes);
        let written = self.output.write(part)?;
        // An archive has a little more in it than its files.
        self.done = self.all.min(self.done + written as u64);
        let (done, all) = (self.done, self.all);
        (self.progress)(Progress::Part { done, all });
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.output.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    #[test]
    fn all_bytes_are_passed_on_and_told_part_by_part() {
        let bytes: Vec<u8> = (0..3_000_000_u32).map(|n| n.to_le_bytes()[0]).collect();
        let heard = RefCell::new(Vec::new());
        let progress = |news: Progress<'_>| match news {
            Progress::Part { done, all } => heard.borrow_mut().push((done, all)),
            Progress::Doing(_) => {}
        };
        let mut told = Told::new(Vec::new(), 2_500_000, &progress);
        told.write_all(&bytes).unwrap();
        assert!(told.into_output() == bytes);
        let all = 2_500_000;
        assert_eq!(
            *heard.borrow(),
            [(1 << 20, all), (2 << 20, all), (all, all)]
        );
    }
}
