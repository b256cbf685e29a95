use assess::{Finding, Severity};

use super::{Context, Rule, finding};
use crate::reader::Trouble;

const UNREAD: &str = "system.unread";
const HALF_WRITTEN: &str = "system.half-written";
const NOT_TEXT: &str = "system.not-text";
const DANGLING: &str = "system.dangling-link";

/// What could not be read, each by itself.
pub(super) const RULE: Rule = Rule {
    ids: &[UNREAD, HALF_WRITTEN, NOT_TEXT, DANGLING],
    find,
};

fn find(context: &Context) -> Vec<Finding> {
    let troubles = context.system.troubles.iter();
    troubles.map(told).collect()
}

fn told(trouble: &Trouble) -> Finding {
    let (id, severity, summary, seen, remedy) = match trouble {
        Trouble::Unread(seen) => (
            UNREAD,
            Severity::Caution,
            "A part of the system could not be read; what it says is not known.",
            seen,
            "See what is there instead, and put it right.",
        ),
        Trouble::HalfWritten(seen) => (
            HALF_WRITTEN,
            Severity::Caution,
            "A file is not whole.",
            seen,
            "Write it again, or restore it from a backup.",
        ),
        Trouble::Dangling(seen) => (
            DANGLING,
            Severity::Note,
            "A link leads to nothing inside this system.",
            seen,
            "It is read as missing, as the system itself reads it; something may be mounted there only while it runs.",
        ),
        Trouble::NotText(seen) => (
            NOT_TEXT,
            Severity::Note,
            "A file or a name is not plain text.",
            seen,
            "Save it in UTF-8, or take it away.",
        ),
    };
    Finding {
        unknown: matches!(trouble, Trouble::Unread(_)),
        ..finding(id, severity, summary, vec![seen.clone()], remedy)
    }
}
