use crate::{Problem, ProblemId};

/// Bytes that the drivers of one ROM may have together when they are unpacked for a check. An option
/// ROM has at most 16 MiB itself, and its drivers are some hundred KiB each.
const MOST_UNPACKED: usize = 16 << 20;

/// What a parse has found wrong, what it has taken, and what it may still take.
pub(crate) struct Work {
    pub(crate) problems: Vec<Problem>,
    steps: u64,
    unpack_left: usize,
}

impl Work {
    pub(crate) fn new() -> Self {
        Self {
            problems: Vec::new(),
            steps: 0,
            unpack_left: MOST_UNPACKED,
        }
    }

    /// Notes a problem.
    pub(crate) fn report(&mut self, id: ProblemId, detail: String) {
        self.problems.push(Problem { id, detail });
    }

    /// Counts so many bytes looked at or entries read.
    pub(crate) fn count(&mut self, steps: usize) {
        self.steps = self.steps.saturating_add(steps as u64);
    }

    pub(crate) fn steps(&self) -> u64 {
        self.steps
    }

    /// Bytes that may still be unpacked.
    pub(crate) fn unpack_left(&self) -> usize {
        self.unpack_left
    }

    /// Takes so many bytes of what may be unpacked; they are gone even when unpacking fails.
    pub(crate) fn spend(&mut self, bytes: usize) {
        self.unpack_left = self.unpack_left.saturating_sub(bytes);
        self.count(bytes);
    }
}
