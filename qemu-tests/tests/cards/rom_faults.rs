//! What the guest's kernel gives out for a ROM with each fault. All cards are in one machine.

use std::time::Duration;

use cards::{CardProfile, Entry, Function, Region, Rom, RomFault, profiles};
use nix::errno::Errno;
use pci::{ClassCode, FunctionId};
use qemu_tests::probe::Request;
use rom_maker::{Image, RomMaker, Trailing};

use crate::lab::{Lab, machine, serve};

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

fn case(what: &'static str, rom: Rom, given: Given) -> Case {
    Case {
        what,
        function: function().rom(rom),
        given,
    }
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
    let good = maker().build();
    let refused = || Given::Error(Errno::EIO);
    let foreign = RomMaker::new(OTHER).legacy(IMAGE).build();
    vec![
        case(
            "no fault",
            Rom::new(good.clone()),
            Given::Bytes(good.clone()),
        ),
        case(
            "every byte reads as ones",
            Rom::new(good.clone()).fault(RomFault::AllOnes),
            refused(),
        ),
        case(
            "a read error",
            Rom::new(good.clone()).fault(RomFault::Error(0x1000)),
            refused(),
        ),
        case("no header", Rom::new(vec![0x5a; IMAGE]), refused()),
        case(
            "ones from the middle of the first image on",
            Rom::new(good.clone()).fault(RomFault::Truncated(0x200)),
            Given::Bytes(ones_from(&good[..IMAGE], 0x200)),
        ),
        case(
            "ones from the second image on",
            Rom::new(good.clone()).fault(RomFault::Truncated(IMAGE)),
            Given::Bytes(good[..IMAGE].to_vec()),
        ),
        case(
            "a flash that ends inside the first image",
            Rom::new(maker().truncated(IMAGE / 2).build()),
            Given::Bytes(good[..IMAGE / 2].to_vec()),
        ),
        case(
            "data behind the last image",
            Rom::new(maker().trailing(Trailing::Data(0x1000)).build()),
            Given::Bytes(good.clone()),
        ),
        case(
            "no ROM BAR",
            Rom::new(good.clone()).without_bar(),
            Given::Error(Errno::ENOENT),
        ),
        case(
            "a slow flash",
            Rom::new(good.clone()).fault(RomFault::Slow(Duration::from_millis(300))),
            Given::Bytes(good.clone()),
        ),
        case(
            "the ids of another card, from the flash: QEMU mends them",
            Rom::new(foreign.clone()),
            Given::Bytes(with_device(&foreign, ID.device.0.to_le_bytes())),
        ),
        case(
            "the ids of another card, from a file",
            Rom::new(foreign.clone()).from_file(),
            Given::Bytes(foreign),
        ),
        Case {
            what: "a function that is stuck in D3",
            function: function().rom(Rom::new(good.clone())).stuck_in_d3(),
            given: refused(),
        },
    ]
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
