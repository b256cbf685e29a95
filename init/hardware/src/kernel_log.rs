use std::io::{self, Read};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use std::os::unix::fs::OpenOptionsExt;

use crate::source::{LOG_FILE, LogSource};
use crate::tree::why;
use crate::{Reading, Source};

const KMSG: &str = "/dev/kmsg";
/// A saved log: more is no log that a kernel's ring buffer held.
const LIMIT: usize = 16 << 20;
/// The kernel's `PRINTK_MESSAGE_MAX`, and room to spare.
const RECORD: usize = 16 << 10;
/// So many lines that matter are kept.
const MAX_LINES: usize = 4096;

/// A line matters when it has one of these words (lower case) ...
const WORDS: &[&str] = &[
    "iommu",
    "dmar",
    "amd-vi",
    "ivrs",
    "irq remapping",
    "interrupt remapping",
    "x2apic",
    "vfio",
    "kvm:",
    "kvm_intel",
    "kvm_amd",
    "disabled by bios",
    "framebuffer",
    "simplefb",
    "simpledrm",
    "efifb",
    "vesafb",
    "bootfb",
    "sysfb",
    "vgaarb",
    "shadowed rom",
    "invalid pci rom",
    "expansion rom",
    "option rom",
    "lockdown",
    "locked down",
    "stuck in d3",
    "change power state",
    "reset recovery",
    "ms after",
    "d3cold",
    "efi: efi v",
    "setup_pci",
];
/// ... or speaks of a BAR or bridge window and of trouble with it.
const REGIONS: &[&str] = &["bar ", "bridge window", "rom [mem"];
const TROUBLE: &[&str] = &[
    "can't",
    "cannot",
    "failed",
    "no space",
    "not claimed",
    "conflict",
    "invalid",
    "unassigned",
];

/// Messages that quote other texts: the command line, which is read by itself, and what programs write
/// into the log, this one among them. Words in those are no evidence.
const QUOTES: &[&str] = &[
    "Command line: ",
    "Kernel command line: ",
    "preflight",
    "systemd",
];

/// The whole kernel log as text, a message a line: as dmesg prints it from the running kernel
/// (`[    1.234567] text`), as it was saved from a folder. For saving; [`crate::Kernel::log`] has what
/// matters.
pub fn kernel_log(source: &Source) -> Reading<String> {
    match source.log.bytes() {
        Ok(bytes) => Reading::Known(String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Reading::unknown(format!("{} is not there", source.log.name()))
        }
        Err(error) => Reading::unknown(format!("{}: {}", source.log.name(), why(&error))),
    }
}

impl LogSource {
    /// Where it is, for people.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Kmsg => KMSG.to_owned(),
            Self::File(tree) => tree.name(LOG_FILE),
            Self::Recorded(source, _) => source.name(),
            Self::Image(_, name) => name.clone(),
        }
    }

    fn bytes(&self) -> io::Result<Vec<u8>> {
        match self {
            Self::Kmsg => read_kmsg().map(String::into_bytes),
            Self::File(tree) => tree.all_bytes(LOG_FILE, LIMIT),
            Self::Recorded(source, recorder) => {
                let result = source.bytes();
                recorder.file(LOG_FILE, &result);
                result
            }
            Self::Image(image, _) => image.file(LOG_FILE, LIMIT),
        }
    }
}

/// The messages that matter, without time stamps and levels.
pub(crate) fn relevant(log: &str) -> Vec<String> {
    messages(log)
        .filter(|message| matters(message))
        .take(MAX_LINES)
        .map(str::to_owned)
        .collect()
}

/// Every message of a log text, without time stamps and levels.
pub(crate) fn messages(log: &str) -> impl Iterator<Item = &str> {
    log.lines()
        .map(message)
        .filter(|message| !message.is_empty())
}

/// A line that a program wrote, which may name more than the machine.
pub(crate) fn is_of_a_program(line: &str) -> bool {
    message(line).starts_with("systemd")
}

fn matters(message: &str) -> bool {
    if QUOTES.iter().any(|quote| message.starts_with(quote)) {
        return false;
    }
    let message = message.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| message.contains(word));
    has(WORDS) || (has(REGIONS) && has(TROUBLE))
}

/// The text behind what dmesg, journalctl, syslog or /dev/kmsg puts before it: `<6>`, `[    1.234567]`,
/// `[T1]`, `Jan 01 00:00:00 host kernel:`, `6,12,3456,-;`.
fn message(line: &str) -> &str {
    let numeric = |text: &str| {
        text.bytes()
            .all(|byte| byte.is_ascii_digit() || b",-".contains(&byte))
    };
    let mut rest = match line.split_once(';') {
        Some((head, rest)) if head.matches(',').count() >= 3 && numeric(head) => rest,
        _ => line,
    };
    if let Some((_, behind)) = rest.split_once(" kernel: ") {
        rest = behind;
    }
    if let Some((level, behind)) = rest.strip_prefix('<').and_then(|rest| rest.split_once('>'))
        && level.bytes().all(|byte| byte.is_ascii_digit())
    {
        rest = behind;
    }
    while let Some((stamp, behind)) = rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        let stamp = stamp.trim().trim_start_matches(['T', 'C']);
        if stamp.is_empty()
            || !stamp
                .bytes()
                .all(|byte| byte.is_ascii_digit() || byte == b'.')
        {
            break;
        }
        rest = behind;
    }
    rest.trim()
}

/// Reads all records that the ring buffer holds now. Each read gives one record; the end is `EAGAIN`
/// (Documentation/ABI/testing/dev-kmsg).
fn read_kmsg() -> io::Result<String> {
    let mut kmsg = std::fs::OpenOptions::new()
        .read(true)
        .custom_flags(OFlag::O_NONBLOCK.bits())
        .open(KMSG)?;
    let mut record = vec![0; RECORD];
    let mut text = String::new();
    while text.len() < LIMIT {
        match kmsg.read(&mut record) {
            Ok(0) => break,
            Ok(length) => push_record(&mut text, record.get(..length).unwrap_or_default()),
            Err(error) => match error.raw_os_error().map(Errno::from_raw) {
                Some(Errno::EAGAIN) => break,
                // The record was overwritten meanwhile; the next read goes on with the oldest one.
                Some(Errno::EPIPE | Errno::EINTR) => {}
                _ => return Err(error),
            },
        }
    }
    Ok(text)
}

/// Adds `prio,seq,microseconds,flags;text` as dmesg prints it. Lines that begin with a space are
/// key-value pairs of the record and no part of the message.
fn push_record(text: &mut String, record: &[u8]) {
    let record = String::from_utf8_lossy(record);
    let Some((head, body)) = record.split_once(';') else {
        return;
    };
    let time: u64 = head
        .split(',')
        .nth(2)
        .and_then(|field| field.parse().ok())
        .unwrap_or(0);
    let body = body.lines().next().unwrap_or_default();
    for line in unescape(body).lines() {
        let (seconds, micros) = (time / 1_000_000, time % 1_000_000);
        text.push_str(&format!("[{seconds:5}.{micros:06}] {line}\n"));
    }
}

/// Turns `\xNN` back into the byte it stands for.
fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once("\\x") {
        bytes.extend_from_slice(before.as_bytes());
        match behind.get(..2).map(|digits| u8::from_str_radix(digits, 16)) {
            Some(Ok(byte)) => {
                bytes.push(byte);
                rest = behind.get(2..).unwrap_or_default();
            }
            _ => {
                bytes.extend_from_slice(b"\\x");
                rest = behind;
            }
        }
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_becomes_the_line_that_dmesg_prints() {
        let mut text = String::new();
        push_record(
            &mut text,
            b"6,339,5140900,-;NET: \\xe2\\x9c\\x93 a\\x0ab\n SUBSYSTEM=pci\n DEVICE=+pci:0000:00:02.0\n",
        );
        assert_eq!(text, "[    5.140900] NET: \u{2713} a\n[    5.140900] b\n");
        assert_eq!(unescape("C:\\xzz\\x4"), "C:\\xzz\\x4");
    }

    #[test]
    fn time_stamps_and_levels_are_taken_off_whoever_wrote_them() {
        for line in [
            "[    0.123456] DMAR: IOMMU enabled",
            "<6>[    0.123456] DMAR: IOMMU enabled",
            "[    0.123456][    T1] DMAR: IOMMU enabled",
            "6,339,5140900,-;DMAR: IOMMU enabled",
            "Nov 20 00:51:02 pve kernel: DMAR: IOMMU enabled",
            "Nov 20 00:51:02 pve kernel: [    0.123456] DMAR: IOMMU enabled",
            "DMAR: IOMMU enabled",
        ] {
            assert_eq!(message(line), "DMAR: IOMMU enabled", "{line}");
        }
        assert_eq!(message("[Firmware Bug]: TSC; x"), "[Firmware Bug]: TSC; x");
    }

    #[test]
    fn lines_about_isolation_displays_and_lost_regions_are_kept() {
        let kept = [
            "DMAR-IR: Enabled IRQ remapping in x2apic mode",
            "AMD-Vi: Interrupt remapping enabled",
            "kvm: disabled by bios",
            "x86/cpu: VMX (outside TXT) disabled by BIOS",
            "pci 0000:01:00.0: Video device with shadowed ROM at [mem 0x000c0000-0x000dffff]",
            "vfio-pci 0000:01:00.0: BAR 1: can't reserve [mem 0xd0000000-0xdfffffff 64bit pref]",
            "Kernel is locked down from EFI Secure Boot; see man kernel_lockdown.7",
            "pci 0000:01:00.0: BAR 6: no space for [mem size 0x00020000 pref]",
        ];
        let dropped = [
            "Command line: quiet intel_iommu=on",
            "preflight: rule iommu.off",
            "kvm-clock: Using msrs 4b564d01 and 4b564d00",
            "pci 0000:01:00.0: BAR 6: assigned [mem 0xfe000000-0xfe01ffff pref]",
            "usb 1-1: new high-speed USB device number 2 using xhci_hcd",
        ];
        let log = [kept.as_slice(), &dropped].concat().join("\n");
        assert_eq!(relevant(&log), kept);
    }

    proptest::proptest! {
        #[test]
        fn any_log_is_read_without_panic(bytes: Vec<u8>) {
            let mut text = String::new();
            push_record(&mut text, &bytes);
            relevant(&String::from_utf8_lossy(&bytes));
        }
    }
}
