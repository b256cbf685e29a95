use std::io::Read;

use archives::Unpacking;

use crate::package::Compression;

/// No file is larger that an initramfs needs.
pub(super) const LARGEST_FILE: u32 = 128 << 20;
/// More than all modules of all initramfs images of a machine unpack to.
const MODULES: u64 = 4 << 30;

/// What may still be unpacked in one look at a file, however many images are in it. Which of them are read follows
/// from the order in which they lie there alone.
#[derive(Debug)]
pub(super) struct Budget {
    /// Of archives.
    pub(super) unpacking: Unpacking,
    /// Of the modules in them, each of which is packed once more.
    pub(super) modules: Modules,
}

/// Bytes that modules may still unpack to.
#[derive(Debug)]
pub(super) struct Modules(u64);

impl Default for Budget {
    fn default() -> Self {
        Self {
            unpacking: Unpacking::default(),
            modules: Modules(MODULES),
        }
    }
}

impl Modules {
    /// The plain bytes of a module; none where it is damaged, or larger than what is left. What a damaged one came to
    /// counts, too.
    pub(super) fn unpack(&mut self, packing: Compression, stored: Vec<u8>) -> Option<Vec<u8>> {
        if packing == Compression::None {
            return Some(stored);
        }
        let most = self.0.min(LARGEST_FILE.into());
        let mut plain = Vec::new();
        let reader = packing.small_reader(&stored).ok()?;
        // One more tells a module that is larger from one that ends there.
        let read = reader.take(most.saturating_add(1)).read_to_end(&mut plain);
        let length = plain.len() as u64;
        self.0 = self.0.saturating_sub(length);
        (read.is_ok() && length <= most).then_some(plain)
    }
}

#[cfg(test)]
impl Budget {
    /// So many bytes of archives, and of modules.
    pub(super) fn of(archives: u64, modules: u64) -> Self {
        Self {
            unpacking: Unpacking::of(archives),
            modules: Modules(modules),
        }
    }
}
