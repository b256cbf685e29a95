//! What lspci should print for our values, field by field.

mod channels;
mod conventional;
mod errors;
mod express;
mod extended;
mod header;

pub use header::header;

use pci::{Address, Contents, Decoded};

use crate::Tally;

/// Fields of one line.
pub struct Expected {
    /// How the line starts.
    start: String,
    /// The kind of line, for the tally.
    kind: &'static str,
    /// Words that stand in it; each with other spellings, of other versions of lspci.
    fields: Vec<Vec<String>>,
}

impl Expected {
    pub fn line(start: &'static str) -> Self {
        Self::numbered(start, start.to_owned())
    }

    pub fn numbered(kind: &'static str, start: String) -> Self {
        Self {
            start,
            kind,
            fields: Vec::new(),
        }
    }

    pub fn field(mut self, text: impl Into<String>) -> Self {
        self.fields.push(vec![text.into()]);
        self
    }

    pub fn either<const N: usize>(mut self, spellings: [String; N]) -> Self {
        self.fields.push(spellings.into());
        self
    }

    pub fn when(self, condition: bool, more: impl FnOnce(Self) -> Self) -> Self {
        if condition { more(self) } else { self }
    }

    pub fn flags<const N: usize>(mut self, flags: [(&str, bool); N]) -> Self {
        for (name, set) in flags {
            self = self.field(format!("{name}{}", if set { '+' } else { '-' }));
        }
        self
    }

    /// Fails unless there is one such line and every field stands in it.
    pub fn check(&self, lines: &[String], whose: &str, tally: &mut Tally) {
        let starts = |line: &&String| {
            line.strip_prefix(&self.start)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
        };
        let mut found = lines.iter().filter(starts);
        let (Some(line), None) = (found.next(), found.next()) else {
            panic!("{whose}: not one line '{}' in {lines:#?}", self.start);
        };
        let padded = format!(" {line} ");
        for spellings in &self.fields {
            assert!(
                spellings
                    .iter()
                    .any(|text| padded.contains(&format!(" {text} "))),
                "{whose}: ours {spellings:?}, lspci '{line}'"
            );
        }
        tally.agree(self.kind, self.fields.len());
    }
}

pub fn capability(at: Address, decoded: &Decoded, contents: &Contents) -> Vec<Expected> {
    match contents {
        Contents::PowerManagement(power) => conventional::power(*power),
        Contents::Msi(msi) => conventional::msi(*msi),
        Contents::MsiX(msix) => conventional::msix(*msix),
        Contents::VendorSpecific(vendor) => conventional::vendor(decoded, *vendor),
        Contents::AdvancedFeatures(features) => conventional::advanced_features(*features),
        Contents::Express(express) => express::express(at, decoded, express),
        Contents::AdvancedErrors(errors) => errors::errors(errors),
        Contents::VirtualChannel(channels) => channels::channels(channels),
        Contents::SerialNumber(number) => extended::serial_number(*number),
        Contents::VendorSpecificExtended(vendor) => extended::vendor(*vendor),
        Contents::AccessControl((acs, _)) => extended::access_control(*acs),
        Contents::Ari(ari) => extended::ari(*ari),
        Contents::AddressTranslation(ats) => extended::ats(*ats),
        Contents::SrIov(sriov) => extended::sriov(sriov),
        Contents::PageRequest(requests) => extended::page_request(*requests),
        Contents::ResizableBars(bars) | Contents::VfResizableBars(bars) => {
            extended::resizable_bars(bars)
        }
        Contents::LatencyTolerance(ltr) => extended::latency(*ltr),
        Contents::Pasid(pasid) => extended::pasid(*pasid),
        Contents::DownstreamContainment(dpc) => extended::containment(*dpc),
        Contents::L1Substates(substates) => extended::l1_substates(*substates),
        // lspci knows the contents of no vendor's but CXL's.
        Contents::DesignatedVendorSpecific(_) | Contents::Untyped => vec![],
    }
}
