use goblin::container::Ctx;
use goblin::elf::{Elf, SectionHeader};

use super::ModuleName;

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
        let section = modinfo_section(module).ok_or(NotAModule)?;
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
        Ok(info)
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

/// Only the section table is parsed: the symbols and relocations of a module are most of it.
fn modinfo_section(module: &[u8]) -> Option<&[u8]> {
    let header = Elf::parse_header(module).ok()?;
    let context = Ctx::new(header.container().ok()?, header.endianness().ok()?);
    let offset = usize::try_from(header.e_shoff).ok()?;
    let count = usize::from(header.e_shnum);
    let sections = SectionHeader::parse(module, offset, count, context).ok()?;
    let names_at = usize::from(header.e_shstrndx);
    let names = module.get(sections.get(names_at)?.file_range()?)?;
    let is_modinfo = |section: &&SectionHeader| {
        names
            .get(section.sh_name..)
            .is_some_and(|name| name.starts_with(b".modinfo\0"))
    };
    module.get(sections.iter().find(is_modinfo)?.file_range()?)
}

#[cfg(test)]
mod tests {
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

    proptest! {
        #[test]
        fn damaged_modules_do_not_panic(place in 0usize..600, byte: u8, cut in 0usize..600) {
            let mut bytes = module(&["depends=a,b", "alias=pci:v*"]);
            if let Some(old) = bytes.get_mut(place) {
                *old = byte;
            }
            let _ = ModInfo::parse(&bytes);
            bytes.truncate(cut);
            let _ = ModInfo::parse(&bytes);
        }
    }
}
