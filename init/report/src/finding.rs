use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use assess::Finding;

use crate::label::{fact, labelled};
use crate::page::Page;
use crate::view::{Weight, weight};

/// More evidence than this is left to the JSON document.
const MOST_EVIDENCE: usize = 6;

/// What the report has said so far, so that it says nothing twice.
#[derive(Default)]
pub(crate) struct Told {
    /// Ids of machine-wide findings.
    machine_wide: BTreeSet<Cow<'static, str>>,
    /// The number of each remedy, which counts from one.
    remedies: BTreeMap<Cow<'static, str>, usize>,
}

impl Told {
    pub(crate) fn has(&self, finding: &Finding) -> bool {
        finding.function.is_none() && self.machine_wide.contains(&finding.id)
    }

    /// What a finding says, and on what it rests.
    pub(crate) fn reason(&mut self, page: &mut Page, finding: &Finding) {
        let label = match weight(finding) {
            Weight::Blocks => "BLOCKS",
            Weight::Unknown => "UNKNOWN",
            Weight::Care => "CARE",
            Weight::Note => "note",
        };
        let known = self.has(finding);
        let again = if known { " (as above)" } else { "" };
        let text = format!("{} [{}]{again}", finding.summary, finding.id);
        fact(page, label, &text);
        if known {
            return;
        }
        let before = labelled("") + "- ";
        for evidence in finding.evidence.iter().take(MOST_EVIDENCE) {
            page.paragraph(&before, evidence);
        }
        let more = finding.evidence.len().saturating_sub(MOST_EVIDENCE);
        if more > 0 {
            page.paragraph(
                &before,
                &format!("and {more} more lines in the JSON report"),
            );
        }
        if finding.function.is_none() {
            self.machine_wide.insert(finding.id.clone());
        }
    }

    /// The remedies of these findings, numbered through the whole report; one that was given before
    /// is only referred to.
    pub(crate) fn remedies(&mut self, page: &mut Page, findings: &[&Finding]) {
        let (mut again, mut fresh) = (Vec::new(), Vec::new());
        for remedy in findings
            .iter()
            .filter_map(|finding| finding.remedy.as_ref())
        {
            match self.remedies.get(remedy) {
                Some(number) if !again.contains(number) => again.push(*number),
                Some(_) => {}
                None if fresh.contains(&remedy) => {}
                None => fresh.push(remedy),
            }
        }
        let mut label = "TO DO";
        if !again.is_empty() {
            let numbers: Vec<_> = again.iter().map(usize::to_string).collect();
            fact(page, label, &format!("{} above", numbers.join(", ")));
            label = "";
        }
        for remedy in fresh {
            let number = self.remedies.len() + 1;
            self.remedies.insert(remedy.clone(), number);
            page.paragraph(&format!("{}{number}. ", labelled(label)), remedy);
            label = "";
        }
    }
}
