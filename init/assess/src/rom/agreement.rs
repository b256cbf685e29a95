use option_rom::{Image, Rom};

use crate::Agreement;

/// A ROM and the bytes that it was parsed from.
#[derive(Clone, Copy)]
pub(super) struct Parsed<'a> {
    pub rom: &'a Rom,
    pub bytes: &'a [u8],
}

impl<'a> Parsed<'a> {
    fn image(&self, image: &Image) -> &'a [u8] {
        image.bytes(self.bytes)
    }
}

/// Compares two copies image by image, in their order; what stands before the first image and behind the
/// last is no part of a ROM. In words, how `other` relates to `one`.
pub(super) fn compare(one: Parsed<'_>, other: Parsed<'_>) -> (Agreement, String) {
    let (ours, theirs) = (&one.rom.images, &other.rom.images);
    if ours.is_empty() || theirs.is_empty() {
        return (
            Agreement::Nothing,
            "there is no image to compare".to_owned(),
        );
    }
    for (our, their) in ours.iter().zip(theirs) {
        let (a, b) = (one.image(our), other.image(their));
        if our.kind != their.kind {
            let words = format!(
                "has an {} image where the other has an {} image, at {:#x}",
                their.kind, our.kind, our.offset
            );
            return (Agreement::Different, words);
        }
        if a != b {
            return (Agreement::Different, difference(our, a, b));
        }
    }
    match theirs.len().cmp(&ours.len()) {
        std::cmp::Ordering::Equal => (Agreement::Same, "is the same in every image".to_owned()),
        std::cmp::Ordering::Less => (
            Agreement::Part,
            format!(
                "is the same as far as it goes, and lacks {}",
                kinds(ours, theirs.len())
            ),
        ),
        std::cmp::Ordering::Greater => (
            Agreement::Part,
            format!("is the same and has more: {}", kinds(theirs, ours.len())),
        ),
    }
}

fn difference(image: &Image, ours: &[u8], theirs: &[u8]) -> String {
    let pairs = || ours.iter().zip(theirs);
    let differing = pairs().filter(|(one, other)| one != other).count();
    match pairs().position(|(one, other)| one != other) {
        Some(first) => format!(
            "differs in the {} image at {:#x}: in {differing} {}, the first at {:#x}",
            image.kind,
            image.offset,
            if differing == 1 { "byte" } else { "bytes" },
            image.offset + first
        ),
        None => format!(
            "has {} bytes of the {} image at {:#x}, where the other has {}",
            theirs.len(),
            image.kind,
            image.offset,
            ours.len()
        ),
    }
}

/// The images from number `from` on.
fn kinds(images: &[Image], from: usize) -> String {
    let kinds: Vec<String> = images
        .iter()
        .skip(from)
        .map(|image| format!("the {} image at {:#x}", image.kind, image.offset))
        .collect();
    kinds.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{legacy_rom, whole_rom};

    fn compared(one: &[u8], other: &[u8]) -> (Agreement, String) {
        let (first, second) = (Rom::parse(one), Rom::parse(other));
        compare(
            Parsed {
                rom: &first,
                bytes: one,
            },
            Parsed {
                rom: &second,
                bytes: other,
            },
        )
    }

    #[test]
    fn padding_behind_the_last_image_is_no_difference() {
        let padded = [whole_rom(), vec![0xff; 512]].concat();
        assert_eq!(compared(&whole_rom(), &padded).0, Agreement::Same);
    }

    #[test]
    fn a_byte_that_differs_is_named_with_its_image() {
        let mut other = whole_rom();
        other[0x500] ^= 1;
        let (agreement, words) = compared(&whole_rom(), &other);
        assert_eq!(agreement, Agreement::Different);
        assert_eq!(
            words,
            "differs in the efi image at 0x400: in 1 byte, the first at 0x500"
        );
    }

    #[test]
    fn a_copy_that_ends_early_agrees_as_far_as_it_goes() {
        let mut first_alone = whole_rom();
        first_alone.truncate(1024);
        let (agreement, words) = compared(&whole_rom(), &first_alone);
        assert_eq!(agreement, Agreement::Part);
        assert!(words.contains("lacks the efi image at 0x400"), "{words}");
        let (agreement, words) = compared(&first_alone, &whole_rom());
        assert_eq!(agreement, Agreement::Part);
        assert!(words.contains("has more"), "{words}");
    }

    #[test]
    fn what_is_no_rom_is_compared_with_nothing() {
        assert_eq!(compared(&legacy_rom(), b"abc").0, Agreement::Nothing);
    }
}
