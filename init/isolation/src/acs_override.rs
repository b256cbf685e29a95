use std::fmt;
use std::str::FromStr;

use pci::{FunctionId, PortType};
use serde::Serialize;

/// What `pcie_acs_override` declares isolated, as the patch in every Proxmox VE kernel has it (mainline and
/// Debian kernels do not). Written as on the command line, or `none`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Override {
    terms: Vec<Term>,
}

/// One word of the override.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(into = "String")]
pub enum Term {
    /// Root ports and downstream ports of switches.
    Downstream,
    /// Endpoints, upstream ports and functions of the root complex that are one of several in their device.
    Multifunction,
    /// Any Express function with this id.
    Id(FunctionId),
}

/// A text that is not an override.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' is not an ACS override; write 'none' or a comma list of downstream, multifunction and \
     id:VVVV:DDDD"
)]
pub struct OverrideError(String);

/// Name of the kernel parameter.
const PARAMETER: &str = "pcie_acs_override=";

/// The patch has 16 places and fills 15 (`max_acs_id >= NUM_ACS_IDS - 1`).
const MAX_IDS: usize = 15;

impl Override {
    /// No override: what the hardware does counts.
    pub const NONE: Self = Self { terms: Vec::new() };

    /// The override of these words.
    pub fn of(terms: impl IntoIterator<Item = Term>) -> Self {
        let mut unique = Vec::new();
        for term in terms {
            let ids = unique.iter().filter(|term| matches!(term, Term::Id(_)));
            let full = matches!(term, Term::Id(_)) && ids.count() >= MAX_IDS;
            if !full && !unique.contains(&term) {
                unique.push(term);
            }
        }
        Self { terms: unique }
    }

    /// The override that a kernel command line asks for. Like the kernel it goes by how a word begins, and
    /// passes over what it does not know.
    pub fn from_command_line(line: &str) -> Self {
        let values = line
            .split_whitespace()
            .filter_map(|word| word.strip_prefix(PARAMETER));
        Self::of(
            values
                .flat_map(|value| value.split(','))
                .filter_map(lenient),
        )
    }

    /// Whether it declares nothing.
    pub fn is_none(&self) -> bool {
        self.terms.is_empty()
    }

    /// Its words.
    pub fn terms(&self) -> &[Term] {
        &self.terms
    }

    /// The word that declares an Express function isolated, if the function has no ACS capability of its own:
    /// the override never touches one that has, nor conventional PCI (`pcie_acs_overrides`).
    pub(crate) fn covers(
        &self,
        id: FunctionId,
        port: PortType,
        multifunction: bool,
    ) -> Option<Term> {
        let by_id = Term::Id(id);
        if self.terms.contains(&by_id) {
            return Some(by_id);
        }
        let by_kind = match port {
            PortType::RootPort | PortType::DownstreamPort => Term::Downstream,
            PortType::Endpoint
            | PortType::LegacyEndpoint
            | PortType::UpstreamPort
            | PortType::RootComplexEndpoint
                if multifunction =>
            {
                Term::Multifunction
            }
            _ => return None,
        };
        self.terms.contains(&by_kind).then_some(by_kind)
    }
}

fn lenient(word: &str) -> Option<Term> {
    if word.starts_with("downstream") {
        return Some(Term::Downstream);
    }
    if word.starts_with("multifunction") {
        return Some(Term::Multifunction);
    }
    word.parse().ok()
}

impl FromStr for Term {
    type Err = OverrideError;

    fn from_str(text: &str) -> Result<Self, OverrideError> {
        match text {
            "downstream" => Ok(Self::Downstream),
            "multifunction" => Ok(Self::Multifunction),
            _ => text
                .strip_prefix("id:")
                .and_then(|id| id.parse().ok())
                .map(Self::Id)
                .ok_or_else(|| OverrideError(text.to_owned())),
        }
    }
}

impl FromStr for Override {
    type Err = OverrideError;

    fn from_str(text: &str) -> Result<Self, OverrideError> {
        if text == "none" {
            return Ok(Self::NONE);
        }
        let terms: Result<Vec<Term>, _> = text.split(',').map(str::parse).collect();
        let whole = || OverrideError(text.to_owned());
        let terms = terms.map_err(|_| whole())?;
        let ids = terms.iter().filter(|term| matches!(term, Term::Id(_)));
        if ids.count() > MAX_IDS {
            return Err(whole());
        }
        Ok(Self::of(terms))
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Downstream => f.write_str("downstream"),
            Self::Multifunction => f.write_str("multifunction"),
            Self::Id(id) => write!(f, "id:{id}"),
        }
    }
}

impl From<Term> for String {
    fn from(term: Term) -> Self {
        term.to_string()
    }
}

impl fmt::Display for Override {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.terms.is_empty() {
            return f.write_str("none");
        }
        for (number, term) in self.terms.iter().enumerate() {
            let comma = if number > 0 { "," } else { "" };
            write!(f, "{comma}{term}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Override {
        text.parse().unwrap()
    }

    #[test]
    fn an_override_prints_the_way_it_was_read() {
        for text in [
            "none",
            "downstream",
            "downstream,multifunction",
            "id:10de:0fc6,downstream",
        ] {
            assert_eq!(parsed(text).to_string(), text);
        }
        assert_eq!(parsed("downstream,downstream").to_string(), "downstream");
    }

    #[test]
    fn a_word_is_written_as_on_the_command_line() {
        let id = Term::Id(FunctionId::new(0x1022, 0x43c7));
        let words = [Term::Downstream, Term::Multifunction, id].map(String::from);
        assert_eq!(words, ["downstream", "multifunction", "id:1022:43c7"]);
    }

    #[test]
    fn what_is_no_override_is_refused_whole() {
        for text in [
            "",
            "down",
            "downstream,",
            "none,downstream",
            "id:10de",
            "id:10de:0fc6:1",
        ] {
            let refused = text.parse::<Override>().unwrap_err();
            assert!(
                refused.to_string().contains(&format!("'{text}'")),
                "{refused}"
            );
        }
    }

    #[test]
    fn the_kernel_has_room_for_fifteen_ids() {
        let ids = |count: usize| {
            let ids: Vec<String> = (0..count).map(|id| format!("id:8086:{id:04x}")).collect();
            ids.join(",")
        };
        assert_eq!(parsed(&ids(15)).terms().len(), 15);
        assert!(ids(16).parse::<Override>().is_err());
        let line = format!("pcie_acs_override={},downstream", ids(16));
        let read = Override::from_command_line(&line);
        assert_eq!(read.terms().len(), 16);
        assert_eq!(read.terms().last(), Some(&Term::Downstream));
    }

    #[test]
    fn a_command_line_is_read_as_the_kernel_reads_it() {
        let of = |line| Override::from_command_line(line).to_string();
        assert_eq!(of("quiet iommu=pt"), "none");
        assert_eq!(
            of("pcie_acs_override=downstream,multifunction quiet"),
            "downstream,multifunction"
        );
        assert_eq!(
            of("pcie_acs_override=downstreams,x,id:1022:43c6"),
            "downstream,id:1022:43c6"
        );
        assert_eq!(of("pcie_acs_override=multifunctional"), "multifunction");
        assert!(Override::from_command_line("pcie_acs_override=x").is_none());
        assert!(!Override::from_command_line("pcie_acs_override=downstream").is_none());
    }

    #[test]
    fn each_word_covers_its_kinds_alone() {
        use PortType::*;
        let id = FunctionId::new(0x1022, 0x43c7);
        let kinds = [
            RootPort,
            DownstreamPort,
            Endpoint,
            LegacyEndpoint,
            UpstreamPort,
            RootComplexEndpoint,
            PcieToPciBridge,
            PciToPcieBridge,
            EventCollector,
        ];
        let covered = |text: &str, multifunction| {
            let asked = parsed(text);
            let covers = |kind: &PortType| asked.covers(id, *kind, multifunction).is_some();
            kinds.into_iter().filter(covers).collect::<Vec<_>>()
        };
        let ports = vec![RootPort, DownstreamPort];
        assert_eq!(covered("downstream", false), ports);
        assert_eq!(covered("downstream", true), ports);
        assert_eq!(covered("multifunction", false), vec![]);
        let functions = vec![Endpoint, LegacyEndpoint, UpstreamPort, RootComplexEndpoint];
        assert_eq!(covered("multifunction", true), functions);
        assert_eq!(covered("id:1022:43c7", false), kinds);
        assert_eq!(covered("id:1022:43c6", true), vec![]);
        assert_eq!(covered("none", true), vec![]);
    }
}
