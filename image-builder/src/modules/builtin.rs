use std::collections::BTreeSet;

use super::{ModuleName, alias_matches, path_matches};

/// What a kernel has compiled in: its files `modules.builtin` and `modules.builtin.modinfo`.
#[derive(Debug, Default)]
pub struct Builtin {
    paths: Vec<String>,
    names: BTreeSet<ModuleName>,
    aliases: Vec<String>,
}

impl Builtin {
    /// Reads the two files: one path a line, and `name.key=value` entries that end with NUL.
    pub fn parse(builtin: &[u8], modinfo: &[u8]) -> Self {
        let text = String::from_utf8_lossy(builtin);
        let paths: Vec<String> = text.lines().map(str::to_owned).collect();
        let modinfo = String::from_utf8_lossy(modinfo);
        let alias = |entry: &str| {
            let (key, value) = entry.split_once('=')?;
            key.ends_with(".alias").then(|| value.to_owned())
        };
        Self {
            names: paths
                .iter()
                .filter_map(|path| ModuleName::from_path(path))
                .collect(),
            aliases: modinfo.split('\0').filter_map(alias).collect(),
            paths,
        }
    }

    /// Whether this module is compiled in.
    pub fn has(&self, name: &ModuleName) -> bool {
        self.names.contains(name)
    }

    /// Whether something compiled in serves this alias.
    pub fn serves(&self, alias: &str) -> bool {
        self.aliases
            .iter()
            .any(|pattern| alias_matches(pattern, alias))
    }

    /// Whether something compiled in would lie at such a path.
    pub fn has_path(&self, pattern: &str) -> bool {
        self.paths.iter().any(|path| path_matches(pattern, path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn built_in_modules_are_known_by_name_path_and_alias() {
        let builtin = Builtin::parse(
            b"kernel/drivers/input/serio/i8042.ko\nkernel/crypto/sha256_generic.ko\n",
            b"sha256_generic.alias=crypto-sha256\0sha256_generic.license=GPL\0",
        );
        assert!(builtin.has(&ModuleName::new("sha256-generic")));
        assert!(builtin.serves("crypto-sha256"));
        assert!(!builtin.serves("GPL"));
        assert!(builtin.has_path("kernel/drivers/input/serio/*"));
        assert!(!builtin.has_path("kernel/drivers/input/*"));
    }
}
