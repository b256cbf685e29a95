use serde::{Deserialize, Serialize};

use super::{List, Problem, conventional, extended};
use crate::config::{CONVENTIONAL, EXTENDED};
use crate::{ConfigSpace, HeaderType};

/// One entry of the conventional capability list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capability {
    /// Capability id.
    pub id: u8,
    /// Offset in bytes.
    pub offset: usize,
}

impl Capability {
    /// Its name; `None` for an id that no specification assigns.
    pub fn name(self) -> Option<&'static str> {
        conventional::name(self.id)
    }
}

/// One entry of the extended capability list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExtendedCapability {
    /// Capability id.
    pub id: u16,
    /// Version, 4 bits.
    pub version: u8,
    /// Offset in bytes.
    pub offset: usize,
}

impl ExtendedCapability {
    /// Its name; `None` for an id that no specification assigns.
    pub fn name(self) -> Option<&'static str> {
        extended::name(self.id)
    }
}

/// Walks the conventional list; a problem ends it. An entry is visited once, so it takes 48 steps at most.
#[derive(Clone, Debug)]
pub struct Capabilities<'a> {
    space: &'a ConfigSpace,
    from: u16,
    next: u8,
    seen: u64,
}

impl Iterator for Capabilities<'_> {
    type Item = Result<Capability, Problem>;

    fn next(&mut self) -> Option<Self::Item> {
        let list = List::Conventional;
        let (from, offset) = (self.from, self.next & 0xfc);
        self.next = 0;
        if offset == 0 {
            return None;
        }
        let at = u16::from(offset);
        if offset < 0x40 {
            return Some(Err(Problem::IntoHeader { list, from, to: at }));
        }
        let bit = 1 << (offset / 4);
        if self.seen & bit != 0 {
            return Some(Err(Problem::Loop { list, from, to: at }));
        }
        let offset = usize::from(offset);
        let (Some(id), Some(next)) = (self.space.u8(offset), self.space.u8(offset + 1)) else {
            return Some(Err(Problem::CutShort { list, at }));
        };
        if id == 0xff {
            return Some(Err(Problem::AllOnes { list, at }));
        }
        (self.from, self.next, self.seen) = (at, next, self.seen | bit);
        Some(Ok(Capability { id, offset }))
    }
}

/// Walks the extended list; a problem ends it. An entry is visited once, so it takes 960 steps at most.
#[derive(Clone, Debug)]
pub struct ExtendedCapabilities<'a> {
    space: &'a ConfigSpace,
    from: u16,
    next: u16,
    seen: [u64; EXTENDED / 4 / 64],
}

impl Iterator for ExtendedCapabilities<'_> {
    type Item = Result<ExtendedCapability, Problem>;

    fn next(&mut self) -> Option<Self::Item> {
        let list = List::Extended;
        let (from, at) = (self.from, self.next & 0xffc);
        self.next = 0;
        if at == 0 {
            return None;
        }
        let offset = usize::from(at);
        if offset < CONVENTIONAL {
            return Some(Err(Problem::IntoHeader { list, from, to: at }));
        }
        let bit = 1 << (offset / 4 % 64);
        let word = self.seen.get_mut(offset / 4 / 64)?;
        if *word & bit != 0 {
            return Some(Err(Problem::Loop { list, from, to: at }));
        }
        *word |= bit;
        let header = match self.space.u32(offset) {
            None => return Some(Err(Problem::CutShort { list, at })),
            Some(u32::MAX) => return Some(Err(Problem::AllOnes { list, at })),
            Some(0) => return None,
            Some(header) => header,
        };
        let [id_low, id_high, version, _] = header.to_le_bytes();
        self.from = at;
        self.next = u16::try_from(header >> 20).unwrap_or(0);
        Some(Ok(ExtendedCapability {
            id: u16::from_le_bytes([id_low, id_high]),
            version: version & 0x0f,
            offset,
        }))
    }
}

impl ConfigSpace {
    /// Walks the conventional list without allocating. Nothing comes for a function that does not answer
    /// or says that it has no list (status register, bit 4).
    pub fn walk(&self) -> Capabilities<'_> {
        let has_list = self.u16(0x06).is_some_and(|status| status & 0x0010 != 0);
        let pointer = match self.header_type() {
            Some(HeaderType::CardBus) => 0x14,
            _ => 0x34,
        };
        let first = (has_list && !self.is_gone()).then(|| self.u8(usize::from(pointer)));
        Capabilities {
            space: self,
            from: pointer,
            next: first.flatten().unwrap_or(0),
            seen: 0,
        }
    }

    /// Walks the extended list without allocating; `None` when the extended space was not read.
    pub fn walk_extended(&self) -> Option<ExtendedCapabilities<'_>> {
        (self.bytes().len() > CONVENTIONAL).then_some(ExtendedCapabilities {
            space: self,
            from: 0x100,
            next: 0x100,
            seen: [0; _],
        })
    }

    /// The conventional capabilities in list order, up to the first problem.
    pub fn capabilities(&self) -> Vec<Capability> {
        self.walk().flatten().collect()
    }

    /// The extended capabilities in list order, up to the first problem, or `None` when the extended space
    /// was not read: then what is there is unknown, not absent.
    pub fn extended_capabilities(&self) -> Option<Vec<ExtendedCapability>> {
        Some(self.walk_extended()?.flatten().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::space;

    const PRESENT: (usize, &[u8]) = (0x06, &[0x10]);

    #[test]
    fn a_list_that_loops_ends_and_says_so() {
        let config = space(
            256,
            &[
                PRESENT,
                (0x34, &[0x40]),
                (0x40, &[0x01, 0x50]),
                (0x50, &[0x05, 0x40]),
            ],
        );
        let ids: Vec<u8> = config.capabilities().iter().map(|cap| cap.id).collect();
        assert_eq!(ids, [0x01, 0x05]);
        assert_eq!(
            config.walk().last(),
            Some(Err(Problem::Loop {
                list: List::Conventional,
                from: 0x50,
                to: 0x40
            }))
        );
        assert_eq!(config.find(0x10), Some(None));
    }

    #[test]
    fn a_pointer_into_the_header_ends_the_list() {
        let config = space(256, &[PRESENT, (0x34, &[0x40]), (0x40, &[0x01, 0x10])]);
        assert_eq!(
            config.walk().last(),
            Some(Err(Problem::IntoHeader {
                list: List::Conventional,
                from: 0x40,
                to: 0x10
            }))
        );
        let config = space(4096, &[(0x100, &[0x01, 0x00, 0x01, 0x08])]);
        assert_eq!(
            config.walk_extended().unwrap().last(),
            Some(Err(Problem::IntoHeader {
                list: List::Extended,
                from: 0x100,
                to: 0x80
            }))
        );
    }

    #[test]
    fn a_function_of_all_ones_has_no_list_to_read() {
        let config = ConfigSpace::new(vec![0xff; 4096]);
        assert!(config.is_gone() && config.capabilities().is_empty());
        assert_eq!(config.extended_capabilities(), Some(vec![]));
        assert_eq!(
            (config.find(0x10), config.find_extended(0x0d)),
            (None, None)
        );
    }

    #[test]
    fn a_cardbus_bridge_has_its_pointer_elsewhere() {
        let config = space(
            256,
            &[
                PRESENT,
                (0x0e, &[0x02]),
                (0x14, &[0xa0]),
                (0xa0, &[0x01, 0]),
            ],
        );
        assert_eq!(
            config.capabilities(),
            [Capability {
                id: 0x01,
                offset: 0xa0
            }]
        );
    }
}
