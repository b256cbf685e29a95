//! Which functions the kernel keeps apart, and which it does not let go.

use cards::{CardProfile, ExtendedCapability, Function, profiles};
use nix::errno::Errno;
use pci::AcsBits;
use qemu_tests::probe::Request;
use qemu_tests::{Dmar, ServedCard};

use crate::lab::{Lab, machine, serve};

/// QEMU's window to configuration space ends here: memory that no guest uses.
const RESERVED: std::ops::RangeInclusive<u64> = 0xbff0_0000..=0xbfff_ffff;

fn isolating(function: Function) -> Function {
    function.extended(ExtendedCapability::AccessControl {
        capability: AcsBits(AcsBits::ISOLATING),
        control: AcsBits(0),
    })
}

/// A card of three functions, with ACS on those whose numbers are given.
fn three_functions(with_acs: &[usize]) -> CardProfile {
    let nvidia = profiles::nvidia_gtx650().functions;
    let functions = vec![nvidia[0].clone(), nvidia[1].clone(), nvidia[1].clone()];
    let card = CardProfile::new(functions);
    with_acs
        .iter()
        .fold(card, |card, number| card.change(*number, isolating))
}

#[test]
fn access_control_on_an_endpoint_splits_its_functions_into_groups() {
    let Some(lab) = Lab::open() else { return };
    // Functions with ACS, and which functions then share a group.
    let cases: [(&[usize], &[&[u8]]); 4] = [
        (&[], &[&[0, 1, 2]]),
        (&[0], &[&[0], &[1, 2]]),
        (&[0, 1], &[&[0], &[1], &[2]]),
        (&[0, 1, 2], &[&[0], &[1], &[2]]),
    ];
    let served: Vec<ServedCard> = cases
        .iter()
        .map(|(with_acs, _)| serve(&three_functions(with_acs)))
        .collect();
    let cards: Vec<_> = served.iter().collect();
    let group = |bus: usize, function: u8| {
        Request::link(&format!("0000:{bus:02x}:00.{function}"), "iommu_group")
    };
    let requests = (1..=cases.len()).flat_map(|bus| (0..3).map(move |function| (bus, function)));
    let requests = requests
        .map(|(bus, function)| group(bus, function))
        .collect();
    let seen = lab.ask("groups-acs", machine(&cards), requests);
    for (bus, (with_acs, together)) in (1..).zip(cases) {
        let groups: Vec<String> = (0..3)
            .map(|function| seen.answers.text(&group(bus, function)))
            .collect();
        let with = |number: &String| -> Vec<u8> {
            let numbered = (0..).zip(&groups);
            numbered
                .filter(|(_, group)| *group == number)
                .map(|(function, _)| function)
                .collect()
        };
        let mut found: Vec<Vec<u8>> = groups.iter().map(with).collect();
        found.sort();
        found.dedup();
        assert_eq!(found, together, "ACS on {with_acs:?}");
    }
}

/// The requests that give function `address` of `group` to VFIO.
fn give_away(address: &str) -> [Request; 2] {
    [
        Request::write(address, "driver_override", "vfio-pci"),
        Request::Write("/sys/bus/pci/drivers_probe".to_owned(), address.to_owned()),
    ]
}

#[test]
fn memory_that_firmware_keeps_for_an_audio_function_is_refused_and_for_a_gpu_relaxed() {
    let Some(lab) = Lab::open() else { return };
    let (refused, relaxed) = (
        serve(&profiles::nvidia_gtx650()),
        serve(&profiles::nvidia_gtx650()),
    );
    // The ports of the first and the second card are 00:10.0 and 00:11.0.
    let dmar = Dmar::default()
        .reserved(&[(0x10, 0), (0, 1)], RESERVED)
        .reserved(&[(0x11, 0), (0, 0)], RESERVED);
    let mut requests = vec![
        Request::Module("vfio_pci".to_owned()),
        Request::Module("vfio_iommu_type1".to_owned()),
    ];
    for bus in 1..=2 {
        for function in 0..2 {
            requests.extend(give_away(&format!("0000:{bus:02x}:00.{function}")));
        }
    }
    let first = Request::Vfio("0000:01:00.0".to_owned());
    let second = Request::Vfio("0000:02:00.0".to_owned());
    requests.extend([first.clone(), second.clone()]);
    let seen = lab.ask_with(
        "groups-rmrr",
        machine(&[&refused, &relaxed]),
        Some(&dmar),
        requests,
    );

    assert_eq!(
        seen.answers.errno(&first),
        Some(Errno::EPERM as i32),
        "{:?}",
        seen.answers.to(&first)
    );
    let says = "Device is ineligible for IOMMU domain attach due to platform RMRR requirement";
    let refusal = seen
        .kernel_log
        .lines()
        .find(|line| line.contains(says))
        .unwrap();
    assert!(refusal.contains("0000:01:00.1"), "{refusal}");
    assert_eq!(seen.answers.bytes(&second), [0xde, 0x10, 0xc6, 0x0f]);
}
