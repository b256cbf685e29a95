use std::collections::BTreeSet;

use pci::ConfigSpace;

use super::What;

/// Device Serial Number extended capability (PCI Express Base specification, 7.9.3): eight bytes at 4. On
/// network cards it is made of the MAC address.
const EXT_DSN: u16 = 0x0003;

/// Blanks the device serial number in a configuration space.
pub(super) fn blank(bytes: &mut [u8], found: &mut BTreeSet<What>) {
    let space = ConfigSpace::new(bytes.to_vec());
    for entry in space.extended_capabilities().unwrap_or_default() {
        if entry.id == EXT_DSN
            && let Some(serial) = bytes.get_mut(entry.offset + 4..entry.offset + 12)
        {
            serial.fill(0);
            found.insert(What::Serial);
        }
    }
}
