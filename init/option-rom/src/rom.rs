use pci::FunctionId;
use serde::{Deserialize, Serialize};

use crate::{Image, ImageType, Problem};

/// A ROM as its bytes describe themselves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rom {
    /// Bytes before the first image (an NVIDIA file header).
    pub leading: usize,
    /// The images, in order.
    pub images: Vec<Image>,
    /// What stands behind the last image; behind nothing, when there is no image.
    pub trailing: Trailing,
    /// Good, usable or bad: the worst that `problems` allows.
    pub verdict: Verdict,
    /// Everything that is wrong or odd, in the order of the file.
    pub problems: Vec<Problem>,
}

/// What stands behind the last image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "kind", content = "length")]
pub enum Trailing {
    /// Nothing.
    None,
    /// So many bytes of one repeated 0x00 or 0xFF.
    Padding(usize),
    /// So many bytes that are no padding.
    Data(usize),
}

/// Whether a ROM can serve as a card's ROM.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// As a card's flash would hold it.
    Good,
    /// Works, with the problems named.
    Usable,
    /// No ROM, or not a whole one.
    Bad,
}

impl Rom {
    /// Reads what the bytes say about themselves. Never fails: what is wrong is in `problems`. Takes
    /// time linear in the number of bytes, whatever they hold.
    pub fn parse(bytes: &[u8]) -> Self {
        crate::walk::parse(bytes).0
    }

    /// The same, with how much it took: bytes looked at, bytes unpacked, entries read. At most a fixed
    /// amount (for unpacking) and a fixed multiple of the number of bytes.
    pub fn parse_counted(bytes: &[u8]) -> (Self, u64) {
        crate::walk::parse(bytes)
    }

    /// The same ROM, judged as that of a function: images for other ids are problems of it.
    #[must_use]
    pub fn judged_for(mut self, function: FunctionId) -> Self {
        self.problems.extend(self.check_ids(function));
        self.verdict = Verdict::of(&self.problems);
        self
    }

    /// Whether an image of this type is in it.
    pub fn has(&self, kind: ImageType) -> bool {
        self.images.iter().any(|image| image.kind == kind)
    }
}

impl Verdict {
    /// The worst that the problems allow.
    pub fn of(problems: &[Problem]) -> Self {
        problems
            .iter()
            .map(|problem| problem.id.allows())
            .max()
            .unwrap_or(Self::Good)
    }
}
