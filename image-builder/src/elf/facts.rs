use goblin::elf::Elf;
use goblin::elf::header::{ET_DYN, ET_EXEC};
use goblin::elf::section_header::SHN_UNDEF;
use goblin::elf::sym::Sym;
use serde::Deserialize;

/// The library by which glibc unwinds the stack of a thread that ends (its `LIBGCC_S_SO`).
pub const UNWINDER: &str = "libgcc_s.so.1";

/// The functions that do it (glibc's nptl, since 2.34 in libc.so.6).
const ENDS_THREADS: [&str; 3] = ["pthread_exit", "pthread_cancel", "thrd_exit"];
/// glibc by its libraries: other C libraries need no unwinder.
const GLIBC: [&str; 2] = ["libc.so.6", "libpthread.so.0"];

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
    /// Whether it ends threads from within. glibc opens [`UNWINDER`] for that and aborts the program without it; no
    /// DT_NEEDED says so.
    pub ends_threads: bool,
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
            ends_threads: ends_threads(&elf),
            machine: (elf.header.e_machine, elf.is_64),
        })
    }

    /// Whether it runs without a loader: a shared library names none, but what it needs.
    pub fn is_static(&self) -> bool {
        self.interpreter.is_none() && self.needed.is_empty()
    }
}

fn ends_threads(elf: &Elf<'_>) -> bool {
    let is_undefined = |symbol: &Sym| symbol.st_shndx == SHN_UNDEF as usize;
    let mut imports = elf.dynsyms.iter().filter(is_undefined);
    elf.libraries.iter().any(|name| GLIBC.contains(name))
        && imports.any(|symbol| {
            let name = elf.dynstrtab.get_at(symbol.st_name);
            name.is_some_and(|name| ENDS_THREADS.contains(&name))
        })
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
