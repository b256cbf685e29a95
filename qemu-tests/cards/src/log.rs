use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Everything that was done to a card, in order. Clones share one log.
#[derive(Clone, Debug)]
pub struct AccessLog {
    start: Instant,
    entries: Arc<Mutex<Vec<Entry>>>,
}

/// One thing that was done to a card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Counts up from 0 over all functions.
    pub sequence: usize,
    /// When it was answered, by this process's clock.
    pub at: Instant,
    /// Function number.
    pub function: u8,
    /// What.
    pub touch: Touch,
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Touch {
    /// A read, with what was answered.
    Read(Span),
    /// A write.
    Write(Span),
    /// A function-level reset through device control.
    FunctionLevelReset,
    /// A reset by QEMU: at power-on, and when the guest resets the bus or the function.
    Reset,
    /// QEMU went away; the function is as after power-on again.
    Disconnected {
        /// What went wrong, when it did not end in order.
        error: Option<String>,
    },
}

/// Which bytes were accessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Address space.
    pub region: Region,
    /// Offset in bytes.
    pub offset: u64,
    /// Length in bytes.
    pub length: usize,
    /// The first eight bytes, little-endian; zero when a read failed.
    pub value: u64,
}

/// An address space of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Region {
    /// Configuration space.
    Config,
    /// The BAR with this number.
    Bar(u8),
    /// The ROM BAR.
    Rom,
    /// Anything else that a client asked for.
    Other(u32),
}

impl AccessLog {
    /// An empty log that starts now.
    pub(crate) fn new() -> Self {
        Self {
            start: Instant::now(),
            entries: Arc::default(),
        }
    }

    /// Everything so far.
    pub fn entries(&self) -> Vec<Entry> {
        self.lock().clone()
    }

    /// Number of entries so far: a mark to give to [`since`](Self::since).
    pub fn mark(&self) -> usize {
        self.lock().len()
    }

    /// Everything from `mark` on.
    pub fn since(&self, mark: usize) -> Vec<Entry> {
        self.lock().get(mark..).unwrap_or_default().to_vec()
    }

    /// Everything answered from `from` on and before `to`.
    pub fn between(&self, from: Instant, to: Instant) -> Vec<Entry> {
        let entries = self.lock();
        let inside = entries
            .iter()
            .filter(|entry| (from..to).contains(&entry.at));
        inside.cloned().collect()
    }

    /// The log as text, a line per entry, times in seconds from the card's start.
    pub fn text(&self) -> String {
        let line = |entry: &Entry| {
            let time = entry.at.duration_since(self.start).as_secs_f64();
            format!("{time:10.6} {entry}\n")
        };
        self.lock().iter().map(line).collect()
    }

    pub(crate) fn add(&self, function: u8, touch: Touch) {
        let mut entries = self.lock();
        let sequence = entries.len();
        entries.push(Entry {
            sequence,
            at: Instant::now(),
            function,
            touch,
        });
    }

    /// A thread that panicked while it held the log has pushed a whole entry or none.
    fn lock(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    /// The bytes that were read or written; none for anything else.
    pub fn span(&self) -> Option<Span> {
        match self.touch {
            Touch::Read(span) | Touch::Write(span) => Some(span),
            _ => None,
        }
    }

    /// Whether it is an access to a BAR, the ROM BAR not counted.
    pub fn is_bar_access(&self) -> bool {
        self.span()
            .is_some_and(|span| matches!(span.region, Region::Bar(_)))
    }

    /// The bytes that were written to configuration space, if it is such a write.
    pub fn config_write(&self) -> Option<Span> {
        match self.touch {
            Touch::Write(span) if span.region == Region::Config => Some(span),
            _ => None,
        }
    }
}

impl Span {
    pub(crate) fn new(region: Region, offset: u64, data: &[u8]) -> Self {
        let mut first = [0; 8];
        for (to, from) in first.iter_mut().zip(data) {
            *to = *from;
        }
        Self {
            region,
            offset,
            length: data.len(),
            value: u64::from_le_bytes(first),
        }
    }

    /// Whether it touches any of the `length` bytes at `offset`.
    pub fn touches(&self, offset: u64, length: u64) -> bool {
        self.offset < offset + length && offset < self.offset + self.length as u64
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config => f.write_str("config"),
            Self::Bar(number) => write!(f, "bar{number}"),
            Self::Rom => f.write_str("rom"),
            Self::Other(index) => write!(f, "region{index}"),
        }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            region,
            offset,
            length,
            value,
        } = self;
        write!(f, "{region} {offset:#x} +{length} = {value:#x}")
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "fn{} ", self.function)?;
        match &self.touch {
            Touch::Read(span) => write!(f, "read  {span}"),
            Touch::Write(span) => write!(f, "write {span}"),
            Touch::FunctionLevelReset => f.write_str("function-level reset"),
            Touch::Reset => f.write_str("reset"),
            Touch::Disconnected { error: None } => f.write_str("disconnected"),
            Touch::Disconnected { error: Some(error) } => write!(f, "disconnected: {error}"),
        }
    }
}
