use option_rom::{Agreement as ImageAgreement, ImagePair, RomCopy as Parsed, compare};

use crate::Agreement;

/// Compares two copies image by image. In words, how `other` relates to `one`.
pub(super) fn agreement(one: Parsed<'_>, other: Parsed<'_>) -> (Agreement, String) {
    if one.rom.images.is_empty() || other.rom.images.is_empty() {
        return (
            Agreement::Nothing,
            "cannot be compared: there is no image in one of them".to_owned(),
        );
    }
    let pairs = compare(one, other).images;
    let different: Vec<String> = pairs
        .iter()
        .filter_map(|pair| difference(one, pair))
        .collect();
    if !different.is_empty() {
        return (Agreement::Different, different.join(" and "));
    }
    let names = |which: ImageAgreement| {
        let alone = pairs.iter().filter(|pair| pair.agreement == which);
        let names: Vec<String> = alone
            .map(|pair| format!("the {} image", pair.kind))
            .collect();
        names.join(" and ")
    };
    let lacks = names(ImageAgreement::OnlyFirst);
    let more = names(ImageAgreement::OnlySecond);
    match (lacks.is_empty(), more.is_empty()) {
        (true, true) => (Agreement::Same, "is the same in every image".to_owned()),
        (false, true) => (
            Agreement::Part,
            format!("is the same in what it has, and lacks {lacks}"),
        ),
        (true, false) => (
            Agreement::Part,
            format!("is the same in what both have, and has {more} besides"),
        ),
        (false, false) => (
            Agreement::Part,
            format!("is the same in what both have, lacks {lacks} and has {more} besides"),
        ),
    }
}

/// How an image of the other copy differs from its counterpart in this one.
fn difference(one: Parsed<'_>, pair: &ImagePair) -> Option<String> {
    let place = pair
        .first
        .and_then(|number| one.rom.images.get(number))
        .map_or(0, |image| image.offset);
    match pair.agreement {
        ImageAgreement::Differs { bytes, at } => Some(format!(
            "differs in the {} image at {place:#x}: in {bytes} {}, the first at {at:#x} of it",
            pair.kind,
            if bytes == 1 { "byte" } else { "bytes" }
        )),
        ImageAgreement::Shorter { common } => Some(format!(
            "agrees only in the first {common:#x} bytes of the {} image at {place:#x}, where one of them \
             ends",
            pair.kind
        )),
        ImageAgreement::Same | ImageAgreement::OnlyFirst | ImageAgreement::OnlySecond => None,
    }
}

#[cfg(test)]
mod tests {
    use option_rom::Rom;

    use super::*;
    use crate::testing::{legacy_rom, whole_rom};

    fn compared(one: &[u8], other: &[u8]) -> (Agreement, String) {
        let (first, second) = (Rom::parse(one), Rom::parse(other));
        agreement(
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
            "differs in the efi image at 0x400: in 1 byte, the first at 0x100 of it"
        );
    }

    #[test]
    fn a_copy_without_an_image_agrees_in_the_others() {
        let mut first_alone = whole_rom();
        first_alone.truncate(1024);
        let (agreement, words) = compared(&whole_rom(), &first_alone);
        assert_eq!(agreement, Agreement::Part);
        assert!(words.contains("lacks the efi image"), "{words}");
        let (agreement, words) = compared(&first_alone, &whole_rom());
        assert_eq!(agreement, Agreement::Part);
        assert!(words.contains("has the efi image besides"), "{words}");
    }

    #[test]
    fn an_image_that_ends_early_is_a_difference() {
        let mut cut = legacy_rom();
        cut.truncate(700);
        let (agreement, words) = compared(&legacy_rom(), &cut);
        assert_eq!(agreement, Agreement::Different);
        assert!(words.contains("first 0x2bc bytes"), "{words}");
    }

    #[test]
    fn what_is_no_rom_is_compared_with_nothing() {
        assert_eq!(compared(&legacy_rom(), b"abc").0, Agreement::Nothing);
    }
}
