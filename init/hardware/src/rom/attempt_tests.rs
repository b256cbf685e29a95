//! Every way in which the steps of a read can fail, on a function made of memory: what matters is that
//! it is left as it was found.

use std::cell::{Cell, RefCell};

use pci::{Address, ClassCode, FunctionId};

use super::*;

const ROM_BAR: usize = 0x30;
const UNSET: u64 = 0x2000_0000;

/// A function with a ROM that behaves as the kernel's does.
struct Card {
    config: RefCell<Vec<u8>>,
    rom: Vec<u8>,
    enabled: Cell<bool>,
    reads: Cell<u32>,
    driver: Option<&'static str>,
    power: &'static str,
    locked_down: bool,
    fails_at_read: Option<u32>,
    changes: bool,
}

impl Card {
    fn new(command: u16) -> Self {
        let mut config = vec![0; 256];
        config[0..4].copy_from_slice(&[0xde, 0x10, 0xc6, 0x0f]);
        config[4..6].copy_from_slice(&command.to_le_bytes());
        Self {
            config: RefCell::new(config),
            rom: [&[0x55, 0xaa, 1][..], &[7; 509]].concat(),
            enabled: Cell::new(false),
            reads: Cell::new(0),
            driver: None,
            power: "D0",
            locked_down: false,
            fails_at_read: None,
            changes: false,
        }
    }

    fn read(&self) -> Outcome {
        attempt(self, &function(0xfe00_0000, 0x4200), RomSource::Sysfs)
    }

    fn decodes(&self) -> bool {
        self.config.borrow()[4] & 2 != 0
    }
}

impl Device for Card {
    fn driver(&self) -> Reading<String> {
        self.driver
            .map_or(Reading::Absent, |driver| Reading::Known(driver.to_owned()))
    }

    fn power_state(&self) -> Reading<String> {
        Reading::Known(self.power.to_owned())
    }

    fn config(&self) -> io::Result<Vec<u8>> {
        Ok(self.config.borrow().clone())
    }

    fn write_config(&self, offset: usize, bytes: &[u8]) -> io::Result<()> {
        if self.locked_down {
            return Err(Errno::EPERM.into());
        }
        self.config.borrow_mut()[offset..offset + bytes.len()].copy_from_slice(bytes);
        Ok(())
    }

    fn enable_rom(&self, on: bool) -> io::Result<()> {
        self.enabled.set(on);
        Ok(())
    }

    fn read_rom(&self) -> io::Result<Vec<u8>> {
        assert!(self.enabled.get(), "read without being enabled");
        self.reads.set(self.reads.get() + 1);
        // As `pci_enable_rom` does: the address stays when the kernel takes the enable bit back.
        self.config.borrow_mut()[ROM_BAR..ROM_BAR + 4].copy_from_slice(&[0, 0, 0, 0xfe]);
        if self.fails_at_read == Some(self.reads.get()) {
            return Err(Errno::EIO.into());
        }
        let mut rom = if self.decodes() {
            self.rom.clone()
        } else {
            vec![0xff; 512]
        };
        if self.changes {
            rom[9] = u8::try_from(self.reads.get()).unwrap();
        }
        Ok(rom)
    }
}

fn function(rom_start: u64, bar_flags: u64) -> Function {
    let address = "0000:01:00.0".parse::<Address>().unwrap();
    let nothing = || Reading::Unknown("not asked".to_owned());
    let bar = Bar {
        index: 1,
        start: 0xd000_0000,
        end: 0xdfff_ffff,
        flags: bar_flags | 0x200,
    };
    Function {
        id: FunctionId::new(0x10de, 0x0fc6),
        subsystem: Reading::Absent,
        class: ClassCode(0x03_00_00),
        revision: Reading::Absent,
        driver: Reading::Absent,
        numa_node: Reading::Absent,
        link: Reading::Absent,
        reset_methods: Reading::Absent,
        power_state: nothing(),
        boot_vga: Reading::Absent,
        bars: Reading::Known(vec![bar]),
        rom_region: Reading::Known(Bar {
            index: 6,
            start: rom_start,
            end: rom_start + 0x7ffff,
            flags: 0x46200,
        }),
        has_rom_file: true,
        config: Reading::Absent,
        slot: Reading::Absent,
        group: Reading::Absent,
        parent: Reading::Absent,
        physical_function: Reading::Absent,
        total_virtual_functions: Reading::Absent,
        ..Function::unknown(address, "not part of this test")
    }
}

#[test]
fn a_rom_is_read_twice_and_the_function_is_as_before() {
    for command in [0x0000, 0x0002, 0x0007] {
        let card = Card::new(command);
        let before = card.config.borrow().clone();
        let outcome = card.read();
        assert_eq!(outcome.bytes, Ok(card.rom.clone()));
        assert_eq!(outcome.not_restored, [""; 0]);
        assert_eq!((card.reads.get(), card.enabled.get()), (2, false));
        assert_eq!(*card.config.borrow(), before, "command {command:#x}");
    }
}

#[test]
fn a_read_that_fails_leaves_the_function_as_before() {
    for at in [1, 2] {
        let card = Card {
            fails_at_read: Some(at),
            ..Card::new(0)
        };
        let before = card.config.borrow().clone();
        let outcome = card.read();
        assert!(outcome.bytes.unwrap_err().starts_with("input/output error"));
        assert_eq!(outcome.not_restored, [""; 0]);
        assert!(!card.enabled.get());
        assert_eq!(*card.config.borrow(), before);
    }
}

#[test]
fn a_panic_half_way_leaves_the_function_as_before() {
    let card = Card::new(0);
    let before = card.config.borrow().clone();
    let config = ConfigSpace::new(before.clone());
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let restore = Restore::note(&card, &config).unwrap();
        restore.decode_memory().unwrap();
        panic!("half-way");
    }));
    assert!(panicked.is_err());
    assert_eq!(*card.config.borrow(), before);
}

#[test]
fn under_lockdown_decode_stays_as_found_and_what_the_kernel_changed_is_said() {
    let off = Card {
        locked_down: true,
        ..Card::new(0)
    }
    .read();
    let why = off.bytes.unwrap_err();
    assert!(
        why.contains("cannot be switched on") && why.contains("locked down"),
        "{why}"
    );

    let on = Card {
        locked_down: true,
        ..Card::new(2)
    }
    .read();
    assert!(on.bytes.is_ok());
    let [left] = on.not_restored.as_slice() else {
        panic!("{:?}", on.not_restored)
    };
    assert!(left.starts_with("the expansion ROM base address was 0x00000000 and is 0xfe000000"));
}

#[test]
fn a_bound_driver_or_a_sleeping_function_is_not_touched() {
    let asleep = |power| Card {
        power,
        ..Card::new(0)
    };
    for (card, reason) in [
        (
            Card {
                driver: Some("nvidia"),
                ..Card::new(0)
            },
            "the driver nvidia is bound",
        ),
        (asleep("D3hot"), "is in D3hot"),
        (asleep("D3cold"), "is in D3cold"),
    ] {
        let outcome = card.read();
        let why = outcome.bytes.unwrap_err();
        assert!(why.contains(reason), "{why}");
        assert_eq!(card.reads.get(), 0);
    }
    assert!(
        asleep("unknown").read().bytes.is_ok(),
        "no power management: always in D0"
    );
}

#[test]
fn decode_stays_off_while_a_bar_has_no_address() {
    let card = Card::new(0);
    let outcome = attempt(&card, &function(0xfe00_0000, UNSET), RomSource::Sysfs);
    assert!(outcome.bytes.unwrap_err().contains("BAR 1 has no address"));
    assert_eq!(card.reads.get(), 0);
    let outcome = attempt(&Card::new(2), &function(0, 0), RomSource::Sysfs);
    assert!(
        outcome
            .bytes
            .unwrap_err()
            .contains("no address for the ROM BAR")
    );
}

#[test]
fn what_is_no_copy_is_refused() {
    let why = Card {
        changes: true,
        ..Card::new(2)
    }
    .read()
    .bytes
    .unwrap_err();
    assert_eq!(
        why,
        "two reads differ, first at offset 0x9: this is no copy"
    );
    let why = Card {
        rom: vec![0xff; 512],
        ..Card::new(2)
    }
    .read()
    .bytes
    .unwrap_err();
    assert!(why.starts_with("every byte is 0xff"), "{why}");
    let why = Card {
        rom: vec![],
        ..Card::new(2)
    }
    .read()
    .bytes
    .unwrap_err();
    assert_eq!(why, "it is empty");
    let why = Card {
        rom: vec![1; LIMIT + 1],
        ..Card::new(2)
    }
    .read()
    .bytes
    .unwrap_err();
    assert!(why.contains("does not end"), "{why}");
}

#[test]
fn the_shadow_is_read_without_asking_the_function() {
    let card = Card {
        power: "D3hot",
        ..Card::new(2)
    };
    let outcome = attempt(&card, &function(0xc_0000, 0), RomSource::Shadow);
    assert!(outcome.bytes.is_ok());
    let card = Card {
        fails_at_read: Some(1),
        ..Card::new(2)
    };
    let why = attempt(&card, &function(0xc_0000, 0), RomSource::Shadow)
        .bytes
        .unwrap_err();
    assert!(why.contains("0xC0000"), "{why}");
}

#[test]
fn a_bridge_above_that_forwards_nothing_is_found_however_far_up() {
    let with = |address: &str, parent: Option<&str>, command: u8| {
        let mut config = vec![0; 64];
        config[4] = command;
        Function {
            address: address.parse().unwrap(),
            parent: parent.map_or(Reading::Absent, |above| {
                Reading::Known(above.parse().unwrap())
            }),
            config: Reading::Known(ConfigSpace::new(config)),
            ..function(0xfe00_0000, 0)
        }
    };
    let path = |root, upstream| {
        let functions = [
            with("0000:00:01.0", None, root),
            with("0000:01:00.0", Some("0000:00:01.0"), upstream),
            with("0000:02:00.0", Some("0000:01:00.0"), 0),
        ];
        super::super::closed_bridge(&functions, &functions[2]).map(|bridge| bridge.to_string())
    };
    assert_eq!(path(7, 7), None);
    assert_eq!(path(0, 7).as_deref(), Some("0000:00:01.0"));
    assert_eq!(path(7, 4).as_deref(), Some("0000:01:00.0"));
}
