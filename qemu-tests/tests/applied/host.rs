//! An installed system that was started by the firmware from its own disks, and what it says of itself.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use cards::Entry;
use qemu_tests::golden::Console;
use qemu_tests::{Boot, Machine};
use serde_json::json;

use crate::lab::{AUDIO, CARD, Lab};

/// On the reference machine, some ten times what is seen there.
const TO_LOGIN: Duration = Duration::from_secs(400);

/// What the kernel says of IOMMUs, without its time stamps: a line with one is taken for the kernel's own.
const KERNEL_LOG: &str =
    "dmesg -t | grep -e DMAR -e IOMMU -e iommu -e AMD-Vi -e vfio -e 0000:02:00";

/// A system that has run.
pub struct Host {
    /// /proc/cmdline.
    pub command_line: String,
    /// What `lspci -nnk` says of each function of the card.
    pub functions: [String; 2],
    /// Lines of the kernel's log about IOMMUs and the card.
    pub log: String,
    /// What the commands printed.
    pub answers: Vec<String>,
    /// Everything that was done to the card from power on to power off.
    pub touches: Vec<Entry>,
}

impl Lab {
    /// Starts the system on these disks with the card in place, asks it these commands, which have no double
    /// quotes, and presses the power button.
    pub fn start(&self, phase: &str, disks: &[PathBuf], commands: &[String]) -> Host {
        self.start_on(phase, self.machine(disks), commands)
    }

    /// The same on this machine.
    pub fn start_on(&self, phase: &str, machine: Machine, commands: &[String]) -> Host {
        let began = Instant::now();
        let boot = Boot::from_disk(&self.name(phase), machine);
        let mut run = boot.deadlines(self.patient()).start(&self.qemu).unwrap();
        let mut console = Console::log_in(&mut run, self.installed.golden(), TO_LOGIN).unwrap();
        let mut ask = |command: &str| {
            let answer = console.ask(command).unwrap();
            println!("{phase}: {command}\n{answer}");
            answer
        };
        let command_line = ask("cat /proc/cmdline");
        let functions = [CARD, AUDIO].map(|address| ask(&format!("lspci -nnks {address}")));
        let log = ask(KERNEL_LOG);
        let answers = commands.iter().map(|command| ask(command)).collect();
        run.qmp("system_powerdown", json!({})).unwrap();
        run.wait_end().unwrap();
        drop(run);
        Host {
            command_line,
            functions,
            log,
            answers,
            touches: self.card.log().between(began, Instant::now()),
        }
    }
}

impl Host {
    /// The driver of each function of the card.
    pub fn drivers(&self) -> [Option<&str>; 2] {
        self.functions.each_ref().map(|said| {
            let (_, rest) = said.split_once("Kernel driver in use: ")?;
            rest.lines().next().map(str::trim)
        })
    }

    /// Accesses to the card's BARs. The firmware makes none, nor does a kernel, nor vfio-pci before a guest has
    /// the card: they are a driver's.
    pub fn used(&self) -> Vec<&Entry> {
        self.touches
            .iter()
            .filter(|entry| entry.is_bar_access())
            .collect()
    }
}
