//! Options that the kernel command line gives, in one table. docs/boot-options.md is the same table in
//! words; a test holds the two together.

use serde::Serialize;
use storage::DataPlace;

/// What the stick is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Look, save, show.
    Assess,
    /// The same on a kernel without a framebuffer driver: the boot menu sets its options.
    Pristine,
    /// The same, then a shell on every console.
    Rescue,
    /// Devices are made ready and disks read-only, then a shell; no look.
    Shell,
    /// No module, no look: only the end.
    Off,
}

/// What comes after the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Ask.
    Menu,
    /// Reboot.
    Reboot,
    /// Power off.
    PowerOff,
}

/// Faults to make on purpose, for tests of how they are met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The session is killed after reading the machine.
    Crash,
    /// The session panics after reading the machine.
    Panic,
    /// PID 1 itself panics before it starts the session.
    PanicInit,
    /// Saving pauses between files.
    SlowSave,
    /// An empty folder covers /sys/firmware.
    NoFirmware,
    /// The session is killed while it reads an NVIDIA card's flash.
    PromCrash,
}

/// How much goes to the kernel log.
pub type LogLevel = tracing::Level;

/// All options.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// `preflight.mode=`
    pub mode: Mode,
    /// `preflight.end=`
    pub end: End,
    /// `preflight.log=`
    pub log: LogLevel,
    /// `preflight.data=`
    pub data: DataPlace,
    /// `preflight.prom=`: NVIDIA's ROMs are also read through the cards' own registers.
    pub prom: bool,
    /// `preflight.test=`
    pub fault: Option<Fault>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            mode: Mode::Assess,
            end: End::Menu,
            log: LogLevel::INFO,
            data: DataPlace::Stick,
            prom: false,
            fault: None,
        }
    }
}

/// One value that an option takes.
struct Value {
    word: &'static str,
    set: fn(&mut Options),
}

/// One option: its name without `preflight.`, the values it takes, and a parser for values that are no
/// fixed words.
struct Entry {
    name: &'static str,
    values: &'static [Value],
    free: Option<FreeValue>,
}

/// The shape of a value that is no fixed word, for people, and what takes it: false when it is not sound.
type FreeValue = (&'static str, fn(&str, &mut Options) -> bool);

const TABLE: &[Entry] = &[
    Entry {
        name: "mode",
        values: &[
            Value {
                word: "assess",
                set: |options| options.mode = Mode::Assess,
            },
            Value {
                word: "pristine",
                set: |options| options.mode = Mode::Pristine,
            },
            Value {
                word: "rescue",
                set: |options| options.mode = Mode::Rescue,
            },
            Value {
                word: "shell",
                set: |options| options.mode = Mode::Shell,
            },
            Value {
                word: "off",
                set: |options| options.mode = Mode::Off,
            },
        ],
        free: None,
    },
    Entry {
        name: "end",
        values: &[
            Value {
                word: "menu",
                set: |options| options.end = End::Menu,
            },
            Value {
                word: "reboot",
                set: |options| options.end = End::Reboot,
            },
            Value {
                word: "poweroff",
                set: |options| options.end = End::PowerOff,
            },
        ],
        free: None,
    },
    Entry {
        name: "log",
        values: &[
            Value {
                word: "error",
                set: |options| options.log = LogLevel::ERROR,
            },
            Value {
                word: "warn",
                set: |options| options.log = LogLevel::WARN,
            },
            Value {
                word: "info",
                set: |options| options.log = LogLevel::INFO,
            },
            Value {
                word: "debug",
                set: |options| options.log = LogLevel::DEBUG,
            },
        ],
        free: None,
    },
    Entry {
        name: "data",
        values: &[Value {
            word: "stick",
            // GRUB may have said which stick.
            set: |options| {
                if !options.data.is_stick() {
                    options.data = DataPlace::Stick;
                }
            },
        }],
        free: Some(("PARTUUID=...", set_data)),
    },
    Entry {
        name: "stick",
        values: &[],
        free: Some(("a PARTUUID", set_stick)),
    },
    Entry {
        name: "prom",
        values: &[
            Value {
                word: "no",
                set: |options| options.prom = false,
            },
            Value {
                word: "yes",
                set: |options| options.prom = true,
            },
        ],
        free: None,
    },
    Entry {
        name: "test",
        values: &[
            Value {
                word: "crash",
                set: |options| options.fault = Some(Fault::Crash),
            },
            Value {
                word: "panic",
                set: |options| options.fault = Some(Fault::Panic),
            },
            Value {
                word: "panic-init",
                set: |options| options.fault = Some(Fault::PanicInit),
            },
            Value {
                word: "slow-save",
                set: |options| options.fault = Some(Fault::SlowSave),
            },
            Value {
                word: "no-firmware",
                set: |options| options.fault = Some(Fault::NoFirmware),
            },
            Value {
                word: "prom-crash",
                set: |options| options.fault = Some(Fault::PromCrash),
            },
        ],
        free: None,
    },
];

fn set_data(value: &str, options: &mut Options) -> bool {
    let uuid = value.strip_prefix("PARTUUID=").and_then(part_uuid);
    let sound = uuid.is_some();
    if let Some(uuid) = uuid {
        options.data = DataPlace::PartUuid(uuid);
    }
    sound
}

/// A place that a person names counts more than the stick.
fn set_stick(value: &str, options: &mut Options) -> bool {
    let uuid = part_uuid(value);
    let sound = uuid.is_some();
    if let Some(uuid) = uuid.filter(|_| options.data.is_stick()) {
        options.data = DataPlace::BootedStick(uuid);
    }
    sound
}

fn part_uuid(text: &str) -> Option<String> {
    let digits = |byte: u8| byte.is_ascii_hexdigit() || byte == b'-';
    let sound = !text.is_empty() && text.bytes().all(digits);
    sound.then(|| text.to_lowercase())
}

/// Reads the options out of a kernel command line. What is not understood keeps its default and is named
/// in the second part.
pub fn parse(command_line: &str) -> (Options, Vec<String>) {
    let mut options = Options::default();
    let mut complaints = Vec::new();
    for word in command_line.split_whitespace() {
        let Some(setting) = word.strip_prefix("preflight.") else {
            continue;
        };
        let (name, value) = setting.split_once('=').unwrap_or((setting, ""));
        let Some(entry) = TABLE.iter().find(|entry| entry.name == name) else {
            let known: Vec<String> = TABLE
                .iter()
                .map(|entry| format!("preflight.{}", entry.name))
                .collect();
            complaints.push(format!(
                "unknown option '{word}' on the kernel command line; there are {}",
                known.join(", ")
            ));
            continue;
        };
        let set = entry.values.iter().find(|known| known.word == value);
        let taken = match (set, entry.free) {
            (Some(known), _) => {
                (known.set)(&mut options);
                true
            }
            (None, Some((_, parse))) => parse(value, &mut options),
            (None, None) => false,
        };
        if !taken {
            let mut words: Vec<&str> = entry.values.iter().map(|value| value.word).collect();
            words.extend(entry.free.map(|(shape, _)| shape));
            complaints.push(format!(
                "'{word}' on the kernel command line is not understood; preflight.{name} takes {}",
                words.join(", ")
            ));
        }
    }
    (options, complaints)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_is_read_from_the_command_line() {
        let (options, complaints) = parse(
            "BOOT_IMAGE=/vmlinuz quiet preflight.mode=pristine preflight.end=poweroff preflight.log=debug \
             preflight.data=PARTUUID=ABCD-01 preflight.prom=yes preflight.test=slow-save",
        );
        assert!(complaints.is_empty(), "{complaints:?}");
        assert_eq!(
            options,
            Options {
                mode: Mode::Pristine,
                end: End::PowerOff,
                log: LogLevel::DEBUG,
                data: DataPlace::PartUuid("abcd-01".to_owned()),
                prom: true,
                fault: Some(Fault::SlowSave),
            }
        );
    }

    #[test]
    fn the_stick_that_grub_has_seen_counts_until_a_person_names_another_place() {
        let data = |line: &str| parse(line).0.data;
        let booted = DataPlace::BootedStick("ab-01".to_owned());
        assert_eq!(data("preflight.stick=AB-01"), booted);
        assert_eq!(data("preflight.stick=AB-01 preflight.data=stick"), booted);
        let named = DataPlace::PartUuid("cd-02".to_owned());
        for line in [
            "preflight.stick=ab-01 preflight.data=PARTUUID=cd-02",
            "preflight.data=PARTUUID=cd-02 preflight.stick=ab-01",
        ] {
            assert_eq!(data(line), named, "{line}");
        }
        assert_eq!(parse("preflight.stick=").1.len(), 1);
    }

    #[test]
    fn what_is_not_understood_is_named_and_keeps_its_default() {
        let (options, complaints) =
            parse("preflight.colour=blue preflight.mode=asses preflight.data=/dev/sda1 preflight");
        assert_eq!(options, Options::default());
        assert_eq!(complaints.len(), 3, "{complaints:?}");
        assert!(complaints[0].contains("preflight.colour=blue"));
        assert!(complaints[1].contains("preflight.mode takes assess, pristine"));
        assert!(complaints[2].contains("PARTUUID="));
    }

    #[test]
    fn the_manual_has_every_option_and_value() {
        let manual = include_str!("../../../docs/boot-options.md");
        for entry in TABLE {
            assert!(
                manual.contains(&format!("`preflight.{}=", entry.name)),
                "{}",
                entry.name
            );
            for value in entry.values {
                assert!(
                    manual.contains(&format!("`{}`", value.word)),
                    "{}",
                    value.word
                );
            }
        }
    }
}
