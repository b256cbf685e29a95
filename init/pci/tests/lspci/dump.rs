//! The hex text of `lspci -xxxx`, as far as these tests need it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use pci::{Address, ConfigSpace};

fn hex_line(line: &str) -> Option<(usize, Vec<u8>)> {
    let (offset, bytes) = line.split_once(':')?;
    if !(2..=3).contains(&offset.len()) {
        return None;
    }
    let offset = usize::from_str_radix(offset, 16).ok()?;
    let bytes: Option<Vec<u8>> = bytes
        .split_whitespace()
        .map(|byte| {
            u8::from_str_radix(byte, 16)
                .ok()
                .filter(|_| byte.len() == 2)
        })
        .collect();
    bytes
        .filter(|bytes| !bytes.is_empty())
        .map(|bytes| (offset, bytes))
}

pub fn read(text: &str) -> BTreeMap<Address, ConfigSpace> {
    let mut found: BTreeMap<Address, Vec<u8>> = BTreeMap::new();
    let mut current = None;
    for line in text.lines() {
        if let (Some((offset, bytes)), Some(at)) = (hex_line(line), current) {
            let space = found.entry(at).or_default();
            assert_eq!(space.len(), offset, "{at}: hex without gaps");
            space.extend(bytes);
        } else if let Some(at) = line.split(' ').next().and_then(|word| word.parse().ok()) {
            current = Some(at);
        }
    }
    found
        .into_iter()
        .map(|(at, bytes)| (at, ConfigSpace::new(bytes)))
        .collect()
}

pub fn write(functions: &BTreeMap<Address, ConfigSpace>) -> String {
    let mut text = String::new();
    for (at, space) in functions {
        let _ = writeln!(text, "{at} Function");
        for (line, bytes) in space.bytes().chunks(16).enumerate() {
            let _ = write!(text, "{:02x}:", line * 16);
            for byte in bytes {
                let _ = write!(text, " {byte:02x}");
            }
            text.push('\n');
        }
        text.push('\n');
    }
    text
}
