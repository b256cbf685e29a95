use std::collections::BTreeMap;

use crate::Reading;
use crate::tree::{Kind, Tree};

const TABLES: &str = "firmware/acpi/tables";
/// The largest tables that matter hold ROM images (VFCT) of some 64 KiB each.
const TABLE_LIMIT: usize = 1 << 20;
const TOTAL_LIMIT: usize = 8 << 20;

/// The ACPI tables. Those of machine code (DSDT, SSDT) are left out: they are large, and nothing in
/// them is judged.
pub(super) fn tables(sys: &Tree) -> Reading<BTreeMap<String, Reading<Vec<u8>>>> {
    let names = match sys.list(TABLES) {
        Ok(names) => names,
        Err(error) => return sys.expected(TABLES, Err(error)),
    };
    let mut tables = BTreeMap::new();
    let mut left = TOTAL_LIMIT;
    for name in names {
        let path = format!("{TABLES}/{name}");
        let is_code = name == "DSDT" || name.starts_with("SSDT");
        if is_code || !matches!(sys.kind(&path), Ok(Kind::File | Kind::Link)) {
            continue;
        }
        let bytes = sys.expected(&path, sys.all_bytes(&path, TABLE_LIMIT.min(left)));
        left = left.saturating_sub(bytes.known().map_or(0, Vec::len));
        tables.insert(name, bytes);
    }
    Reading::Known(tables)
}
