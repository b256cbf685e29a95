//! Real DMAR and IVRS tables, where they are at hand beside the working tree: every byte of them explained,
//! and every field as another decoder reads it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "clippy.toml allows these in test functions; what they call is test code, too"
)]

mod every_byte;
mod iasl;

use std::path::{Path, PathBuf};

use hardware::acpi::{Dmar, Ivrs, Trace};

/// A table, and where its fields are.
struct Table {
    path: PathBuf,
    signature: String,
    bytes: Vec<u8>,
    trace: Trace,
}

/// Where a test cannot run: a failure where everything has to be at hand, else a line that says so.
fn skip(why: &str) {
    let is_set = |name: &str, value: &str| std::env::var_os(name).is_some_and(|set| set == value);
    let complete = is_set("CI", "true") || is_set("PREFLIGHT_LAB", "complete");
    assert!(!complete, "nothing may be skipped here: {why}");
    println!("skipped: {why}");
}

/// All tables there are.
fn tables() -> Vec<Table> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/fixtures/acpi");
    let mut tables = Vec::new();
    for folder in ["dmar", "ivrs", "qemu"] {
        match std::fs::read_dir(root.join(folder)) {
            Ok(entries) => tables.extend(entries.map(|entry| table(entry.unwrap().path()))),
            Err(error) => skip(&format!("{}: {error}", root.join(folder).display())),
        }
    }
    tables
}

fn table(path: PathBuf) -> Table {
    let bytes = std::fs::read(&path).unwrap();
    let signature = String::from_utf8_lossy(&bytes[..4]).into_owned();
    let (problems, trace) = match signature.as_str() {
        "DMAR" => {
            let (table, trace) = Dmar::trace(&bytes).unwrap();
            (table.problems, trace)
        }
        "IVRS" => {
            let (table, trace) = Ivrs::trace(&bytes).unwrap();
            (table.problems, trace)
        }
        other => panic!("{}: a {other} table", path.display()),
    };
    assert_eq!(problems, [], "{}", path.display());
    Table {
        path,
        signature,
        bytes,
        trace,
    }
}

impl Table {
    /// Type of the structure or block that each field of the trace belongs to; none for the fixed part.
    fn kinds(&self) -> Vec<Option<u64>> {
        let mut kind = None;
        let each = self.trace.iter().map(|field| {
            if let ("Type", hardware::acpi::Value::Number(number)) = (field.name, &field.value) {
                kind = Some(*number);
            }
            kind
        });
        each.collect()
    }
}
