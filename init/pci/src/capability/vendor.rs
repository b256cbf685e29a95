use serde::{Deserialize, Serialize};

use crate::register::Registers;
use crate::{ConfigSpace, VendorId, conventional, extended};

/// Vendor-specific capability of the conventional list (7.9.4). Only the vendor knows what is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VendorSpecific {
    /// Bytes that it takes, header included.
    pub length: u8,
}

/// Vendor-Specific Extended Capability (7.9.5); its id means something to the function's vendor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VendorSpecificExtended {
    /// The vendor's id for it.
    pub id: u16,
    /// The vendor's revision.
    pub revision: u8,
    /// Bytes that it takes, header included.
    pub length: u16,
}

/// Designated Vendor-Specific Extended Capability (7.9.6): a vendor's that any vendor can use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DesignatedVendorSpecific {
    /// The vendor that defines it.
    pub vendor: VendorId,
    /// That vendor's id for it.
    pub id: u16,
    /// That vendor's revision.
    pub revision: u8,
    /// Bytes that it takes, header included.
    pub length: u16,
}

/// Low half, revision and length of a vendor's header.
fn header(register: u32) -> (u16, u8, u16) {
    let [id_low, id_high, low, high] = register.to_le_bytes();
    let length = u16::from(low >> 4) | u16::from(high) << 4;
    (u16::from_le_bytes([id_low, id_high]), low & 0x0f, length)
}

impl VendorSpecific {
    pub(crate) fn read(registers: Registers<'_>) -> Option<Self> {
        registers.u8(2).map(|length| Self { length })
    }
}

impl VendorSpecificExtended {
    pub(crate) fn read(registers: Registers<'_>) -> Option<Self> {
        let (id, revision, length) = header(registers.u32(4)?);
        Some(Self {
            id,
            revision,
            length,
        })
    }
}

impl DesignatedVendorSpecific {
    pub(crate) fn read(registers: Registers<'_>) -> Option<Self> {
        let (vendor, revision, length) = header(registers.u32(4)?);
        Some(Self {
            vendor: VendorId(vendor),
            id: registers.u16(8)?,
            revision,
            length,
        })
    }
}

impl ConfigSpace {
    /// The first vendor-specific capability. Outer `None`: unknown. Inner `None`: there is none.
    pub fn vendor_specific(&self) -> Option<Option<VendorSpecific>> {
        self.conventional(conventional::VENDOR_SPECIFIC, VendorSpecific::read)
    }

    /// The vendor-specific extended capabilities, of which a function can have several. `None`: the
    /// extended space was not read. One that is cut short is left out.
    pub fn vendor_specific_extended(
        &self,
    ) -> Option<impl Iterator<Item = VendorSpecificExtended> + '_> {
        self.every_extended(extended::VENDOR_SPECIFIC, VendorSpecificExtended::read)
    }

    /// The designated vendor-specific extended capabilities, of which a function can have several.
    /// `None`: the extended space was not read. One that is cut short is left out.
    pub fn designated_vendor_specific(
        &self,
    ) -> Option<impl Iterator<Item = DesignatedVendorSpecific> + '_> {
        self.every_extended(
            extended::DESIGNATED_VENDOR_SPECIFIC,
            DesignatedVendorSpecific::read,
        )
    }

    fn every_extended<'a, T: 'a>(
        &'a self,
        id: u16,
        read: fn(Registers<'a>) -> Option<T>,
    ) -> Option<impl Iterator<Item = T> + 'a> {
        let entries = self.walk_extended()?.flatten();
        Some(
            entries
                .filter(move |entry| entry.id == id)
                .filter_map(move |entry| read(self.extended_registers_of(entry))),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{conventional, extended, space};

    #[test]
    fn a_vendors_capability_has_a_length() {
        let config = conventional(0x09, &[0x14]);
        assert_eq!(
            config.vendor_specific(),
            Some(Some(VendorSpecific { length: 0x14 }))
        );
    }

    #[test]
    fn a_function_can_have_several() {
        let config = space(
            4096,
            &[
                (0x100, &[0x0b, 0, 0x01, 0x20, 0x01, 0x00, 0x01, 0x02]),
                (0x200, &[0x0b, 0, 0x01, 0x00, 0x02, 0x00, 0x40, 0x01]),
            ],
        );
        let all: Vec<_> = config.vendor_specific_extended().unwrap().collect();
        assert_eq!(all.len(), 2);
        assert_eq!((all[0].id, all[0].revision, all[0].length), (1, 1, 0x20));
        assert_eq!((all[1].id, all[1].length), (2, 0x14));
    }

    #[test]
    fn a_designated_one_names_its_vendor() {
        let config = extended(0x23, &[0x98, 0x1e, 0x81, 0x03, 0x08, 0x00]);
        let all: Vec<_> = config.designated_vendor_specific().unwrap().collect();
        assert_eq!(
            all,
            [DesignatedVendorSpecific {
                vendor: VendorId(0x1e98),
                id: 8,
                revision: 1,
                length: 0x38
            }]
        );
    }
}
