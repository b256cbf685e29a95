//! The guest kernel's view of each profile, field by field.

use cards::{Capability, CardProfile, ExtendedCapability, Function, profiles};
use nix::errno::Errno;
use pci::AcsBits;
use qemu_tests::probe::Request;
use qemu_tests::sha256;

use crate::lab::{Lab, Seen, machine, serve};
use crate::lspci;

/// A card's addresses: the first card in a machine is behind the port at 00:10.0.
struct Place {
    bus: u8,
    port: &'static str,
}

const FIRST: Place = Place {
    bus: 1,
    port: "0000:00:10.0",
};
const SECOND: Place = Place {
    bus: 2,
    port: "0000:00:11.0",
};

type Field = fn(&Function) -> u32;

/// Files of a function in sysfs that hold one number.
const NUMBERS: [(&str, Field); 6] = [
    ("vendor", |function| function.id().vendor.0.into()),
    ("device", |function| function.id().device.0.into()),
    ("class", |function| function.class_code().0),
    ("revision", |function| function.revision_id().into()),
    ("subsystem_vendor", |function| {
        function.subsystem_id().vendor.0.into()
    }),
    ("subsystem_device", |function| {
        function.subsystem_id().device.0.into()
    }),
];

impl Place {
    fn address(&self, function: usize) -> String {
        format!("0000:{:02x}:00.{function}", self.bus)
    }

    /// All that [`check`] looks at.
    fn requests(&self, profile: &CardProfile) -> Vec<Request> {
        let mut requests = vec![Request::link(self.port, "iommu_group")];
        for (number, function) in profile.functions.iter().enumerate() {
            let address = self.address(number);
            let numbers = NUMBERS.iter().map(|(file, _)| *file);
            let files = numbers.chain(["config", "reset_method"]);
            requests.extend(files.map(|file| Request::read(&address, file)));
            requests.push(Request::link(&address, "iommu_group"));
            if function.option_rom().is_some() {
                requests.push(Request::rom(&address));
            }
        }
        requests
    }

    fn check(&self, profile: &CardProfile, seen: &Seen) {
        let printed = seen.answers.text(&lspci_request());
        let spaces = profile.config_spaces().unwrap();
        for (number, function) in profile.functions.iter().enumerate() {
            let address = self.address(number);
            let text = |file: &str| seen.answers.text(&Request::read(&address, file));
            for (file, value) in NUMBERS {
                let digits = text(file);
                let there = u32::from_str_radix(digits.trim_start_matches("0x"), 16).unwrap();
                assert_eq!(there, value(function), "{address} {file}");
            }
            let lines = lspci::lines(function, &address);
            assert_eq!(
                lspci::differences(&printed, &lines),
                Vec::<String>::new(),
                "{printed}"
            );
            let config = seen.answers.bytes(&Request::read(&address, "config"));
            assert_eq!(config.len(), 4096);
            for (offset, (there, power_on)) in config.iter().zip(spaces[number].bytes()).enumerate()
            {
                let fixed = !spaces[number].changeable(offset);
                let resizes = resizable_sizes(function, &config).contains(&offset);
                assert!(
                    (there ^ power_on) & fixed == 0 || resizes,
                    "{address} config {offset:#x}: {there:#x} instead of {power_on:#x}"
                );
            }
            let method = Request::read(&address, "reset_method");
            match reset_methods(number, function).as_slice() {
                [] => assert_eq!(seen.answers.errno(&method), Some(Errno::ENOENT as i32)),
                methods => assert_eq!(seen.answers.text(&method), methods.join(" ")),
            }
        }
        self.check_groups(profile, seen);
    }

    /// The functions share a group unless each has ACS, and none shares the port's.
    fn check_groups(&self, profile: &CardProfile, seen: &Seen) {
        let group = |address: &str| seen.answers.text(&Request::link(address, "iommu_group"));
        let groups: Vec<_> = (0..profile.functions.len())
            .map(|number| group(&self.address(number)))
            .collect();
        assert!(!groups.contains(&group(self.port)), "{groups:?}");
        let apart = profile.functions.iter().all(isolates);
        for pair in groups.windows(2) {
            assert_eq!(pair[0] != pair[1], apart, "{groups:?}");
        }
    }

    /// The ROM of function 0 as the kernel gives it out.
    fn rom_hash(&self, seen: &Seen) -> String {
        sha256(&seen.answers.bytes(&Request::rom(&self.address(0))))
    }
}

fn lspci_request() -> Request {
    Request::run(&["/usr/bin/lspci", "-vvv", "-n"])
}

fn isolates(function: &Function) -> bool {
    let mut capabilities = function.extended_capabilities().iter();
    capabilities.any(|capability| match capability {
        ExtendedCapability::AccessControl { capability, .. } => {
            // UF and SV are asked of ports alone.
            capability.has(AcsBits::RR | AcsBits::CR)
        }
        _ => false,
    })
}

/// The kernel asks each function as it finds it: function 0 is alone on its bus then, and so the bus could
/// be reset for it.
fn reset_methods(number: usize, function: &Function) -> Vec<&'static str> {
    let level = function
        .capabilities()
        .iter()
        .any(|capability| matches!(capability, Capability::Express(express) if express.resets()));
    let mut methods = Vec::new();
    methods.extend(level.then_some("flr"));
    methods.extend((number == 0).then_some("bus"));
    methods
}

/// Where QEMU writes the one size of a resizable BAR that it lets its guest have.
fn resizable_sizes(function: &Function, config: &[u8]) -> std::ops::Range<usize> {
    let resizable = |capability: &&ExtendedCapability| {
        matches!(capability, ExtendedCapability::ResizableBar { .. })
    };
    if !function
        .extended_capabilities()
        .iter()
        .any(|one| resizable(&one))
    {
        return 0..0;
    }
    let space = pci::ConfigSpace::new(config.to_vec());
    let found = space.extended_capabilities().unwrap();
    let place = found
        .iter()
        .find(|capability| capability.id == 0x15)
        .unwrap();
    let offset = place.offset;
    offset + 4..offset + 12
}

/// A ROM up to the end of the image that PCIR calls the last: the kernel's end.
fn up_to_last_image(rom: &[u8]) -> &[u8] {
    let mut at = 0;
    loop {
        let pcir = at + usize::from(u16::from_le_bytes([rom[at + 0x18], rom[at + 0x19]]));
        let blocks = u16::from_le_bytes([rom[pcir + 0x10], rom[pcir + 0x11]]);
        at += usize::from(blocks) * 512;
        if rom[pcir + 0x15] & 0x80 != 0 || at >= rom.len() {
            return &rom[..at];
        }
    }
}

#[test]
fn the_kernel_sees_the_cards_that_the_profiles_describe() {
    let Some(lab) = Lab::open() else { return };
    let (nvidia, amd) = (profiles::nvidia_gtx650(), profiles::amd_rx480());
    let rom_of =
        |profile: &CardProfile| profile.functions[0].option_rom().unwrap().bytes().to_vec();
    let (nvidia_rom, amd_rom) = (rom_of(&nvidia), rom_of(&amd));
    let graphics = FIRST.address(0);
    let prom = Request::memory(&graphics, 0, 0x30_0000, nvidia_rom.len());
    let reset = Request::write(&graphics, "reset", "1");

    let mut requests = vec![lspci_request()];
    requests.extend(FIRST.requests(&nvidia));
    requests.extend(SECOND.requests(&amd));
    // PROM is read with memory decoding on and the ROM's shadow off.
    requests.push(Request::write(&graphics, "enable", "1"));
    requests.push(Request::run(&[
        "/usr/bin/setpci",
        "-s",
        &graphics,
        "50.l=0",
    ]));
    requests.extend([prom.clone(), reset.clone()]);
    let cards = [serve(&nvidia), serve(&amd)];
    let seen = lab.ask("view", machine(&[&cards[0], &cards[1]]), requests);

    FIRST.check(&nvidia, &seen);
    SECOND.check(&amd, &seen);
    assert_eq!(FIRST.rom_hash(&seen), sha256(up_to_last_image(&nvidia_rom)));
    assert_eq!(SECOND.rom_hash(&seen), sha256(&amd_rom));
    assert_eq!(sha256(&seen.answers.bytes(&prom)), sha256(&nvidia_rom));
    // The method that was found when function 0 was alone does not work with its sibling there.
    assert_eq!(seen.answers.errno(&reset), Some(Errno::ENOTTY as i32));
}
