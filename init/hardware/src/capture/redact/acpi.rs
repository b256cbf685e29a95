use std::collections::BTreeSet;

use super::What;

/// Length of the header that every table has (ACPI specification 6.5, 5.2.6).
const HEADER: usize = 36;

/// Tables that hold product keys (`MSDM`, `SLIC`), or addresses and passwords of network disks (`IBFT`,
/// `NBFT`), or a machine's identity for management (`ASF!`). Nothing in them is judged.
const PRIVATE: [&str; 5] = ["MSDM", "SLIC", "IBFT", "NBFT", "ASF!"];

/// Whether the body of a table with this file name is left out. The second of two is `MSDM2`.
pub(super) fn is_private(name: &str) -> bool {
    name.get(..4).is_some_and(|signature| {
        PRIVATE
            .iter()
            .any(|table| signature.eq_ignore_ascii_case(table))
    })
}

/// Blanks everything behind the header.
pub(super) fn blank(bytes: &mut [u8], found: &mut BTreeSet<What>) {
    if let Some(body) = bytes.get_mut(HEADER..) {
        body.fill(0);
        found.insert(What::ProductKey);
    }
}
