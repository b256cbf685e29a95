use serde::{Deserialize, Serialize};

use crate::Verdict;

/// One thing that is wrong or odd about a ROM.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Which.
    pub id: ProblemId,
    /// Where and how, in one sentence.
    pub detail: String,
}

/// One row of [`ProblemId::ALL`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProblemEntry {
    /// The problem.
    pub id: ProblemId,
    /// Its name in JSON and in docs/findings.md: `rom.truncated`.
    pub name: &'static str,
    /// The best verdict that a ROM with this problem can have.
    pub allows: Verdict,
    /// What it means, in one sentence.
    pub meaning: &'static str,
    /// What to do about it, in one sentence.
    pub remedy: &'static str,
}

macro_rules! problems {
    ($($variant:ident, $name:literal, $allows:ident, $meaning:literal, $remedy:literal;)*) => {
        /// Ids of problems; each has an entry in docs/findings.md.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum ProblemId {
            $(#[doc = $meaning] #[serde(rename = $name)] $variant,)*
        }

        impl ProblemId {
            /// Every problem there is, with what it means.
            pub const ALL: &'static [ProblemEntry] = &[$(ProblemEntry {
                id: Self::$variant,
                name: $name,
                allows: Verdict::$allows,
                meaning: $meaning,
                remedy: $remedy,
            },)*];

            /// The name in JSON and in docs/findings.md: `rom.truncated`.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// What it means, in one sentence.
            pub const fn meaning(self) -> &'static str {
                match self {
                    $(Self::$variant => $meaning,)*
                }
            }

            /// What to do about it, in one sentence.
            pub const fn remedy(self) -> &'static str {
                match self {
                    $(Self::$variant => $remedy,)*
                }
            }

            /// The best verdict that a ROM with this problem can have.
            pub const fn allows(self) -> Verdict {
                match self {
                    $(Self::$variant => Verdict::$allows,)*
                }
            }
        }
    };
}

problems! {
    Empty, "rom.empty", Bad,
        "There are no bytes.",
        "Read it again.";
    AllOnes, "rom.all-ones", Bad,
        "Every byte is 0xFF: the card did not answer (powered down, decode off, no address).",
        "Read it again with the card in D0 and no driver bound.";
    AllZeros, "rom.all-zeros", Bad,
        "Every byte is 0x00: something else than the card's ROM answered.",
        "Read it again with another display as the primary one.";
    NoSignature, "rom.no-signature", Bad,
        "No 55 AA with a PCIR structure where an image must start.",
        "Read it again; of a file, check that it is an option ROM at all.";
    NoPcir, "rom.no-pcir", Bad,
        "The first image has no PCIR structure: an old ISA-style ROM, or no PCI ROM.",
        "Do not give it to a guest as a card's ROM.";
    Truncated, "rom.truncated", Bad,
        "The bytes end before an image does.",
        "Read it again, from another source if there is one.";
    ZeroLength, "rom.zero-length", Bad,
        "An image says that it has no length, so nothing behind it can be found.",
        "Read it again.";
    ChainBroken, "rom.chain-broken", Bad,
        "An image says that another follows, and what follows is no image.",
        "Read it again, from another source if there is one.";
    LastMissing, "rom.last-missing", Usable,
        "No image is marked as the last, and none follows: either so made, or cut off.",
        "Compare its length with that of another copy.";
    VendorTailMissing, "rom.vendor-tail-missing", Usable,
        "NVIDIA's own images behind the standard ones are not there or not whole.",
        "Nothing for most guests; a full copy needs another source.";
    LeadingData, "rom.leading-data", Usable,
        "Bytes stand before the first image; firmware looks for it at the very start.",
        "Let 'preflight rom mend' strip them before you give the file to a guest.";
    TrailingData, "rom.trailing-data", Usable,
        "Bytes that are no padding stand behind the last image.",
        "Nothing; firmware does not look there.";
    TrailingPadding, "rom.trailing-padding", Good,
        "Padding stands behind the last image, as in a flash chip larger than its ROM.",
        "Nothing; 'preflight rom mend' cuts it.";
    Checksum, "rom.checksum", Usable,
        "The bytes of an x86 image do not sum to zero: changed since it was made.",
        "Read it again with another display as the primary one; of a ROM that was changed on purpose, \
         'preflight rom mend --checksum' sets the sum.";
    PcirShort, "rom.pcir-short", Usable,
        "A PCIR structure says that it is shorter than any revision of it is.",
        "Nothing, unless a guest's firmware refuses the ROM.";
    PcirOutside, "rom.pcir-outside", Usable,
        "A PCIR structure lies outside the image that it describes.",
        "Compare with another copy.";
    DeviceList, "rom.device-list", Usable,
        "The list of further device ids does not end inside its image.",
        "Nothing, unless a guest's firmware refuses the ROM.";
    EfiHeader, "rom.efi-header", Bad,
        "The header of an EFI image makes no sense, so firmware passes it over.",
        "Read it again; a guest with OVMF shows nothing with this copy.";
    EfiCompressed, "rom.efi-compressed", Bad,
        "The compressed driver of an EFI image cannot be unpacked.",
        "Read it again, from another source if there is one.";
    EfiUnchecked, "rom.efi-unchecked", Usable,
        "A compressed driver says that it is larger than any is, so it was not unpacked.",
        "Compare with another copy.";
    EfiPe, "rom.efi-pe", Bad,
        "The driver in an EFI image is no whole PE file.",
        "Read it again, from another source if there is one.";
    EfiMismatch, "rom.efi-mismatch", Usable,
        "Header and PE file of an EFI image name different machines or subsystems.",
        "Compare with another copy.";
    IdMismatch, "rom.id-mismatch", Usable,
        "An image names other ids than the function's: perhaps another card's ROM.",
        "Make sure that the file is this card's; for a graphics ROM that is given to the audio \
         function on purpose it is right.";
}

impl std::fmt::Display for ProblemId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_problem_has_one_name_that_begins_with_rom() {
        let mut names: Vec<_> = ProblemId::ALL.iter().map(|entry| entry.name).collect();
        assert!(names.iter().all(|name| name.starts_with("rom.")));
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ProblemId::ALL.len());
    }

    #[test]
    fn a_verdict_is_the_worst_that_any_problem_allows() {
        let problem = |id| Problem {
            id,
            detail: String::new(),
        };
        assert_eq!(Verdict::of(&[]), Verdict::Good);
        assert_eq!(
            Verdict::of(&[problem(ProblemId::TrailingPadding)]),
            Verdict::Good
        );
        assert_eq!(
            Verdict::of(&[
                problem(ProblemId::Truncated),
                problem(ProblemId::LeadingData)
            ]),
            Verdict::Bad
        );
    }
}
