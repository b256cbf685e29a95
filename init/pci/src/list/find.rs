use crate::config::{CONVENTIONAL, EXTENDED};
use crate::register::Registers;
use crate::{Capability, ConfigSpace, ExtendedCapability};

impl ConfigSpace {
    /// The first conventional capability with this id. Outer `None`: unknown, because the function does
    /// not answer or the list was not read to its end. Inner `None`: there is none.
    pub fn find(&self, id: u8) -> Option<Option<Capability>> {
        if self.is_gone() || self.bytes().len() < 0x40 {
            return None;
        }
        for entry in self.walk() {
            match entry {
                Ok(found) if found.id == id => return Some(Some(found)),
                Err(problem) if problem.hides_entries() => return None,
                Ok(_) | Err(_) => {}
            }
        }
        Some(None)
    }

    /// The first extended capability with this id. Outer `None`: unknown, because the extended space was
    /// not read, or not to the end of the list, or does not answer. Inner `None`: there is none.
    pub fn find_extended(&self, id: u16) -> Option<Option<ExtendedCapability>> {
        for entry in self.walk_extended()? {
            match entry {
                Ok(found) if found.id == id => return Some(Some(found)),
                Err(problem) if problem.hides_entries() => return None,
                Ok(_) | Err(_) => {}
            }
        }
        Some(None)
    }

    /// Finds a conventional capability and reads it. Outer `None`: unknown.
    pub(crate) fn conventional<T>(
        &self,
        id: u8,
        read: impl FnOnce(Registers<'_>) -> Option<T>,
    ) -> Option<Option<T>> {
        match self.find(id)? {
            Some(found) => read(self.registers_of(found)).map(Some),
            None => Some(None),
        }
    }

    /// Finds an extended capability and reads it. Outer `None`: unknown.
    pub(crate) fn extended<T>(
        &self,
        id: u16,
        read: impl FnOnce(Registers<'_>) -> Option<T>,
    ) -> Option<Option<T>> {
        match self.find_extended(id)? {
            Some(found) => read(self.extended_registers_of(found)).map(Some),
            None => Some(None),
        }
    }

    pub(crate) fn registers_of(&self, capability: Capability) -> Registers<'_> {
        Registers::new(self, capability.offset, CONVENTIONAL)
    }

    pub(crate) fn extended_registers_of(&self, capability: ExtendedCapability) -> Registers<'_> {
        Registers::new(self, capability.offset, EXTENDED)
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::space;

    const PRESENT: (usize, &[u8]) = (0x06, &[0x10]);

    #[test]
    fn what_was_not_read_is_unknown_and_not_absent() {
        let header_only = space(64, &[PRESENT, (0x34, &[0x40])]);
        assert_eq!(header_only.find(0x01), None);
        assert_eq!(space(64, &[]).find(0x01), Some(None));
        assert_eq!(space(256, &[]).find_extended(0x0d), None);
        assert_eq!(space(4096, &[]).find_extended(0x0d), Some(None));
        let cut = space(0x180, &[(0x100, &[0x01, 0x00, 0x01, 0x20])]);
        assert_eq!(cut.find_extended(0x0d), None);
        assert!(matches!(cut.find_extended(0x01), Some(Some(_))));
    }

    #[test]
    fn an_extended_space_of_all_ones_is_unknown() {
        let config = space(4096, &[(0x100, &[0xff; 0xf00])]);
        assert_eq!(config.extended_capabilities(), Some(vec![]));
        assert_eq!(config.find_extended(0x0d), None);
    }
}
