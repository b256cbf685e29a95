use goblin::elf::Elf;
use goblin::elf::header::{ET_DYN, ET_EXEC};
use serde::Deserialize;

/// What the loader of an ELF file looks at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ElfFacts {
    /// Whether it is linked (ET_EXEC or ET_DYN) and no object file.
    pub linked: bool,
    /// PT_INTERP: the program that loads it. A static program has none.
    pub interpreter: Option<String>,
    /// DT_NEEDED: libraries that must be there.
    pub needed: Vec<String>,
    /// DT_SONAME: the name that it is known by once it is loaded.
    pub soname: Option<String>,
    /// DT_RPATH, one folder each, not expanded.
    pub rpath: Vec<String>,
    /// DT_RUNPATH, one folder each, not expanded.
    pub runpath: Vec<String>,
    /// Libraries that it opens while it runs, as its note `.note.dlopen` says: of each list the
    /// first one that is there.
    pub opened: Vec<Vec<String>>,
    /// Machine and class, which a library must share with its program.
    pub machine: (u16, bool),
}

/// One entry of the ELF dlopen metadata note (UAPI specification "ELF Notes for dlopen").
#[derive(Deserialize)]
struct DlopenNote {
    soname: Vec<String>,
    #[serde(default)]
    priority: Option<String>,
}

impl ElfFacts {
    /// Reads the bytes of a file; `None` when it is no ELF file.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let elf = Elf::parse(bytes).ok()?;
        let folders = |lists: &[&str]| {
            lists
                .iter()
                .flat_map(|list| list.split(':'))
                .filter(|folder| !folder.is_empty())
                .map(str::to_owned)
                .collect()
        };
        Some(Self {
            linked: matches!(elf.header.e_type, ET_EXEC | ET_DYN),
            interpreter: elf.interpreter.map(str::to_owned),
            needed: elf.libraries.iter().map(|&name| name.to_owned()).collect(),
            soname: elf.soname.map(str::to_owned),
            rpath: folders(&elf.rpaths),
            runpath: folders(&elf.runpaths),
            opened: opened(&elf, bytes),
            machine: (elf.header.e_machine, elf.is_64),
        })
    }

    /// Whether it runs without a loader.
    pub fn is_static(&self) -> bool {
        self.interpreter.is_none()
    }
}

fn opened(elf: &Elf<'_>, bytes: &[u8]) -> Vec<Vec<String>> {
    let notes = elf.iter_note_sections(bytes, Some(".note.dlopen"));
    notes
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
        .flat_map(|note| {
            let text = note
                .desc
                .split(|&byte| byte == 0)
                .next()
                .unwrap_or_default();
            serde_json::from_slice::<Vec<DlopenNote>>(text).unwrap_or_default()
        })
        .filter(|entry| entry.priority.as_deref() != Some("suggested"))
        .map(|entry| entry.soname)
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_text_is_no_elf_file() {
        assert_eq!(ElfFacts::parse(b"#!/bin/sh\n"), None);
    }

    #[test]
    fn a_program_names_its_loader_and_libraries() {
        let facts = ElfFacts::parse(&std::fs::read("/bin/sh").unwrap()).unwrap();
        assert!(!facts.is_static());
        assert!(facts.needed.iter().any(|name| name.starts_with("libc.so")));
    }

    #[test]
    fn this_test_itself_is_static() {
        let itself = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        assert!(ElfFacts::parse(&itself).unwrap().is_static());
    }

    proptest! {
        #[test]
        fn damaged_files_do_not_panic(mut bytes in prop::collection::vec(any::<u8>(), 64..400)) {
            bytes.splice(..8, *b"\x7fELF\x02\x01\x01\0");
            let _ = ElfFacts::parse(&bytes);
        }
    }
}
