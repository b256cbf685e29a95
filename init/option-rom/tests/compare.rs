//! Which images of two copies agree.
#![allow(clippy::indexing_slicing, clippy::unwrap_used, clippy::panic)]

mod support;

use option_rom::{Agreement, Comparison, ImageType, Rom, RomCopy, compare};
use support::{chain, efi, graphics_card, x86};

fn compared(first: &[u8], second: &[u8]) -> Comparison {
    let (first_rom, second_rom) = (Rom::parse(first), Rom::parse(second));
    let copy = |rom, bytes| RomCopy { rom, bytes };
    compare(copy(&first_rom, first), copy(&second_rom, second))
}

fn agreements(comparison: &Comparison) -> Vec<(ImageType, Agreement)> {
    let images = comparison.images.iter();
    images.map(|pair| (pair.kind, pair.agreement)).collect()
}

#[test]
fn the_same_bytes_agree() {
    let comparison = compared(&graphics_card(), &graphics_card());
    assert!(comparison.identical && comparison.agrees());
    assert_eq!(comparison.images.len(), 2);
}

#[test]
fn a_header_before_and_padding_behind_change_nothing() {
    let dump = [vec![0x11; 0x400], graphics_card(), vec![0xff; 900]].concat();
    let comparison = compared(&graphics_card(), &dump);
    assert!(comparison.agrees() && !comparison.identical);
}

#[test]
fn a_shadow_without_the_efi_image_and_with_changed_bytes_is_told_apart() {
    let mut shadow = x86(4).0;
    shadow[0x300] ^= 1;
    shadow[0x310] ^= 1;
    let comparison = compared(&graphics_card(), &shadow);
    assert!(!comparison.agrees());
    let (kind, Agreement::Differs { bytes, at }) = agreements(&comparison)[0] else {
        panic!("{comparison:?}");
    };
    // The last bit and byte 6 differ, too.
    assert_eq!((kind, bytes, at), (ImageType::X86, 4, 6));
    assert_eq!(
        agreements(&comparison)[1],
        (ImageType::Efi, Agreement::OnlyFirst)
    );
    assert_eq!(
        (comparison.images[1].first, comparison.images[1].second),
        (Some(1), None)
    );
}

#[test]
fn a_cut_copy_is_shorter_and_not_different() {
    let whole = graphics_card();
    let comparison = compared(&whole, &whole[..3000]);
    let shorter = Agreement::Shorter {
        common: 3000 - 2048,
    };
    assert_eq!(agreements(&comparison)[1], (ImageType::Efi, shorter));
}

#[test]
fn images_are_paired_by_type_and_order() {
    let first = chain(&[x86(2).not_last(), efi(3)]);
    let second = chain(&[efi(3).with(0x55, &[0]), x86(2).not_last(), efi(4)]);
    let comparison = compared(&first, &second);
    let places: Vec<_> = comparison
        .images
        .iter()
        .map(|pair| (pair.first, pair.second))
        .collect();
    assert_eq!(
        places,
        [(Some(0), Some(1)), (Some(1), Some(0)), (None, Some(2))]
    );
    assert_eq!(comparison.images[0].agreement, Agreement::Same);
    assert_eq!(comparison.images[2].agreement, Agreement::OnlySecond);
}

#[test]
fn copies_without_images_do_not_agree() {
    assert!(!compared(&[0xff; 600], &[0xff; 600]).agrees());
}
