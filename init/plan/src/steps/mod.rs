//! One matter each, in the order that a person reads them.

mod binding;
mod command_line;
mod display;
mod guest;
mod host;
mod libvirt;
mod mediated;
mod module_options;
mod rom;
mod sound;
mod switch;
mod virtual_functions;

pub(crate) use binding::{INIT_TOP, INITRAMFS_MODULES};
pub use rom::{rom_advised, rom_target};

#[cfg(test)]
mod tests;

use crate::draft::Draft;

/// A step, and the refusals that it can write.
pub(crate) struct Step {
    pub(crate) refusals: &'static [&'static str],
    pub(crate) write: fn(&mut Draft),
}

pub(crate) const STEPS: &[Step] = &[
    sound::STEP,
    host::STEP,
    command_line::STEP,
    display::STEP,
    virtual_functions::STEP,
    mediated::STEP,
    binding::STEP,
    module_options::STEP,
    rom::STEP,
    guest::STEP,
    libvirt::STEP,
];

/// Refusals that any edit can end in.
const OF_EDITS: [&str; 2] = ["file-not-understood", "file-unread"];

/// The id of every refusal. Each has an entry in docs/plan.md.
pub fn refusal_ids() -> impl Iterator<Item = &'static str> {
    let steps = STEPS.iter().flat_map(|step| step.refusals).copied();
    steps.chain(OF_EDITS)
}
