use rom_maker::{EfiImage, FileHeader, Image, RomMaker, Trailing as Behind};

use super::super::testing::{Access, Card, ID, function};
use super::*;
use crate::Reading;

/// A card that decodes memory, with a ROM of NVIDIA's layout.
fn card() -> Card {
    let rom = RomMaker::new(ID)
        .image(Image::legacy(0xf800).npde().decoys())
        .image(Image::efi(EfiImage::x64().data(0x3000)).npde().last(true))
        .image(Image::other(0xe0, 0x2000).npde())
        .build();
    Card {
        rom,
        ..Card::new(2)
    }
}

fn writes(card: &Card) -> Vec<Access> {
    let accesses = card.accesses.borrow();
    let is_write = |access: &&Access| matches!(access, Access::Write(..));
    accesses.iter().filter(is_write).copied().collect()
}

#[test]
fn the_flash_is_read_to_the_end_of_its_last_image_and_the_shadow_put_back() {
    let card = card();
    let before = card.config_now();
    let outcome = card.read_prom();
    assert_eq!(outcome.bytes.unwrap(), card.rom);
    assert_eq!(outcome.not_restored, [""; 0]);
    assert_eq!(card.config_now(), before);
    assert_eq!(
        writes(&card),
        [Access::Write(0x8_8050, 0), Access::Write(0x8_8050, 1)]
    );
    let accesses = card.accesses.borrow();
    let outside = accesses.iter().filter(|access| {
        let (Access::Read(at) | Access::Write(at, _)) = access;
        !matches!(at, 0 | 0x8_8000 | 0x8_8050 | 0x30_0000..0x40_0000)
    });
    assert_eq!(outside.count(), 0);
    assert!(card.journal().records().is_empty());
}

#[test]
fn nothing_is_written_while_no_shadow_hides_the_flash() {
    let card = card();
    card.config.borrow_mut()[0x50] = 0;
    assert_eq!(card.read_prom().bytes.unwrap(), card.rom);
    assert_eq!(writes(&card), []);
}

#[test]
fn memory_decode_is_switched_on_and_off_again() {
    let card = card();
    card.config.borrow_mut()[4] = 0;
    let before = card.config_now();
    assert_eq!(card.read_prom().bytes.unwrap(), card.rom);
    assert_eq!(card.config_now(), before);
}

#[test]
fn a_file_header_in_front_is_part_of_the_copy() {
    let rom = RomMaker::new(ID)
        .legacy(0x8000)
        .leading(FileHeader::Nvidia(0x400))
        .trailing(Behind::ToPowerOfTwo(0xff))
        .build();
    let flash = Card {
        rom: rom.clone(),
        ..Card::new(2)
    };
    let copy = flash.read_prom().bytes.unwrap();
    assert_eq!(copy, rom[..0x8400]);
}

#[test]
fn the_whole_window_is_searched_for_an_end_and_what_is_no_rom_cut_off() {
    let rom = RomMaker::new(ID)
        .image(Image::legacy(0x8000).last(false))
        .build();
    let flash = Card {
        rom: rom.clone(),
        ..Card::new(2)
    };
    assert_eq!(flash.read_prom().bytes.unwrap(), rom);
    let last = Access::Read(WINDOW + 0xf_fffc);
    assert!(flash.accesses.borrow().contains(&last));
}

#[test]
fn a_flash_that_answers_differently_is_unstable_and_the_card_as_before() {
    let card = Card {
        changes: true,
        ..card()
    };
    let before = card.config_now();
    let failure = card.read_prom().bytes.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Unstable);
    assert_eq!(card.config_now(), before);
}

#[test]
fn under_lockdown_the_reason_is_told_and_nothing_touched() {
    let card = Card {
        locked_down: true,
        ..card()
    };
    let failure = card.read_prom().bytes.unwrap_err();
    assert_eq!(failure.kind, FailureKind::LockedDown);
    assert!(failure.why.contains("locked down"), "{}", failure.why);
    assert!(card.accesses.borrow().is_empty());
}

#[test]
fn registers_that_are_not_known_are_not_written() {
    let with = |boot_0, mirrored| Card {
        boot_0,
        mirrored,
        ..card()
    };
    for (card, words) in [
        (with(u32::MAX, None), "all ones"),
        (with(0x0200_00a5, None), "no chip with these registers"),
        (
            with(0x0e70_00a2, Some(0x1234_5678)),
            "in place of the card's ids",
        ),
    ] {
        let failure = card.read_prom().bytes.unwrap_err();
        assert!(failure.why.contains(words), "{}", failure.why);
        assert_eq!(writes(&card), []);
    }
}

#[test]
fn a_bar_without_the_window_is_not_mapped() {
    let with = |change: fn(&mut Bar)| {
        let mut function = function(0xfe00_0000, 0);
        if let Reading::Known(bars) = &mut function.bars {
            change(&mut bars[0]);
        }
        let card = card();
        let outcome = card.attempt(&function, super::super::RomSource::NvidiaProm);
        assert!(card.accesses.borrow().is_empty());
        outcome.bytes.unwrap_err().why
    };
    for (change, words) in [
        (
            (|bar| bar.end = bar.start + 0xffff) as fn(&mut Bar),
            "only 0x10000 bytes",
        ),
        (|bar| bar.flags = 0x101, "is not memory"),
        (|bar| bar.start = 0, "has no address"),
        (|bar| bar.index = 2, "is not there"),
    ] {
        let why = with(change);
        assert!(why.contains(words), "{why}");
    }
}

#[test]
fn only_nvidias_displays_have_such_a_window() {
    let display = function(0, 0);
    assert!(is_candidate(&display));
    let mut other = display.clone();
    other.class = pci::ClassCode(0x04_03_00);
    assert!(!is_candidate(&other));
    other = display;
    other.id = pci::FunctionId::new(0x1002, 0x0fc6);
    assert!(!is_candidate(&other));
}
