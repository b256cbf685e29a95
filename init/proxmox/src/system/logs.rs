//! Lines of logs that name why a guest with a device did not start, or the device failed.

use hardware::Reading;
use serde::{Deserialize, Serialize};

use super::kernel::contains;
use crate::reader::Reader;

/// Of each log only the end is read.
const TAIL: u64 = 256 << 10;
/// A journal is larger, and most of it is about other things.
const JOURNAL_TAIL: u64 = 16 << 20;
/// The newest lines of one log.
const LINES: usize = 8;
/// The newest start tasks of Proxmox VE.
const TASKS: usize = 40;
/// A line is cut here.
const LONGEST: usize = 300;

/// What QEMU, libvirt and the kernel say when passthrough fails.
const SIGNS: [&str; 16] = [
    "vfio: error",
    "vfio: failed",
    "vfio: Cannot",
    "vfio 0000:",
    "is not viable",
    "failed to setup container",
    "failed to open /dev/vfio",
    "Failed to set up IOMMU",
    "No available IOMMU models",
    "Cannot bind '0000:",
    "can't reserve [mem",
    "ineligible for IOMMU domain attach",
    "Unable to change power state from D3cold",
    "not ready 65535ms after FLR",
    "PCI device mapping invalid",
    "cannot prepare PCI pass-through",
];

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// The log.
    pub file: String,
    /// The line, cut where it is very long.
    pub text: String,
}

pub(crate) fn read(reader: &Reader) -> Vec<LogLine> {
    let mut found = Vec::new();
    for file in libvirt(reader).into_iter().chain(tasks(reader)) {
        take(reader.tail(&file, TAIL), &file, &mut found);
    }
    for file in ["/var/log/kern.log", "/var/log/syslog"] {
        take(reader.tail(file, TAIL), file, &mut found);
    }
    for machine in reader
        .names("/var/log/journal")
        .known()
        .cloned()
        .unwrap_or_default()
    {
        let file = format!("/var/log/journal/{machine}/system.journal");
        take(journal(reader.tail(&file, JOURNAL_TAIL)), &file, &mut found);
    }
    found
}

fn libvirt(reader: &Reader) -> Vec<String> {
    let folder = "/var/log/libvirt/qemu";
    let names = reader.names(folder).known().cloned().unwrap_or_default();
    let logs = names.into_iter().filter(|name| name.ends_with(".log"));
    logs.map(|name| format!("{folder}/{name}")).collect()
}

/// The newest tasks that started a VM: `UPID:node:pid:pstart:starttime:qmstart:100:root@pam:`.
fn tasks(reader: &Reader) -> Vec<String> {
    let folder = "/var/log/pve/tasks";
    let mut starts: Vec<(u64, String)> = Vec::new();
    for part in reader.names(folder).known().cloned().unwrap_or_default() {
        if part.len() != 1 {
            continue;
        }
        let names = reader.names(&format!("{folder}/{part}"));
        for name in names.known().cloned().unwrap_or_default() {
            let fields: Vec<&str> = name.split(':').collect();
            if fields.get(5) == Some(&"qmstart") {
                let time = fields
                    .get(4)
                    .and_then(|time| u64::from_str_radix(time, 16).ok());
                starts.push((time.unwrap_or_default(), format!("{folder}/{part}/{name}")));
            }
        }
    }
    starts.sort();
    let newest = starts.into_iter().rev().take(TASKS);
    newest.map(|(_, path)| path).collect()
}

/// A journal keeps short messages as they are, `MESSAGE=...`, between binary fields; longer ones are packed and
/// are not seen here.
fn journal(tail: Reading<String>) -> Reading<String> {
    tail.map(|text| {
        let messages = text.split("MESSAGE=").skip(1);
        let ended =
            messages.map(|message| message.split(char::is_control).next().unwrap_or_default());
        ended.collect::<Vec<_>>().join("\n")
    })
}

fn take(log: Reading<String>, file: &str, found: &mut Vec<LogLine>) {
    let Reading::Known(text) = log else {
        return;
    };
    let telling = text.lines().filter(|line| {
        SIGNS
            .iter()
            .any(|sign| contains(line.as_bytes(), sign.as_bytes()))
    });
    let mut lines: Vec<LogLine> = Vec::new();
    for line in telling {
        let line = line.trim();
        let end = line.floor_char_boundary(LONGEST);
        let text = line.get(..end).unwrap_or_default().to_owned();
        if !lines.iter().any(|known| known.text == text) {
            lines.push(LogLine {
                file: file.to_owned(),
                text,
            });
        }
    }
    let newest = lines.len().saturating_sub(LINES);
    found.extend(lines.into_iter().skip(newest));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::MemoryFiles;

    #[test]
    fn failed_starts_are_found_in_tasks_domains_and_journals() {
        let task = "var/log/pve/tasks/A/UPID:pve:00001234:00005678:66A0F00A:qmstart:100:root@pam:";
        let error = "kvm: -device vfio-pci,host=0000:01:00.0: vfio 0000:01:00.0: failed to setup container for group 1";
        let files = MemoryFiles::new()
            .file(task, format!("starting\n{error}\nTASK ERROR: start failed\n"))
            .file("var/log/libvirt/qemu/win11.log", "all is well\n")
            .file(
                "var/log/journal/abc/system.journal",
                "\0\0MESSAGE=vfio-pci 0000:01:00.0: BAR 1: can't reserve [mem 0xe0000000]\0\x01PRIORITY=3\0",
            );
        let found = read(&Reader::new(&files, String::new()));
        let texts: Vec<_> = found.iter().map(|line| line.text.as_str()).collect();
        assert_eq!(
            texts,
            [
                error,
                "vfio-pci 0000:01:00.0: BAR 1: can't reserve [mem 0xe0000000]"
            ]
        );
        assert_eq!(found[0].file, format!("/{task}"));
    }
}
