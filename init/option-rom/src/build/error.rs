use super::LARGEST;

/// Why no ROM can be put together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// A PCIR structure needs a device id that is not zero, which ends device lists.
    #[error("a device id is missing or zero")]
    NoDevice,
    /// Nothing to put in.
    #[error("no driver and no legacy image was named")]
    NoPart,
    /// One image cannot be made.
    #[error("image {number}: {why}")]
    Part {
        /// Which, from 1.
        number: usize,
        /// Why.
        why: PartError,
    },
    /// No ROM BAR is that large.
    #[error("the ROM would have {length} bytes; the most is {LARGEST}")]
    TooLarge {
        /// Bytes up to the image that is too much.
        length: usize,
    },
    /// What was put together does not parse.
    #[error("the ROM would not be sound: {detail}")]
    Unsound {
        /// The problem, in one sentence.
        detail: String,
    },
}

/// Why one image cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PartError {
    /// The driver is no PE file.
    #[error("{0}; an EFI driver is a PE file")]
    NoPe(String),
    /// Packing makes the driver larger, which EfiRom refuses, too.
    #[error("packed, the driver would have {packed} bytes instead of {plain}; leave it as it is")]
    Grows {
        /// Bytes packed.
        packed: usize,
        /// Bytes of the driver.
        plain: usize,
    },
    /// More than the length fields can say.
    #[error("an image of {length} bytes is more than a ROM can have")]
    Long {
        /// Bytes.
        length: usize,
    },
    /// The file with the legacy image has something wrong.
    #[error("the legacy ROM is not whole: {detail}")]
    BadLegacy {
        /// The problem, in one sentence.
        detail: String,
    },
    /// The file with the legacy image has more or less in it than one image.
    #[error(
        "the legacy ROM has {images} images and {around} bytes beside them; it must be one x86 \
         image alone ('preflight rom mend' cuts padding and headers)"
    )]
    NotAlone {
        /// Images in it.
        images: usize,
        /// Bytes that belong to no image.
        around: usize,
    },
    /// The file with the legacy image has an image of another type.
    #[error("the legacy ROM has an image of type {kind}, not an x86 image")]
    NotLegacy {
        /// Which type.
        kind: String,
    },
}
