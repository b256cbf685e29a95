use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::device::{Device, Shared};
use crate::layout::Layout;
use crate::log::AccessLog;
use crate::running::{RunningCard, RunningFunction};
use crate::{CardError, ConfigRegisters, Function, ProfileError};

/// A card: its functions, numbered from 0 in their order.
#[derive(Clone, Debug)]
pub struct CardProfile {
    /// The functions.
    pub functions: Vec<Function>,
}

impl CardProfile {
    /// A card with these functions.
    pub const fn new(functions: Vec<Function>) -> Self {
        Self { functions }
    }

    /// Changes function `number`, if there is one.
    #[must_use]
    pub fn change(mut self, number: usize, change: impl FnOnce(Function) -> Function) -> Self {
        if let Some(function) = self.functions.get_mut(number) {
            *function = change(function.clone());
        }
        self
    }

    /// Configuration space of each function after power-on.
    pub fn config_spaces(&self) -> Result<Vec<ConfigRegisters>, ProfileError> {
        let layouts = self.layouts()?;
        let registers = layouts.into_iter().map(|layout| layout.registers);
        Ok(registers.collect())
    }

    /// Serves the card on one socket per function in `folder`, which must be the card's own.
    pub fn start(&self, folder: &Path) -> Result<RunningCard, CardError> {
        let layouts = self.layouts()?;
        fs::create_dir_all(folder).map_err(|source| CardError::Io {
            path: folder.to_owned(),
            source,
        })?;
        let shared = Shared {
            log: AccessLog::new(),
            audio_enabled: Arc::new(AtomicBool::new(false)),
            stopping: Arc::new(AtomicBool::new(false)),
        };
        // Kept from the first socket on, so that a failure at a later one stops what runs.
        let mut card = RunningCard::new(shared.clone());
        for ((number, function), layout) in (0_u8..).zip(&self.functions).zip(layouts) {
            let device = Device::new(number, function.clone(), layout, shared.clone());
            card.add(RunningFunction::start(number, function, device, folder)?);
        }
        Ok(card)
    }

    fn layouts(&self) -> Result<Vec<Layout>, ProfileError> {
        let count = self.functions.len();
        if !(1..=8).contains(&count) {
            return Err(ProfileError::Functions(count));
        }
        let numbered = (0_u8..).zip(&self.functions);
        numbered
            .map(|(number, function)| Layout::new(function, number, count > 1))
            .collect()
    }
}
