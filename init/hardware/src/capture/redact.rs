//! Takes out what identifies one machine among its like: serial numbers, MAC addresses, UUIDs, product
//! keys. Everything keeps its place and, in binary files, its length, so that the rest reads the same.

mod acpi;
mod config;
mod smbios;
mod text;

use std::collections::BTreeSet;

use self::text::Identifiers;
use super::LeftOut;
use crate::kernel_log::is_of_a_program;
use crate::source::LOG_FILE;
use crate::tree::{Content, Image, Node};

/// What identifies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum What {
    Serial,
    Mac,
    Uuid,
    Wwn,
    ProductKey,
    ProgramMessages,
}

impl What {
    fn words(self) -> &'static str {
        match self {
            Self::Serial => "serial numbers",
            Self::Mac => "MAC addresses",
            Self::Uuid => "UUIDs",
            Self::Wwn => "world wide names",
            Self::ProductKey => "product keys",
            Self::ProgramMessages => "messages of programs",
        }
    }

    /// How it is named where it stood.
    fn token(self) -> &'static str {
        match self {
            Self::Mac => "mac",
            Self::Uuid => "uuid",
            Self::Wwn => "wwn",
            Self::Serial | Self::ProductKey | Self::ProgramMessages => "serial",
        }
    }
}

/// What was recorded, by ascending path, and what was taken out of it.
pub(super) struct Redacted {
    pub nodes: Vec<(String, Node)>,
    pub left_out: Vec<LeftOut>,
}

impl Redacted {
    /// Takes nothing out.
    pub fn nothing(image: Image) -> Self {
        Self {
            nodes: sorted(image),
            left_out: Vec::new(),
        }
    }
}

/// Takes identifiers out of every file, link and name.
pub(super) fn redact(image: Image) -> Redacted {
    let mut identifiers = Identifiers::default();
    let mut left_out = Vec::new();
    let nodes = sorted(image)
        .into_iter()
        .map(|(path, node)| {
            let mut found = BTreeSet::new();
            let node = match node {
                Node::File(Content::Bytes { mut bytes, whole }) => {
                    treatment(&path)(&mut bytes, &mut identifiers, &mut found);
                    Node::File(Content::Bytes { bytes, whole })
                }
                Node::Link(text) => Node::Link(identifiers.replace_in(&text, &mut found)),
                other => other,
            };
            let path = identifiers.replace_in(&path, &mut found);
            left_out.extend(found.into_iter().map(|what| LeftOut {
                path: path.clone(),
                what: what.words().to_owned(),
            }));
            (path, node)
        })
        .collect();
    Redacted { nodes, left_out }
}

fn sorted(image: Image) -> Vec<(String, Node)> {
    let mut nodes = image.into_nodes();
    nodes.sort_by(|one, other| one.0.cmp(&other.0));
    nodes
}

/// Takes identifiers out of a file.
type Treatment = fn(&mut Vec<u8>, &mut Identifiers, &mut BTreeSet<What>);

/// Files that are not text, by folder and name; `*` is any name.
const BINARY: &[(&str, &str, Treatment)] = &[
    ("sys/firmware/acpi/tables", "*", |_, _, _| {}),
    ("sys/firmware/dmi/tables", "DMI", |bytes, _, found| {
        smbios::blank(bytes, found)
    }),
    (
        "sys/firmware/dmi/tables",
        "smbios_entry_point",
        |_, _, _| {},
    ),
];

/// Names of files that hold nothing but an identifier, wherever they are. (`address` is no such name:
/// slots and IOMMU units have one, too. A MAC address in it is found by its form.)
const SERIALS: &[&str] = &[
    "serial",
    "wwid",
    "wwn",
    "uuid",
    "nguid",
    "eui",
    "unique_id",
    "cid",
    "subsysnqn",
];

fn treatment(path: &str) -> Treatment {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    if folder == "sys/firmware/acpi/tables" && acpi::is_private(name) {
        return |bytes, _, found| acpi::blank(bytes, found);
    }
    let binary = BINARY.iter().find(|(its_folder, its_name, _)| {
        folder == *its_folder && (*its_name == "*" || name == *its_name)
    });
    if let Some((_, _, treatment)) = binary {
        return *treatment;
    }
    let dmi = ["_serial", "_uuid", "_asset_tag"]
        .iter()
        .any(|end| name.ends_with(end));
    if name == "config" && folder.starts_with("sys/") {
        |bytes, _, found| config::blank(bytes, found)
    } else if path == LOG_FILE {
        |bytes, identifiers, found| {
            drop_program_lines(bytes, found);
            *bytes = identifiers.replace(bytes, found);
        }
    } else if dmi || SERIALS.contains(&name) {
        |bytes, identifiers, found| *bytes = identifiers.replace_all(bytes, found)
    } else {
        |bytes, identifiers, found| *bytes = identifiers.replace(bytes, found)
    }
}

/// Programs write host and user names into the log; nothing in their messages is evidence.
fn drop_program_lines(bytes: &mut Vec<u8>, found: &mut BTreeSet<What>) {
    let text = String::from_utf8_lossy(bytes);
    let kept: String = text
        .split_inclusive('\n')
        .filter(|line| !is_of_a_program(line))
        .collect();
    if kept.len() != text.len() {
        found.insert(What::ProgramMessages);
        *bytes = kept.into_bytes();
    }
}
