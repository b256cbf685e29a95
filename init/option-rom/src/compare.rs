use serde::{Deserialize, Serialize};

use crate::{Image, ImageType, Rom};

/// A ROM and the bytes that it was parsed from.
#[derive(Clone, Copy, Debug)]
pub struct RomCopy<'a> {
    /// What the bytes say.
    pub rom: &'a Rom,
    /// The bytes.
    pub bytes: &'a [u8],
}

/// Two copies of a ROM, image by image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comparison {
    /// The files are the same to the last byte, padding and headers included.
    pub identical: bool,
    /// Images that stand for each other: the first of a type with the first of that type, and so on; then
    /// those of the second copy that have no counterpart.
    pub images: Vec<ImagePair>,
}

/// Images of two copies that stand for each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImagePair {
    /// Code type of both.
    #[serde(rename = "type")]
    pub kind: ImageType,
    /// The image's number in the first copy, from 0.
    pub first: Option<usize>,
    /// The image's number in the second copy, from 0.
    pub second: Option<usize>,
    /// How they agree.
    pub agreement: Agreement,
}

/// How two images agree. Lengths and offsets are in bytes from the start of the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Agreement {
    /// Every byte is the same.
    Same,
    /// One ends earlier, and is the same up to there.
    Shorter {
        /// Bytes that both have.
        common: usize,
    },
    /// Bytes differ.
    Differs {
        /// How many of those that both have.
        bytes: usize,
        /// Where the first of them is.
        at: usize,
    },
    /// Only the first copy has this image.
    OnlyFirst,
    /// Only the second copy has this image.
    OnlySecond,
}

impl Comparison {
    /// Whether both copies have the same images, and each is the same in both.
    pub fn agrees(&self) -> bool {
        let same = |pair: &ImagePair| pair.agreement == Agreement::Same;
        !self.images.is_empty() && self.images.iter().all(same)
    }
}

/// Compares two copies image by image. Where the images start, and what stands around them, plays no
/// part: a flash dump with a header agrees with what the ROM BAR gave.
pub fn compare(first: RomCopy<'_>, second: RomCopy<'_>) -> Comparison {
    let mut left_over: Vec<(usize, &Image)> = second.rom.images.iter().enumerate().collect();
    let mut images = Vec::new();
    for (number, image) in first.rom.images.iter().enumerate() {
        let counterpart = left_over
            .iter()
            .position(|(_, other)| other.kind == image.kind)
            .map(|at| left_over.remove(at));
        let agreement = counterpart.map_or(Agreement::OnlyFirst, |(_, other)| {
            agreement(image.bytes(first.bytes), other.bytes(second.bytes))
        });
        images.push(ImagePair {
            kind: image.kind,
            first: Some(number),
            second: counterpart.map(|(number, _)| number),
            agreement,
        });
    }
    images.extend(left_over.into_iter().map(|(number, image)| ImagePair {
        kind: image.kind,
        first: None,
        second: Some(number),
        agreement: Agreement::OnlySecond,
    }));
    Comparison {
        identical: first.bytes == second.bytes,
        images,
    }
}

fn agreement(first: &[u8], second: &[u8]) -> Agreement {
    if first == second {
        return Agreement::Same;
    }
    let pairs = || first.iter().zip(second);
    match pairs().position(|(one, other)| one != other) {
        None => Agreement::Shorter {
            common: first.len().min(second.len()),
        },
        Some(at) => Agreement::Differs {
            bytes: pairs().filter(|(one, other)| one != other).count(),
            at,
        },
    }
}
