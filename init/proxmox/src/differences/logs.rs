use assess::{Finding, Severity};

use super::{Context, Rule, finding};

const LOGGED: &str = "system.passthrough-error-logged";

/// What the system itself wrote down.
pub(super) const RULE: Rule = Rule {
    ids: &[LOGGED],
    find,
};

/// The newest lines that are told.
const LINES: usize = 10;

fn find(context: &Context) -> Vec<Finding> {
    let logs = &context.system.logs;
    if logs.is_empty() {
        return Vec::new();
    }
    let lines = logs.iter().take(LINES);
    vec![finding(
        LOGGED,
        Severity::Note,
        "Its logs name failures of passthrough.",
        lines
            .map(|line| format!("{}: {}", line.file, line.text))
            .collect(),
        "They may be old. Look at the card that they name in the assessment.",
    )]
}
