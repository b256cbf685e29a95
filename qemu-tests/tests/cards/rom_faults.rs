//! What the guest's kernel gives out for a ROM with each fault. All cards are in one machine.

use std::time::Duration;

use cards::{CardProfile, Entry, Function, Region, Rom, RomFault, profiles};
use nix::errno::Errno;
use pci::{ClassCode, FunctionId};
use qemu_tests::probe::Request;
use qemu_tests::{Milestone, Run};
use rom_maker::{Image, RomMaker, Trailing};
use serde_json::Value;

use crate::lab::{Lab, machine, serve};
use crate::session::{assert_restored, session_with};

const ID: FunctionId = FunctionId::new(0x1002, 0x67df);
const OTHER: FunctionId = FunctionId::new(0x1002, 0x6939);
const IMAGE: usize = 0x4000;

/// What a read of the `rom` file gives.
enum Given {
    Bytes(Vec<u8>),
    Error(Errno),
}

struct Case {
    what: &'static str,
    function: Function,
    given: Given,
    judged: Judged,
}

/// What the session makes of it.
#[derive(Debug, PartialEq, Eq)]
enum Judged {
    /// A copy, with this verdict and these problems.
    Copy(&'static str, Vec<&'static str>),
    /// No copy, for this reason.
    Failed(&'static str),
    /// There is no ROM to read.
    Absent,
}

fn function() -> Function {
    profiles::amd_rx480().functions[0].clone()
}

/// Two images, each of [`IMAGE`] bytes.
fn maker() -> RomMaker {
    RomMaker::new(ID)
        .legacy(IMAGE)
        .image(Image::other(0xe0, IMAGE))
}

fn case(what: &'static str, rom: Rom, given: Given, judged: Judged) -> Case {
    Case {
        what,
        function: function().rom(rom),
        given,
        judged,
    }
}

fn good() -> Judged {
    Judged::Copy("good", vec![])
}

/// The bytes with ones from `from` on.
fn ones_from(bytes: &[u8], from: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[from..].fill(0xff);
    bytes
}

/// The bytes with another device id in PCIR of the first image, and the checksum made good.
fn with_device(bytes: &[u8], device: [u8; 2]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let pcir = usize::from(u16::from_le_bytes([bytes[0x18], bytes[0x19]]));
    let before: u8 = bytes[pcir + 6].wrapping_add(bytes[pcir + 7]);
    bytes[pcir + 6..pcir + 8].copy_from_slice(&device);
    let after = device[0].wrapping_add(device[1]);
    bytes[6] = bytes[6].wrapping_add(before.wrapping_sub(after));
    bytes
}

fn cases() -> Vec<Case> {
    let whole = maker().build();
    let refused = || Given::Error(Errno::EIO);
    let foreign = RomMaker::new(OTHER).legacy(IMAGE).build();
    let decoys = RomMaker::new(ID)
        .image(Image::legacy(IMAGE).decoys())
        .build();
    vec![
        case(
            "no fault",
            Rom::new(whole.clone()),
            Given::Bytes(whole.clone()),
            good(),
        ),
        case(
            "every byte reads as ones",
            Rom::new(whole.clone()).fault(RomFault::AllOnes),
            refused(),
            Judged::Failed("rom.all-ones"),
        ),
        case(
            "a read error, of which QEMU's guest sees ones",
            Rom::new(whole.clone()).fault(RomFault::Error(0x1000)),
            refused(),
            Judged::Failed("rom.all-ones"),
        ),
        case(
            "no header",
            Rom::new(vec![0x5a; IMAGE]),
            refused(),
            Judged::Failed("rom.no-signature"),
        ),
        case(
            "ones from the middle of the first image on",
            Rom::new(whole.clone()).fault(RomFault::Truncated(0x200)),
            Given::Bytes(ones_from(&whole[..IMAGE], 0x200)),
            Judged::Copy("usable", vec!["rom.checksum", "rom.last-missing"]),
        ),
        case(
            "ones from the second image on",
            Rom::new(whole.clone()).fault(RomFault::Truncated(IMAGE)),
            Given::Bytes(whole[..IMAGE].to_vec()),
            Judged::Copy("usable", vec!["rom.last-missing"]),
        ),
        case(
            "a flash that ends inside the first image",
            Rom::new(maker().truncated(IMAGE / 2).build()),
            Given::Bytes(whole[..IMAGE / 2].to_vec()),
            Judged::Copy("bad", vec!["rom.truncated"]),
        ),
        case(
            "data behind the last image",
            Rom::new(maker().trailing(Trailing::Data(0x1000)).build()),
            Given::Bytes(whole.clone()),
            good(),
        ),
        case(
            "signatures of images inside an image",
            Rom::new(decoys.clone()),
            Given::Bytes(decoys),
            good(),
        ),
        case(
            "no ROM BAR",
            Rom::new(whole.clone()).without_bar(),
            Given::Error(Errno::ENOENT),
            Judged::Absent,
        ),
        case(
            "a slow flash",
            Rom::new(whole.clone()).fault(RomFault::Slow(Duration::from_millis(300))),
            Given::Bytes(whole.clone()),
            good(),
        ),
        case(
            "the ids of another card, from the flash: QEMU mends them",
            Rom::new(foreign.clone()),
            Given::Bytes(with_device(&foreign, ID.device.0.to_le_bytes())),
            good(),
        ),
        case(
            "the ids of another card, from a file",
            Rom::new(foreign.clone()).from_file(),
            Given::Bytes(foreign),
            Judged::Copy("usable", vec!["rom.id-mismatch"]),
        ),
        Case {
            what: "a function that is stuck in D3",
            function: function().rom(Rom::new(whole.clone())).stuck_in_d3(),
            given: refused(),
            judged: Judged::Failed("rom.asleep"),
        },
    ]
}

/// What an assessment says of a ROM.
fn judged(rom: &Value) -> Judged {
    fn known<const N: usize>(words: [&'static str; N], value: &Value) -> &'static str {
        let known = words.into_iter().find(|word| value == word);
        known.unwrap_or_else(|| panic!("{value}"))
    }
    let problems = [
        "rom.checksum",
        "rom.last-missing",
        "rom.truncated",
        "rom.id-mismatch",
        "rom.all-ones",
        "rom.no-signature",
        "rom.asleep",
        "rom.io-error",
        "rom.unread",
    ];
    match rom["state"].as_str() {
        Some("absent") => Judged::Absent,
        Some("failed") => Judged::Failed(known(problems, &rom["problem"])),
        _ => {
            let found = rom["problems"].as_array().unwrap().iter();
            let mut ids: Vec<_> = found.map(|one| known(problems, &one["id"])).collect();
            ids.sort_unstable();
            let verdict = known(["good", "usable", "bad"], &rom["verdict"]);
            Judged::Copy(verdict, ids)
        }
    }
}

#[test]
fn each_rom_fault_is_judged_for_what_it_is_and_leaves_the_card_as_it_was() {
    let Some(lab) = Lab::open() else { return };
    let cases = cases();
    let served: Vec<_> = cases
        .iter()
        .map(|case| serve(&CardProfile::new(vec![case.function.clone()])))
        .collect();
    let cards: Vec<_> = served.iter().collect();
    let mut marks = Vec::new();
    let before = |run: &mut Run| {
        run.wait_milestone(Milestone::Session).unwrap();
        marks = served.iter().map(|card| card.log().mark()).collect();
    };
    let session = session_with(&lab, "rom-faults-judged", machine(&cards), &[], before);
    let Some(session) = session else { return };
    let mut wrong = Vec::new();
    for (bus, case) in (1..).zip(&cases) {
        let rom = session.rom(&address(bus));
        let judged = judged(rom);
        if judged != case.judged {
            wrong.push(format!("{}: {judged:?} of {rom:#}", case.what));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for ((card, case), mark) in served.iter().zip(&cases).zip(marks) {
        assert_restored(card, mark, case.what);
    }
}

#[test]
fn each_rom_fault_gives_what_the_kernel_makes_of_it() {
    let Some(lab) = Lab::open() else { return };
    let cases = cases();
    let served: Vec<_> = cases
        .iter()
        .map(|case| serve(&CardProfile::new(vec![case.function.clone()])))
        .collect();
    let cards: Vec<_> = served.iter().collect();
    let requests = (1..=cases.len()).map(|bus| Request::rom(&address(bus)));
    let seen = lab.ask("rom-faults", machine(&cards), requests.collect());
    let mut wrong = Vec::new();
    for (bus, case) in (1..).zip(&cases) {
        let request = Request::rom(&address(bus));
        let right = match &case.given {
            Given::Error(errno) => seen.answers.errno(&request) == Some(*errno as i32),
            Given::Bytes(bytes) => {
                seen.answers.to(&request).is_ok() && seen.answers.bytes(&request) == *bytes
            }
        };
        if !right {
            let mut answer = format!("{:?}", seen.answers.to(&request));
            answer.truncate(200);
            wrong.push(format!("{}: {answer}", case.what));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn address(bus: usize) -> String {
    format!("0000:{bus:02x}:00.0")
}

#[test]
fn bytes_that_change_are_hidden_by_qemus_copy() {
    let Some(lab) = Lab::open() else { return };
    let good = maker().build();
    let rom = Rom::new(good.clone()).fault(RomFault::Unstable);
    let class = ClassCode(0x03_00_00);
    let card = serve(&CardProfile::new(vec![function().class(class).rom(rom)]));
    let address = address(1);
    // Two reads that are not the same request.
    let again = Request::Rom(format!("/sys/bus/pci/devices/./{address}/rom"));
    let requests = vec![Request::rom(&address), again.clone()];
    let seen = lab.ask("rom-unstable", machine(&[&card]), requests);
    let first = seen.answers.bytes(&Request::rom(&address));
    assert_eq!(first, seen.answers.bytes(&again));
    let differing: Vec<_> = (0..good.len())
        .filter(|at| first[*at] != good[*at])
        .collect();
    assert_eq!(differing, [0x200]);
    let entries = card.log().entries();
    let reads = entries.iter().filter_map(Entry::span);
    assert_eq!(reads.filter(|span| span.region == Region::Rom).count(), 1);
}
