use std::fmt;

use serde::Serialize;

/// A kernel module's name, with `_` where a file's name may have `-` (the kernel takes both as one).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct ModuleName(String);

impl ModuleName {
    /// From a name as people and modinfo write it.
    pub fn new(name: &str) -> Self {
        Self(name.replace('-', "_"))
    }

    /// From the path of a module file, compressed or not.
    pub fn from_path(path: &str) -> Option<Self> {
        let file = path.rsplit('/').next()?;
        let (name, end) = file.split_once(".ko")?;
        (!name.is_empty() && matches!(end, "" | ".xz" | ".zst" | ".gz")).then(|| Self::new(name))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ModuleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ModuleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_gives_the_name_that_the_kernel_uses() {
        for path in ["fs/nls/nls_iso8859-1.ko", "nls_iso8859-1.ko.zst"] {
            assert_eq!(
                ModuleName::from_path(path).unwrap().as_str(),
                "nls_iso8859_1"
            );
        }
    }

    #[test]
    fn other_files_are_no_modules() {
        for path in ["modules.dep", "kernel/.ko", "a.kofu", "a.ko.bak"] {
            assert_eq!(ModuleName::from_path(path), None, "{path}");
        }
    }
}
