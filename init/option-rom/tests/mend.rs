//! What is mended, and what is left alone.
#![allow(clippy::indexing_slicing, clippy::unwrap_used, clippy::panic)]

mod support;

use option_rom::{
    Change, Checksum, MendError, MendOptions, ProblemId, Rom, Trailing, Verdict, mend,
};
use proptest::prelude::*;
use support::{chain, efi, graphics_card, ids, x86};

const PLAIN: MendOptions = MendOptions { checksum: false };
const WITH_CHECKSUM: MendOptions = MendOptions { checksum: true };

#[test]
fn a_flash_dump_becomes_the_rom_that_a_card_shows() {
    let dump = [vec![0x11; 0x600], graphics_card(), vec![0xff; 5000]].concat();
    let mended = mend(&dump, PLAIN).unwrap();
    assert_eq!(mended.bytes, graphics_card());
    assert_eq!(mended.rom.verdict, Verdict::Good);
    assert_eq!(
        mended.changes,
        [
            Change::LeadingStripped { length: 0x600 },
            Change::PaddingCut {
                length: 5000,
                at: 0x600 + 7 * 512
            }
        ]
    );
    let words: Vec<String> = mended.changes.iter().map(Change::to_string).collect();
    assert_eq!(words[0], "stripped 1536 bytes before the first image");
}

#[test]
fn a_good_rom_stays_as_it_is() {
    for options in [PLAIN, WITH_CHECKSUM] {
        let mended = mend(&graphics_card(), options).unwrap();
        assert_eq!((mended.bytes, mended.changes), (graphics_card(), vec![]));
    }
}

#[test]
fn data_behind_the_last_image_is_kept_with_the_padding_behind_it() {
    let rom = [graphics_card(), b"data".to_vec(), vec![0xff; 100]].concat();
    let mended = mend(&rom, PLAIN).unwrap();
    assert_eq!((mended.bytes, mended.changes), (rom, vec![]));
    assert_eq!(mended.rom.trailing, Trailing::Data(104));
}

#[test]
fn a_checksum_is_set_only_when_asked_for() {
    let changed = chain(&[
        x86(4).not_last().with(0x300, b"changed").with(3, &[0xeb]),
        efi(3),
    ]);
    let plain = mend(&changed, PLAIN).unwrap();
    assert_eq!((&plain.bytes, plain.changes), (&changed, vec![]));
    assert_eq!(ids(&plain.rom), [ProblemId::Checksum]);

    let mended = mend(&changed, WITH_CHECKSUM).unwrap();
    assert_eq!(mended.rom.verdict, Verdict::Good);
    let [
        Change::ChecksumSet {
            image: 0,
            at: 6,
            from,
            to,
        },
    ] = mended.changes[..]
    else {
        panic!("{:?}", mended.changes);
    };
    assert_eq!((changed[6], mended.bytes[6]), (from, to));
    let differing = changed.iter().zip(&mended.bytes).filter(|(a, b)| a != b);
    assert_eq!(differing.count(), 1);
}

#[test]
fn a_checksum_goes_into_padding_where_there_is_some() {
    let mut rom = x86(4).with(0x300, b"changed").0;
    rom[2000..].fill(0xff);
    let mended = mend(&rom, WITH_CHECKSUM).unwrap();
    assert!(matches!(
        mended.changes[..],
        [Change::ChecksumSet { at: 2047, .. }]
    ));
    assert_eq!(mended.rom.images[0].checksum, Checksum::Ok);
}

#[test]
fn offsets_of_a_changed_byte_are_those_of_the_mended_file() {
    let rom = x86(4).with(0x300, b"changed").with(3, &[0xe9]).0;
    let mended = mend(&[vec![0x22; 0x400], rom].concat(), WITH_CHECKSUM).unwrap();
    assert!(matches!(
        mended.changes[..],
        [
            Change::LeadingStripped { .. },
            Change::ChecksumSet {
                image: 0,
                at: 6,
                ..
            }
        ]
    ));
}

#[test]
fn no_byte_is_changed_that_may_be_code() {
    // A long jump with a prefix reaches over byte 6, and the image ends in code.
    let rom = x86(4).with(0x300, b"changed").with(3, &[0x66, 0xe9]).0;
    assert_eq!(
        mend(&rom, WITH_CHECKSUM).unwrap_err(),
        MendError::NoFreeByte { image: 0 }
    );
}

#[test]
fn the_sum_of_an_efi_image_is_never_touched() {
    let rom = efi(3).with(0x100, b"other").0;
    assert_eq!(mend(&rom, WITH_CHECKSUM).unwrap().changes, []);
}

#[test]
fn without_an_image_there_is_nothing_to_mend() {
    for bytes in [&[0xff; 5000][..], &[], b"hello"] {
        assert_eq!(mend(bytes, PLAIN).unwrap_err(), MendError::NoImage);
    }
}

proptest! {
    #[test]
    fn mending_twice_changes_nothing_more(
        at in any::<prop::sample::Index>(),
        value in any::<u8>(),
        leading in 0..3_usize,
        padding in 0..2000_usize,
    ) {
        let mut rom = graphics_card();
        let at = at.index(rom.len());
        rom[at] = value;
        let file = [vec![0x11; leading * 512], rom, vec![0xff; padding]].concat();
        if let Ok(mended) = mend(&file, WITH_CHECKSUM) {
            let again = mend(&mended.bytes, WITH_CHECKSUM).unwrap();
            prop_assert_eq!(again.changes, vec![]);
            prop_assert_eq!(again.bytes, mended.bytes);
            prop_assert!(Rom::parse(&file).verdict >= mended.rom.verdict);
        }
    }
}
