use std::collections::BTreeSet;

use crate::finding_ids;

const DOCUMENT: &str = include_str!("../../../../docs/findings.md");

#[test]
fn every_finding_about_a_system_has_an_entry_in_the_document_and_every_entry_a_finding() {
    let headings = DOCUMENT
        .lines()
        .filter_map(|line| line.strip_prefix("### `")?.strip_suffix('`'));
    let documented: BTreeSet<&str> = headings.filter(|id| id.starts_with("system.")).collect();
    let found: BTreeSet<&str> = finding_ids().collect();
    assert_eq!(documented, found);
}
