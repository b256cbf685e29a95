//! Says what an [`assess::Assessment`] means: as text for a person, who asks whether a card can be
//! given to a guest and what to do if not, and as JSON for a program. Pure.

mod answer;
mod card;
mod finding;
mod label;
mod machine;
mod name;
mod page;
mod rom;
mod systems;
mod text;
mod view;

use assess::Assessment;

pub use answer::summary_lines;
pub use systems::{systems_json, systems_summary_lines, systems_text};
pub use text::{TextOptions, text};

/// One paragraph of a message, wrapped to `width` columns of plain ASCII like the report itself.
pub fn paragraph(text: &str, width: usize) -> String {
    let mut page = page::Page::new(width);
    page.paragraph("", text);
    page.finish()
}

/// The assessment as pretty JSON, which is the contract of `preflight assess --format json`. Ends in
/// a newline.
pub fn json(assessment: &Assessment) -> String {
    let written = serde_json::to_string_pretty(assessment);
    let mut text = written.unwrap_or_else(|error| {
        let document = serde_json::json!({
            "schema": assessment.schema,
            "error": format!("the assessment cannot be written as JSON: {error}"),
        });
        document.to_string()
    });
    text.push('\n');
    text
}
