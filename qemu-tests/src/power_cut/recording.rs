use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::LogError;
use super::log::WriteLog;
use super::sparse;
use crate::argument::{Argument, file_node};
use crate::golden::Bus;
use crate::{Device, Machine};

/// Disks begin at multiples of this in the common image.
const ALIGNMENT: u64 = 1 << 20;

/// Length of the disk for marks.
const MARKS_LENGTH: u64 = 1 << 20;

/// The log counts in these.
const SECTOR: u64 = 512;

/// One disk in the common image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// First byte in the common image.
    pub offset: u64,
    /// Bytes.
    pub length: u64,
    /// The disk as it was before the first write.
    pub image: PathBuf,
}

/// Disks whose writes and flushes QEMU records in one log, in one common order. The images they begin
/// with stay as they are: the guest writes to a copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recording {
    name: String,
    common: PathBuf,
    log: PathBuf,
    disks: Vec<Window>,
    marks: Option<Window>,
    bus: Option<Bus>,
}

impl Recording {
    /// A recording of disks that begin as these raw images of whole sectors. In the guest they are virtio
    /// disks with the serial numbers `NAME-0`, `NAME-1` and so on. The common image and the log are made
    /// in `folder`.
    pub fn new(folder: &Path, name: &str, images: &[&Path]) -> io::Result<Self> {
        let common = folder.join(format!("{name}.common"));
        let copy = File::create(&common)?;
        let mut disks = Vec::new();
        let mut end = 0_u64;
        for image in images {
            let length = sparse::copy(image, &copy, end)?;
            if length == 0 || !length.is_multiple_of(SECTOR) {
                let error = io::Error::other(format!("{length} bytes are not whole sectors"));
                return Err(at(image, &error));
            }
            disks.push(Window {
                offset: end,
                length,
                image: (*image).to_owned(),
            });
            end = (end + length).next_multiple_of(ALIGNMENT);
        }
        copy.set_len(end)?;
        let log = folder.join(format!("{name}.writes"));
        // QEMU begins a new log, but in a file that is there.
        File::create(&log)?;
        Ok(Self {
            name: name.to_owned(),
            common,
            log,
            disks,
            marks: None,
            bus: None,
        })
    }

    /// With its disks on this bus in place of virtio: a system finds them where it has its own.
    pub fn at(mut self, bus: Bus) -> Self {
        self.bus = Some(bus);
        self
    }

    /// With one more disk, `NAME-marks`, for the guest to say how far it is: what it writes there is a
    /// mark in the common order, with the text that the sector begins with.
    pub fn with_marks(mut self) -> io::Result<Self> {
        let copy = File::options().write(true).open(&self.common)?;
        let offset = copy.metadata()?.len();
        copy.set_len(offset + MARKS_LENGTH)?;
        self.marks = Some(Window {
            offset,
            length: MARKS_LENGTH,
            image: self.common.clone(),
        });
        Ok(self)
    }

    /// `machine` with these disks on its root bus.
    pub fn on(&self, mut machine: Machine) -> Machine {
        for number in 0..self.disks.len() + usize::from(self.marks.is_some()) {
            machine = machine.integrated(Device::Recorded {
                recording: self.clone(),
                number,
            });
        }
        machine
    }

    /// What was recorded; read it when QEMU has ended.
    pub fn log(&self) -> Result<WriteLog, LogError> {
        WriteLog::read(&self.log)
    }

    /// The image that guests write to: all disks one after the other.
    pub fn common(&self) -> &Path {
        &self.common
    }

    /// The disks, without the one for marks.
    pub fn disks(&self) -> &[Window] {
        &self.disks
    }

    /// The disk for marks.
    pub fn marks(&self) -> Option<&Window> {
        self.marks.as_ref()
    }

    /// Name of the block node of disk `number`, and what makes it. The first disk brings what all share.
    pub(crate) fn node(&self, number: usize) -> Option<(String, Vec<Argument>)> {
        let (window, word) = match self.disks.get(number) {
            Some(window) => (window, number.to_string()),
            None => (self.marks.as_ref()?, "marks".to_owned()),
        };
        let common = format!("{}-common", self.name);
        let node = format!("{}-{word}", self.name);
        let mut arguments = Vec::new();
        if number == 0 {
            // The super block counts the entries: one that is written late hides the last of them.
            arguments.push(Argument::block(json!({
                "driver": "blklogwrites", "node-name": common,
                "file": file_node(&self.common), "log": file_node(&self.log),
                "log-sector-size": SECTOR, "log-super-update-interval": 1,
            })));
        }
        arguments.push(Argument::block(json!({
            "driver": "raw", "node-name": node, "file": common,
            "offset": window.offset, "size": window.length,
        })));
        Some((node, arguments))
    }

    /// Arguments for disk `number`, as device `id` at this place.
    pub(crate) fn arguments(
        &self,
        number: usize,
        id: &str,
        bus: &str,
        addr: &str,
    ) -> Vec<Argument> {
        let Some((node, mut arguments)) = self.node(number) else {
            return Vec::new();
        };
        let mut disk = json!({"drive": node, "serial": node, "share-rw": true});
        let mut device = json!({"id": id, "bus": bus, "addr": addr});
        match self.bus {
            Some(Bus::Sata) => {
                device["driver"] = json!("ahci");
                arguments.push(Argument::device(device));
                disk["driver"] = json!("ide-hd");
                disk["bus"] = json!(format!("{id}.0"));
            }
            other => {
                let driver = match other {
                    None => "virtio-blk-pci",
                    Some(_) => "nvme",
                };
                disk["driver"] = json!(driver);
                for property in ["id", "bus", "addr"] {
                    disk[property] = device[property].take();
                }
            }
        }
        arguments.push(Argument::device(disk));
        arguments
    }
}

/// An error with the path it is about.
pub(super) fn at(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}
