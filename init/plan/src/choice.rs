use std::collections::{BTreeMap, BTreeSet};

use option_rom::Rom;
use pci::Address;
use serde::{Deserialize, Serialize};

use crate::options::OPTIONS;

/// What a person wants.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// The functions to be given.
    pub devices: Vec<Address>,
    /// The guest (VMID) that they are for; none leaves guests alone.
    pub guest: Option<u32>,
    /// A ROM for the card.
    pub rom: Option<RomFile>,
    /// Options by name, as in the table.
    pub settings: BTreeMap<String, String>,
    /// Ids of refusals that are taken as said.
    pub accepted: BTreeSet<String>,
}

/// A ROM file that was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RomFile {
    /// Where it was read.
    pub path: String,
    /// Bytes.
    pub length: usize,
    /// SHA-256, lower-case hex.
    pub sha256: String,
    /// What it says of itself, judged for the card.
    pub rom: Rom,
}

/// An option that there is not, or a value that it does not take.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChoiceError {
    /// No `=`.
    #[error("'{0}' is no option; write OPTION=VALUE")]
    NoValue(String),
    /// Not in the table.
    #[error("there is no option '{name}'; there are {known}")]
    Unknown {
        /// As it was written.
        name: String,
        /// All names.
        known: String,
    },
    /// Not a value of it.
    #[error("'{value}' is no value of {name}, which takes {takes}")]
    Value {
        /// The option.
        name: String,
        /// As it was written.
        value: String,
        /// What it takes.
        takes: String,
    },
}

impl Choice {
    /// Takes one `OPTION=VALUE`.
    ///
    /// # Errors
    /// An option that is not in the table, and a value that it does not take.
    pub fn set(&mut self, setting: &str) -> Result<(), ChoiceError> {
        let (name, value) = setting
            .split_once('=')
            .ok_or_else(|| ChoiceError::NoValue(setting.to_owned()))?;
        let option = OPTIONS
            .iter()
            .find(|option| option.name == name)
            .ok_or_else(|| {
                let known: Vec<&str> = OPTIONS.iter().map(|option| option.name).collect();
                ChoiceError::Unknown {
                    name: name.to_owned(),
                    known: known.join(", "),
                }
            })?;
        if !option.takes(value) {
            return Err(ChoiceError::Value {
                name: name.to_owned(),
                value: value.to_owned(),
                takes: option.values.to_owned(),
            });
        }
        self.settings.insert(name.to_owned(), value.to_owned());
        Ok(())
    }
}
