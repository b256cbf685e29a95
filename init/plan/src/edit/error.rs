/// Why a file was not edited. Each says what a person can do instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// The file was being written when the machine lost power.
    #[error(
        "line {0} holds zero bytes, as a file does that was cut off by a crash; write it anew first"
    )]
    ZeroBytes(usize),
    /// To a shell and to modprobe a carriage return is part of the last word.
    #[error(
        "line {0} ends in a carriage return, which Linux takes for a part of the last word; take it away first"
    )]
    CarriageReturn(usize),
    /// A quote that is never closed.
    #[error("{file}:{line} opens a quote that is never closed; close it first")]
    OpenQuote {
        /// The file.
        file: String,
        /// Counted from 1.
        line: usize,
    },
    /// To the kernel everything behind it is one word.
    #[error(
        "'{0}' opens a quote that is never closed, so the kernel takes all that follows for one word; close it first"
    )]
    OpenWord(String),
    /// A shell would have to run it.
    #[error("what {0} is cannot be said without running the file; take the word away by hand")]
    Computed(String),
    /// The words come from somewhere that is not edited.
    #[error("'{0}' comes from another variable or stands across quotes; change it by hand")]
    Elsewhere(String),
    /// The file is not there.
    #[error("{0} is not there")]
    Missing(String),
    /// More than one line where only the first counts.
    #[error("it has {0} lines, and only the first one is used; put everything on one line first")]
    ManyLines(usize),
    /// A command line that starts nothing.
    #[error("it has no root=, so the system would not start with it; add it first")]
    NoRoot,
    /// The word cannot be written everywhere without quoting it.
    #[error(
        "'{0}' has characters that would have to be quoted; only letters, digits and _ . , : ; = / @ + - are written"
    )]
    Word(String),
    /// A value in quotes.
    #[error("line {0} has the value in quotes; change it by hand")]
    Quoted(usize),
    /// A directive over several lines.
    #[error("line {0} goes on over several lines; put it on one line first")]
    Continued(usize),
    /// A key that stands there twice.
    #[error(
        "'{0}' stands there more than once, and which one holds is not certain; keep one of them first"
    )]
    Twice(String),
    /// A change that waits for the guest's next start.
    #[error("a change of '{0}' is pending for this guest; let it take effect or revert it first")]
    Pending(String),
    /// The guest is locked.
    #[error("the guest is locked ({0}); finish or unlock it first")]
    Locked(String),
    /// hostpci0 to hostpci15 are taken.
    #[error("the guest has sixteen host devices already; take one away first")]
    NoIndex,
}
