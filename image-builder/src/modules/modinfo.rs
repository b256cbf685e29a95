use std::borrow::Cow;

use goblin::elf::Elf;
use goblin::elf64::section_header::{SIZEOF_SHDR, SectionHeader};

use super::ModuleName;
use crate::package::Stored;

/// What a module says about itself in its section `.modinfo`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ModInfo {
    /// Modules that must be loaded before.
    pub depends: Vec<ModuleName>,
    /// Patterns of the devices and services that it is for.
    pub aliases: Vec<String>,
    /// Each as it is written: `pre: a b post: c`.
    pub softdeps: Vec<String>,
    /// Each as it is written: modules that it may ask for while it runs.
    pub weakdeps: Vec<String>,
    /// Paths below lib/firmware, or patterns of them, of what it may load into its devices.
    pub firmware: Vec<String>,
    /// The release of the kernel that it was built for (the first word of `vermagic`).
    pub release: Option<String>,
    /// Its licence, as MODULE_LICENSE has it: `GPL`, `Dual MIT/GPL`.
    pub license: Option<String>,
}

/// The file is no kernel module.
#[derive(Debug, thiserror::Error)]
#[error("it is not an ELF file with a .modinfo section")]
pub struct NotAModule;

impl ModInfo {
    /// Reads the bytes of an uncompressed module.
    pub fn parse(module: &[u8]) -> Result<Self, NotAModule> {
        let part = |offset: u64, length: u64| {
            let start = usize::try_from(offset).ok()?;
            let end = start.checked_add(usize::try_from(length).ok()?)?;
            module.get(start..end).map(Cow::Borrowed)
        };
        let section = modinfo_section(part).ok_or(NotAModule)?;
        Ok(Self::of_section(&section))
    }

    /// Reads a file that is not compressed, and of it no more than it has to; none where that fails.
    pub(super) fn read(module: &Stored) -> Option<Self> {
        let part = |offset, length| module.read(offset, length).ok().map(Cow::Owned);
        Some(Self::of_section(&modinfo_section(part)?))
    }

    fn of_section(section: &[u8]) -> Self {
        let mut info = Self::default();
        for entry in section.split(|&byte| byte == 0) {
            let entry = String::from_utf8_lossy(entry);
            let Some((key, value)) = entry.split_once('=') else {
                continue;
            };
            match key {
                "depends" => info.depends.extend(names(value.split(','))),
                "alias" => info.aliases.push(value.to_owned()),
                "softdep" => info.softdeps.push(value.to_owned()),
                "firmware" => info.firmware.push(value.to_owned()),
                "weakdep" => info.weakdeps.push(value.to_owned()),
                "license" => info.license = Some(value.to_owned()),
                "vermagic" => info.release = value.split_whitespace().next().map(str::to_owned),
                _ => {}
            }
        }
        info
    }

    /// Modules or aliases that are wanted besides `depends`, but may be absent.
    pub fn wanted(&self) -> impl Iterator<Item = &str> {
        self.softdeps
            .iter()
            .chain(&self.weakdeps)
            .flat_map(|text| text.split_whitespace())
            .filter(|word| !matches!(*word, "pre:" | "post:"))
    }
}

fn names<'a>(texts: impl Iterator<Item = &'a str>) -> impl Iterator<Item = ModuleName> {
    texts
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .map(ModuleName::new)
}

/// Only the section table is parsed: the symbols and relocations of a module are most of it. `part` gives bytes of
/// the file, from an offset on and so many; none where it has not so many.
fn modinfo_section<'a>(part: impl Fn(u64, u64) -> Option<Cow<'a, [u8]>>) -> Option<Cow<'a, [u8]>> {
    const HEADER: u64 = 64;
    let header = Elf::parse_header(&part(0, HEADER)?).ok()?;
    let is_64_bit = header.container().ok()?.is_big() && header.endianness().ok()?.is_little();
    let count = usize::from(header.e_shnum);
    let length = count.checked_mul(SIZEOF_SHDR).filter(|_| is_64_bit)?;
    let table = part(header.e_shoff, u64::try_from(length).ok()?)?;
    let sections = SectionHeader::from_bytes(&table, count);
    let content = |section: &SectionHeader| part(section.sh_offset, section.sh_size);
    let names = content(sections.get(usize::from(header.e_shstrndx))?)?;
    let is_modinfo = |section: &&SectionHeader| {
        names
            .get(section.sh_name as usize..)
            .is_some_and(|name| name.starts_with(b".modinfo\0"))
    };
    content(sections.iter().find(is_modinfo)?)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use proptest::prelude::*;

    use super::*;
    use crate::modules::testing::module;

    #[test]
    fn a_module_tells_what_it_needs_and_serves() {
        let bytes = module(&[
            "license=GPL",
            "softdep=pre: crc32c post: zstd",
            "weakdep=lz4",
            "alias=fs-btrfs",
            "firmware=btrfs/one.bin",
            "alias=devname:btrfs-control",
            "depends=libcrc32c,raid6-pq",
            "vermagic=6.1.0-13-amd64 SMP preempt mod_unload modversions ",
        ]);
        let info = ModInfo::parse(&bytes).unwrap();
        let depends: Vec<_> = info.depends.iter().map(ModuleName::as_str).collect();
        assert_eq!(depends, ["libcrc32c", "raid6_pq"]);
        assert_eq!(info.aliases, ["fs-btrfs", "devname:btrfs-control"]);
        assert_eq!(info.firmware, ["btrfs/one.bin"]);
        assert_eq!(info.softdeps, ["pre: crc32c post: zstd"]);
        assert_eq!(info.release.as_deref(), Some("6.1.0-13-amd64"));
        assert_eq!(info.license.as_deref(), Some("GPL"));
        assert_eq!(info.wanted().collect::<Vec<_>>(), ["crc32c", "zstd", "lz4"]);
    }

    #[test]
    fn no_dependency_is_an_empty_list() {
        let info = ModInfo::parse(&module(&["depends="])).unwrap();
        assert_eq!(info, ModInfo::default());
    }

    #[test]
    fn a_script_is_no_module() {
        assert!(ModInfo::parse(b"#!/bin/sh\n").is_err());
    }

    fn read_in_parts(module: &[u8]) -> Option<ModInfo> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(module).unwrap();
        ModInfo::read(&Stored::whole(file).unwrap())
    }

    proptest! {
        #[test]
        fn damaged_modules_do_not_panic_and_say_the_same_in_parts(place in 0usize..600, byte: u8, cut in 0usize..600) {
            let mut bytes = module(&["depends=a,b", "alias=pci:v*"]);
            if let Some(old) = bytes.get_mut(place) {
                *old = byte;
            }
            prop_assert_eq!(read_in_parts(&bytes), ModInfo::parse(&bytes).ok());
            bytes.truncate(cut);
            prop_assert_eq!(read_in_parts(&bytes), ModInfo::parse(&bytes).ok());
        }
    }
}
