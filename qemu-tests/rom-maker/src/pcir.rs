use pci::{ClassCode, DeviceId, FunctionId};

use crate::bytes::{Bytes, blocks};

/// Revision of the PCI data structure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PcirRevision {
    /// 0: PCI 2.x, 24 bytes, no device list.
    Zero,
    /// 3: PCI 3.0, 28 bytes, with run-time size and device list.
    Three,
}

impl PcirRevision {
    /// Bytes of the structure.
    pub const fn length(self) -> u16 {
        match self {
            Self::Zero => 0x18,
            Self::Three => 0x1c,
        }
    }

    const fn number(self) -> u8 {
        match self {
            Self::Zero => 0,
            Self::Three => 3,
        }
    }
}

/// What an image's PCI data structure says (PCI Firmware specification 3.3, 5.1.2).
pub(crate) struct Pcir<'a> {
    pub(crate) id: FunctionId,
    pub(crate) class: ClassCode,
    pub(crate) revision: PcirRevision,
    pub(crate) devices: &'a [DeviceId],
    pub(crate) code_type: u8,
    /// Bytes of the image.
    pub(crate) image_length: usize,
    pub(crate) last: bool,
}

/// NVIDIA's extension of PCIR.
pub(crate) struct Npde {
    /// Bytes of the image.
    pub(crate) image_length: usize,
    pub(crate) last: bool,
}

impl Pcir<'_> {
    /// Writes the structure, and the device list behind everything else that follows it.
    pub(crate) fn put(&self, image: &mut Bytes, at: usize, device_list: usize) {
        image.put(at, b"PCIR");
        image.u16(at + 0x04, self.id.vendor.0);
        image.u16(at + 0x06, self.id.device.0);
        let length = self.revision.length();
        image.u16(at + 0x0a, length);
        let [_, base, sub, interface] = self.class.0.to_be_bytes();
        image.put(at + 0x0c, &[self.revision.number(), interface, sub, base]);
        image.u16(at + 0x10, blocks(self.image_length));
        image.u16(at + 0x12, 1);
        image.put(at + 0x14, &[self.code_type, last_bit(self.last)]);
        image.u16(at + 0x16, 0);
        if self.revision == PcirRevision::Three {
            image.u16(at + 0x16, blocks(self.image_length));
            image.put(at + 0x18, &[0; 4]);
            self.put_devices(image, at, device_list);
        }
    }

    fn put_devices(&self, image: &mut Bytes, at: usize, device_list: usize) {
        if self.devices.is_empty() {
            return;
        }
        let pointer = u16::try_from(device_list - at).unwrap_or(0);
        image.u16(at + 0x08, pointer);
        for (index, device) in self.devices.iter().enumerate() {
            image.u16(device_list + 2 * index, device.0);
        }
        image.u16(device_list + 2 * self.devices.len(), 0);
    }
}

impl Npde {
    /// Bytes of the structure.
    pub(crate) const LENGTH: usize = 0x0c;

    /// Where it goes: the next 16-byte boundary behind PCIR.
    pub(crate) fn offset(pcir: usize, revision: PcirRevision) -> usize {
        (pcir + usize::from(revision.length())).next_multiple_of(16)
    }

    pub(crate) fn put(&self, image: &mut Bytes, at: usize) {
        image.put(at, b"NPDE");
        image.u16(at + 0x04, 0x0101);
        image.u16(at + 0x06, 0x0c);
        image.u16(at + 0x08, blocks(self.image_length));
        image.put(at + 0x0a, &[last_bit(self.last), 0]);
    }
}

fn last_bit(last: bool) -> u8 {
    if last { 0x80 } else { 0 }
}
