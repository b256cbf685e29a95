use std::fmt;

/// Name of a kernel module as the kernel itself writes it: with `_` where file names may have `-`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModuleName(String);

impl ModuleName {
    /// Takes a name as a person, an index file or a file name writes it.
    pub fn new(text: &str) -> Self {
        Self(text.replace('-', "_"))
    }

    /// The name of the module in a file such as `kernel/drivers/usb/storage/usb-storage.ko.xz`.
    pub fn of_file(path: &str) -> Option<Self> {
        let file = path.rsplit('/').next()?;
        let (stem, _) = file.split_once(".ko")?;
        (!stem.is_empty()).then(|| Self::new(stem))
    }

    /// The name, with `_`.
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
    fn a_dash_and_an_underscore_are_the_same() {
        assert_eq!(
            ModuleName::new("usb-storage"),
            ModuleName::new("usb_storage")
        );
        assert_eq!(
            ModuleName::of_file("kernel/drivers/usb/storage/usb-storage.ko.xz"),
            Some(ModuleName::new("usb_storage"))
        );
        assert_eq!(ModuleName::of_file("modules.dep"), None);
    }
}
