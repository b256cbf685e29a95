//! The disassembler of the ACPI reference implementation (Debian: acpica-tools) as the other decoder.

use std::path::Path;
use std::process::Command;

use hardware::acpi::{Field, Value};

use crate::{Table, skip, tables};

/// Fields that iasl takes for one and that have parts in a later edition of the specification.
const SPLIT: &[(&str, &str, &[&str])] = &[
    // VT-d 4.1 has flags in the first of the two reserved bytes of a device scope.
    ("DMAR", "Reserved", &["Device Scope Flags", "Reserved"]),
    // AMD 3.10 has the PCI segment in the reserved eight bytes of a memory definition.
    ("IVRS", "Reserved", &["PCI Segment Group", "Reserved"]),
];

/// Structures that some iasl decodes in part or not at all. 20200925, which Debian 12 has, stops at the types
/// that it does not know: in a DMAR for good, in an IVRS until the next block.
const NOT_DECODED: &[(&str, u64, &str)] = &[
    ("DMAR", 4, "ANDD: what pads the name is not printed"),
    ("DMAR", 5, "SATC: younger than this iasl"),
    ("DMAR", 6, "SIDP: younger than this iasl"),
    ("IVRS", 0x40, "IVHD 0x40: younger than this iasl"),
    ("IVRS", 0x51, "assigned by no specification"),
];

/// A line of iasl's: `[024h 0036   1]           Host Address Width : 26`.
struct Line {
    offset: usize,
    length: usize,
    name: String,
    value: String,
}

fn lines(disassembly: &str) -> Vec<Line> {
    let mut found: Vec<Line> = Vec::new();
    for line in disassembly.lines() {
        match parse(line) {
            Some(line) => found.push(line),
            // The rest of a field of many bytes.
            None if line.starts_with(' ') && is_bytes(line) => {
                if let Some(last) = found.last_mut() {
                    last.value = format!("{} {}", last.value, line.trim());
                }
            }
            None => {}
        }
    }
    found
}

fn is_bytes(text: &str) -> bool {
    let mut words = text.split_whitespace().peekable();
    words.peek().is_some()
        && words.all(|word| word.len() == 2 && u8::from_str_radix(word, 16).is_ok())
}

fn parse(line: &str) -> Option<Line> {
    let (place, rest) = line.strip_prefix('[')?.split_once(']')?;
    let (name, value) = rest.split_once(" : ")?;
    let mut place = place.split_whitespace();
    let offset = usize::from_str_radix(place.next()?.strip_suffix('h')?, 16).ok()?;
    // Decimal once more, then the length: `1` of old, `001h` in later versions.
    let length = match place.nth(1)? {
        hex if hex.ends_with('h') => usize::from_str_radix(hex.trim_end_matches('h'), 16).ok()?,
        decimal => decimal.parse().ok()?,
    };
    let value = match value.strip_prefix('"') {
        Some(text) => format!("\"{}", text.rsplit_once('"')?.0),
        None => value.split(" [").next()?.trim().to_owned(),
    };
    Some(Line {
        offset,
        length,
        name: name.trim().to_owned(),
        value,
    })
}

/// Whether the line says what we read.
fn agrees(line: &Line, value: &Value) -> bool {
    let number = || u64::from_str_radix(&line.value, 16).ok();
    match value {
        Value::Text(text) => line.value.strip_prefix('"') == Some(text),
        Value::Number(ours) => number() == Some(*ours),
        Value::Bytes(ours) => {
            let words = line.value.split([' ', ',']);
            let bytes: Option<Vec<u8>> = words
                .map(|word| u8::from_str_radix(word, 16).ok())
                .collect();
            bytes.as_ref() == Some(ours)
                || number().is_some_and(|number| number.to_le_bytes().starts_with(ours))
        }
    }
}

/// Fields of ours that the line is about: the one in its place, or the parts that a later edition made of it.
fn ours<'a>(table: &'a Table, line: &Line) -> &'a [Field] {
    let first = table
        .trace
        .iter()
        .position(|field| field.offset == line.offset);
    let Some(from) = first.and_then(|first| table.trace.get(first..)) else {
        return &[];
    };
    if from[0].length == line.length {
        return &from[..1];
    }
    let names = |fields: &[Field]| fields.iter().map(|field| field.name).collect::<Vec<_>>();
    let is_split = |parts: &[&str]| names(from).starts_with(parts);
    SPLIT
        .iter()
        .filter(|(signature, name, _)| *signature == table.signature && *name == line.name)
        .find(|(_, _, parts)| is_split(parts))
        .map_or(&[], |(_, _, parts)| &from[..parts.len()])
}

/// Compares every line of iasl's with our field there; gives the fields of ours that a line was about.
fn compare<'a>(table: &'a Table, lines: &[Line]) -> Vec<&'a Field> {
    let mut compared = Vec::new();
    for line in lines {
        let what = format!(
            "{} at {}: iasl has '{}' of {} bytes: {}",
            table.path.display(),
            line.offset,
            line.name,
            line.length,
            line.value
        );
        let ours = ours(table, line);
        assert_eq!(
            ours.iter().map(|field| field.length).sum::<usize>(),
            line.length,
            "{what}, we have {ours:?}"
        );
        let equal = match ours {
            [field] => agrees(line, &field.value),
            parts => {
                let bytes = &table.bytes[line.offset..line.offset + line.length];
                let as_read: Vec<u8> = parts.iter().flat_map(bytes_of).collect();
                as_read == bytes && agrees(line, &Value::Bytes(as_read))
            }
        };
        assert!(equal, "{what}, we have {ours:?}");
        compared.extend(ours);
    }
    compared
}

fn bytes_of(field: &Field) -> Vec<u8> {
    match &field.value {
        Value::Number(number) => number.to_le_bytes()[..field.length].to_vec(),
        Value::Bytes(bytes) => bytes.clone(),
        Value::Text(text) => text.clone().into_bytes(),
    }
}

fn disassemble(table: &Table, folder: &Path) -> String {
    let bytes = folder.join("table.dat");
    std::fs::write(&bytes, &table.bytes).unwrap();
    let output = Command::new("iasl")
        .arg("-p")
        .arg(folder.join("table"))
        .arg("-d")
        .arg(&bytes)
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {told}", table.path.display());
    let text = std::fs::read(folder.join("table.dsl")).unwrap();
    String::from_utf8_lossy(&text).into_owned()
}

#[test]
fn every_field_that_iasl_prints_of_a_real_table_has_the_same_place_and_value_in_ours() {
    if Command::new("iasl").arg("-v").output().is_err() {
        return skip("there is no iasl; install the package acpica-tools");
    }
    let folder = tempfile::tempdir().unwrap();
    let tables = tables();
    let mut total = 0;
    for table in &tables {
        let compared = compare(table, &lines(&disassemble(table, folder.path())));
        assert!(compared.len() > 12, "{}", table.path.display());
        total += compared.len();
        for (field, kind) in table.trace.iter().zip(table.kinds()) {
            let is_explained = NOT_DECODED
                .iter()
                .any(|(signature, known, _)| *signature == table.signature && Some(*known) == kind);
            assert!(
                compared.contains(&field) || is_explained,
                "{}: iasl has nothing about {field:?}",
                table.path.display()
            );
        }
    }
    println!("{total} fields of {} tables agree", tables.len());
    assert!(total > 0 || tables.is_empty());
}

#[test]
fn a_value_that_differs_is_noticed() {
    let line = parse("[024h 0036   1]           Host Address Width : 26").unwrap();
    assert_eq!((line.offset, line.length), (36, 1));
    assert!(agrees(&line, &Value::Number(0x26)) && !agrees(&line, &Value::Number(26)));
    let line = parse("[046h 0070 002h]                     PCI Path : 1B,00").unwrap();
    assert!(agrees(&line, &Value::Bytes(vec![0x1b, 0])));
    assert!(!agrees(&line, &Value::Bytes(vec![0x1b, 1])));
    let line = parse("[000h 0000   4]  Signature : \"DMAR\"    [DMA Remapping table]").unwrap();
    assert!(agrees(&line, &Value::Text("DMAR".into())));
    assert!(!agrees(&line, &Value::Text("DMA".into())));
}
