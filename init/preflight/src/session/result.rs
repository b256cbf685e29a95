use assess::Assessment;
use serde::Serialize;

use super::save::Saved;
use crate::options::Mode;

/// The last event of a run.
#[derive(Serialize)]
pub struct RunResult<'a> {
    event: &'static str,
    schema: &'static str,
    mode: Mode,
    assessment: Option<&'a Assessment>,
    saved: Option<&'a Saved>,
    save_error: Option<String>,
    messages: &'a [String],
}

impl<'a> RunResult<'a> {
    /// What a run came to, and what it had to say.
    pub fn new(
        mode: Mode,
        assessment: Option<&'a Assessment>,
        saved: &'a anyhow::Result<Saved>,
        messages: &'a [String],
    ) -> Self {
        Self {
            event: "result",
            schema: "preflight.run/1",
            mode,
            assessment,
            saved: saved.as_ref().ok(),
            save_error: saved.as_ref().err().map(|error| format!("{error:#}")),
            messages,
        }
    }
}
