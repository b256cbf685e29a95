use crate::page::Page;

/// Columns up to the text behind a label.
const LABEL: usize = 12;

/// `label` in its column.
pub(crate) fn labelled(label: &str) -> String {
    format!("  {label:<width$}", width = LABEL - 2)
}

/// A text behind its label.
pub(crate) fn fact(page: &mut Page, label: &str, text: &str) {
    page.paragraph(&labelled(label), text);
}

/// Several texts behind one label, a line each.
pub(crate) fn facts(page: &mut Page, label: &str, texts: impl IntoIterator<Item = String>) {
    let mut label = label;
    for text in texts {
        fact(page, label, &text);
        label = "";
    }
}
