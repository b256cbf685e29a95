use hardware::{Function, Reading, RomSource};
use option_rom::{ImageType, Verdict};

use super::{NamedCopy, verdict};

/// What a guest's configuration needs for a function's ROM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Advice {
    /// This file, by name, and why.
    File(String, String),
    /// No file, and why.
    NotNeeded(String),
    /// A file that is not to be had, and why.
    Missing(String),
}

impl Advice {
    /// `romfile=NAME`, where a file is needed.
    pub fn line(&self) -> Option<String> {
        match self {
            Self::File(name, _) => Some(format!("romfile={name}")),
            Self::NotNeeded(_) | Self::Missing(_) => None,
        }
    }

    /// Why.
    pub fn reason(&self) -> &str {
        match self {
            Self::File(_, why) | Self::NotNeeded(why) | Self::Missing(why) => why,
        }
    }
}

/// What the guest of this function needs. VFIO gives a guest what is behind the ROM BAR; a file is for
/// what is not, or not whole.
pub(super) fn advice(function: Option<&Function>, copies: &[NamedCopy<'_>]) -> Advice {
    let Some(chosen) = copies.iter().find(|named| named.is_chosen) else {
        return Advice::Missing("no source gave a copy".to_owned());
    };
    if chosen.copy.rom.verdict == Verdict::Bad {
        let problems = &chosen.copy.rom.problems;
        let first = problems
            .iter()
            .find(|problem| problem.id.allows() == Verdict::Bad);
        let why = first.map_or("", |problem| problem.detail.as_str());
        return Advice::Missing(format!("the best copy is bad: {why}"));
    }
    if chosen.copy.taint.is_some() {
        return Advice::Missing(
            "the only copy may have been changed since firmware started; do not give it to a guest"
                .to_owned(),
        );
    }
    let file = |why: String| Advice::File(chosen.file_name(), why);
    let Some(function) = function else {
        return file("it is not there now, so no guest can read its ROM BAR".to_owned());
    };
    if !function.class.is_display() {
        return Advice::NotNeeded(
            "it is no display: a guest only needs its ROM to start from it".to_owned(),
        );
    }
    match &function.boot_vga {
        Reading::Known(true) => {
            return file(
                "it is the firmware's boot display: the ROM that a guest reads is the legacy copy, not \
                 what its flash holds"
                    .to_owned(),
            );
        }
        Reading::Unknown(why) => {
            return file(format!(
                "whether it is the firmware's boot display is unknown: {why}"
            ));
        }
        Reading::Known(false) | Reading::Absent => {}
    }
    through_rom_bar(chosen, copies).map_or_else(file, Advice::NotNeeded)
}

/// Why the guest's own reading of the ROM BAR is as good; an error says why it is not.
fn through_rom_bar(chosen: &NamedCopy<'_>, copies: &[NamedCopy<'_>]) -> Result<String, String> {
    let own = copies
        .iter()
        .find(|named| named.copy.source == RomSource::RomBar)
        .ok_or("its ROM BAR gives no ROM")?;
    let state = verdict(own.copy.rom.verdict);
    if own.copy.rom.verdict == Verdict::Bad {
        return Err("what its ROM BAR gives is bad".to_owned());
    }
    // Images that a guest's firmware runs; a vendor's own behind them are for the vendor's tools.
    for kind in [ImageType::X86, ImageType::Efi] {
        let image = |named: &NamedCopy<'_>| {
            let images = named.copy.rom.images.iter();
            let mut of_kind = images.filter(|image| image.kind == kind);
            of_kind
                .next()
                .map(|image| image.bytes(named.bytes).to_vec())
        };
        if image(own) != image(chosen) {
            return Err(format!(
                "its ROM BAR gives another {kind} image than the chosen copy has"
            ));
        }
    }
    Ok(format!(
        "it is not the firmware's boot display, and the guest reads a {state} ROM through the ROM BAR"
    ))
}
