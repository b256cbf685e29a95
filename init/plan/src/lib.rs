//! What is to be changed in an installed system so that devices can be given to a guest, and why.
//!
//! [`plan`] is a function of the machine and its assessment, the installation, the files that may change, and
//! the [`Choice`]: a [`Plan`] comes out, and nothing is written. [`edit`] has the editors. Each step in
//! `steps` writes the changes of one matter, with their reasons.

mod choice;
mod context;
mod diff;
mod draft;
pub mod edit;
mod files;
mod no_effect;
mod options;
mod plan;
mod steps;
#[cfg(test)]
mod testing;
mod verify;

pub use choice::{Choice, ChoiceError, RomFile};
pub use context::Subject;
pub use diff::{diff, text_diff};
pub use files::SystemFiles;
pub use options::{OPTIONS, PlanOption};
pub use plan::{Body, Change, Content, Needs, OptionUsed, Plan, Refusal, SCHEMA, Tree, sha256};
pub use steps::{refusal_ids, rom_advised, rom_target};
pub use verify::{Found, Mismatch, UNVERIFIED, out_of_reach, verify};

use hardware::Reading;

/// Plans the changes. What stands against them is in [`Plan::refusals`]; the changes are there all the same, so
/// that a person sees what is meant.
pub fn plan(subject: Subject, choice: &Choice) -> Plan {
    let ctx = context::Context::new(subject, choice);
    let mut draft = draft::Draft::new(&ctx);
    for step in steps::STEPS {
        (step.write)(&mut draft);
    }
    no_effect::warn(&mut draft);
    let release = subject.installation.release.name();
    let mut plan = draft.finish(match &subject.installation.node {
        Reading::Known(node) => format!("{release} '{node}'"),
        Reading::Absent | Reading::Unknown(_) => release,
    });
    verify::add_unapplied(&mut plan, subject.installation, subject.files);
    plan
}
