use pci::FunctionId;

use super::{HEADER, Table};

/// Length of what stands before the images, with the table's header.
const FIRST_IMAGE: usize = HEADER + 40;

/// Video BIOS of AMD cards as their UEFI driver leaves them (`VFCT` in the kernel's
/// drivers/gpu/drm/amd/include/atomfirmware.h).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vfct {
    /// The images.
    pub images: Vec<VfctImage>,
}

/// One image, and the function that it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VfctImage {
    /// Bus, device, function numbers.
    pub place: (u8, u8, u8),
    /// Ids.
    pub id: FunctionId,
    /// Ids of the board.
    pub subsystem: FunctionId,
    /// Revision id.
    pub revision: u8,
    /// The image.
    pub bytes: Vec<u8>,
}

impl Vfct {
    /// The table. QEMU takes no more than 65,535 bytes of it.
    pub fn table(&self) -> Table {
        let first = u32::try_from(FIRST_IMAGE).unwrap_or(u32::MAX);
        let mut body = vec![0; 16];
        body.extend(first.to_le_bytes());
        body.extend([0; 20]);
        body.extend(self.images.iter().flat_map(VfctImage::bytes));
        Table::new(*b"VFCT", 1, &body)
    }
}

impl VfctImage {
    fn bytes(&self) -> Vec<u8> {
        let (bus, device, function) = self.place;
        let mut bytes = Vec::new();
        for number in [bus, device, function] {
            bytes.extend(u32::from(number).to_le_bytes());
        }
        for id in [self.id, self.subsystem] {
            bytes.extend(id.vendor.0.to_le_bytes());
            bytes.extend(id.device.0.to_le_bytes());
        }
        bytes.extend(u32::from(self.revision).to_le_bytes());
        let length = u32::try_from(self.bytes.len()).unwrap_or(u32::MAX);
        bytes.extend(length.to_le_bytes());
        bytes.extend(&self.bytes);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_follows_its_header_of_28_bytes() {
        let image = VfctImage {
            place: (1, 0, 0),
            id: FunctionId::new(0x1002, 0x67df),
            subsystem: FunctionId::new(0x1682, 0x9480),
            revision: 0xc7,
            bytes: vec![0x55, 0xaa],
        };
        let table = Vfct {
            images: vec![image],
        };
        let table = table.table();
        let bytes = table.bytes();
        assert_eq!(bytes[52..56], 76_u32.to_le_bytes());
        assert_eq!(bytes[76 + 12..76 + 16], [0x02, 0x10, 0xdf, 0x67]);
        assert_eq!(bytes[76 + 24..], [2, 0, 0, 0, 0x55, 0xaa]);
    }
}
