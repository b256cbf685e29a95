//! The kernel command line.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A kernel command line, cut into parameters as the kernel does (lib/cmdline.c, next_arg). Written as the
/// text that it was read from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct CommandLine {
    text: String,
    parameters: Vec<Parameter>,
}

/// One parameter: `quiet`, `intel_iommu=on`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// What stands before the first `=`.
    pub name: String,
    /// What stands behind it, without surrounding quotes; none without a `=`.
    pub value: Option<String>,
}

impl Parameter {
    /// Whether it has that name: to the kernel `-` and `_` are the same (kernel/params.c, parameq).
    pub fn is(&self, name: &str) -> bool {
        same_name(&self.name, name)
    }
}

impl fmt::Display for Parameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Some(value) if value.contains(char::is_whitespace) => {
                write!(f, "{}=\"{value}\"", self.name)
            }
            Some(value) => write!(f, "{}={value}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

impl CommandLine {
    /// Its parameters, in order.
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// The text as it was read, without white space around it.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The values given for a parameter, in order; the kernel mostly takes the last.
    pub fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let named = self
            .parameters
            .iter()
            .filter(move |parameter| parameter.is(name));
        named.map(|parameter| parameter.value.as_deref().unwrap_or_default())
    }

    /// Whether a parameter is there at all.
    pub fn has(&self, name: &str) -> bool {
        self.parameters.iter().any(|parameter| parameter.is(name))
    }

    /// Whether exactly this parameter is there, name and value.
    pub fn contains(&self, wanted: &Parameter) -> bool {
        self.parameters
            .iter()
            .any(|parameter| parameter.is(&wanted.name) && parameter.value == wanted.value)
    }
}

impl From<String> for CommandLine {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<&str> for CommandLine {
    fn from(text: &str) -> Self {
        let text = text.trim();
        Self {
            text: text.to_owned(),
            parameters: split(text).map(parameter).collect(),
        }
    }
}

impl From<CommandLine> for String {
    fn from(line: CommandLine) -> Self {
        line.text
    }
}

impl fmt::Display for CommandLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

pub(crate) fn same_name(one: &str, other: &str) -> bool {
    let fold = |byte: u8| if byte == b'-' { b'_' } else { byte };
    one.bytes().map(fold).eq(other.bytes().map(fold))
}

/// Splits at white space that stands outside double quotes.
fn split(text: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    text.split(move |character: char| {
        quoted ^= character == '"';
        !quoted && character.is_ascii_whitespace()
    })
    .filter(|word| !word.is_empty())
}

fn parameter(word: &str) -> Parameter {
    // A word may be quoted as a whole, or its value alone.
    let inner = word
        .strip_prefix('"')
        .map_or(word, |rest| rest.strip_suffix('"').unwrap_or(rest));
    match inner.split_once('=') {
        Some((name, value)) => Parameter {
            name: name.to_owned(),
            value: Some(
                value
                    .strip_prefix('"')
                    .map_or(value, |rest| rest.strip_suffix('"').unwrap_or(rest))
                    .to_owned(),
            ),
        },
        None => Parameter {
            name: inner.to_owned(),
            value: None,
        },
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn quotes_keep_white_space_inside_a_value() {
        let line = CommandLine::from("quiet  dyndbg=\"file a.c +p\" \"x=1 2\" root=/dev/sda1\n");
        let words: Vec<_> = line.parameters().iter().map(ToString::to_string).collect();
        assert_eq!(
            words,
            [
                "quiet",
                "dyndbg=\"file a.c +p\"",
                "x=\"1 2\"",
                "root=/dev/sda1"
            ]
        );
    }

    #[test]
    fn a_dash_and_an_underscore_are_the_same_in_a_name() {
        let line = CommandLine::from("vfio-pci.ids=10de:1b80 intel_iommu=on intel_iommu=sm_on");
        assert!(line.has("vfio_pci.ids"));
        assert_eq!(line.values("intel-iommu").last(), Some("sm_on"));
    }

    proptest! {
        #[test]
        fn any_text_has_parameters_and_keeps_its_bytes(text in ".{0,200}") {
            let line = CommandLine::from(text.as_str());
            prop_assert_eq!(line.as_str(), text.trim());
        }
    }
}
