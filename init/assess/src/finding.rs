use std::borrow::Cow;
use std::fmt;

use pci::Address;

use crate::{Finding, Severity};

/// Names one kind of finding, with an entry in docs/findings.md. Made by the rules only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FindingId(&'static str);

impl FindingId {
    pub(crate) const fn new(id: &'static str) -> Self {
        Self(id)
    }

    /// The id as it stands in JSON and in docs/findings.md.
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for FindingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// How rules write a finding down: its weight and what it is about first, then the evidence line by
/// line, then the remedy.
impl Finding {
    pub(crate) fn new(
        id: FindingId,
        severity: Severity,
        about: impl Into<Option<Address>>,
        summary: impl Into<String>,
    ) -> Self {
        Self {
            id: id.as_str().into(),
            severity,
            unknown: false,
            function: about.into(),
            summary: summary.into(),
            evidence: Vec::new(),
            remedy: None,
        }
    }

    pub(crate) fn blocks(
        id: FindingId,
        about: impl Into<Option<Address>>,
        summary: impl Into<String>,
    ) -> Self {
        Self::new(id, Severity::Blocks, about, summary)
    }

    pub(crate) fn caution(
        id: FindingId,
        about: impl Into<Option<Address>>,
        summary: impl Into<String>,
    ) -> Self {
        Self::new(id, Severity::Caution, about, summary)
    }

    pub(crate) fn note(
        id: FindingId,
        about: impl Into<Option<Address>>,
        summary: impl Into<String>,
    ) -> Self {
        Self::new(id, Severity::Note, about, summary)
    }

    /// Something that decides a verdict could not be read: IOMMU, remapping, group or host role.
    pub(crate) fn undecided(
        id: FindingId,
        about: impl Into<Option<Address>>,
        summary: impl Into<String>,
    ) -> Self {
        Self {
            unknown: true,
            ..Self::new(id, Severity::Caution, about, summary)
        }
    }

    pub(crate) fn seen(mut self, evidence: impl Into<String>) -> Self {
        self.evidence.push(evidence.into());
        self
    }

    pub(crate) fn seen_all(mut self, evidence: impl IntoIterator<Item = String>) -> Self {
        self.evidence.extend(evidence);
        self
    }

    pub(crate) fn remedy(mut self, remedy: impl Into<Cow<'static, str>>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }
}
