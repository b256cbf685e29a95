//! One file for each subcommand, and what they share.

pub(crate) mod completions;
pub(crate) mod fetch;
pub(crate) mod initramfs;
pub(crate) mod inspect;
pub(crate) mod iso;
pub(crate) mod manual;
mod medium;
pub(crate) mod netboot;
mod output;
mod refresh;
pub(crate) mod uki;
pub(crate) mod usb;

use anyhow::Context;
pub(crate) use output::{clear_progress, harmless_lines};

/// <https://reproducible-builds.org/specs/source-date-epoch/>
fn source_date_epoch() -> anyhow::Result<u32> {
    match std::env::var("SOURCE_DATE_EPOCH") {
        Ok(text) => text
            .parse()
            .with_context(|| format!("SOURCE_DATE_EPOCH is '{text}', not seconds since 1970")),
        Err(_) => Ok(0),
    }
}
