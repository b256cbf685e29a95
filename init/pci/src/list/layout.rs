use super::{Problem, conventional, extended};
use crate::config::{CONVENTIONAL, EXTENDED};
use crate::{AcsBits, Capability, ConfigSpace, ExtendedCapability};

/// Bytes from `offset` on that belong to one capability.
#[derive(Clone, Copy)]
struct Extent {
    offset: usize,
    length: usize,
    /// End of the space that it has to lie in.
    end: usize,
}

impl ConfigSpace {
    /// What is wrong with the two lists: where a walk ended badly, capabilities that are not all there,
    /// and capabilities that overlap. Empty for a list that is as it should be, and for one that was not
    /// read.
    pub fn problems(&self) -> Vec<Problem> {
        let mut found: Vec<Problem> = self.walk().filter_map(Result::err).collect();
        found.extend(
            self.walk_extended()
                .into_iter()
                .flatten()
                .filter_map(Result::err),
        );
        let mut extents: Vec<Extent> = self
            .walk()
            .flatten()
            .map(|capability| self.extent(capability))
            .chain(
                self.walk_extended()
                    .into_iter()
                    .flatten()
                    .flatten()
                    .map(|capability| self.extended_extent(capability)),
            )
            .collect();
        extents.sort_by_key(|extent| extent.offset);
        for extent in &extents {
            if extent.offset + extent.length > extent.end.min(self.bytes().len()) {
                found.push(Problem::Incomplete {
                    at: short(extent.offset),
                    length: short(extent.length),
                });
            }
        }
        for (first, second) in extents.iter().zip(extents.iter().skip(1)) {
            // One that goes past the end of its space is told of already.
            if first.end == second.end && first.offset + first.length > second.offset {
                found.push(Problem::Overlap {
                    first: short(first.offset),
                    length: short(first.length),
                    second: short(second.offset),
                });
            }
        }
        found
    }

    fn extent(&self, capability: Capability) -> Extent {
        let registers = self.registers_of(capability);
        let shortest = conventional::row(capability.id).map_or(4, |row| usize::from(row.shortest));
        let flags = || registers.u16(2).map_or(0, usize::from);
        let length = match capability.id {
            conventional::MSI => match (flags() & 0x0080 != 0, flags() & 0x0100 != 0) {
                (false, false) => 10,
                (true, false) => 14,
                (false, true) => 20,
                (true, true) => 24,
            },
            conventional::EXPRESS => match (flags() & 0x000f, flags() >> 4 & 0x000f) {
                (0 | 1, 9 | 10) => 0x0c,
                (0 | 1, _) => 0x14,
                (_, 9 | 10) => 0x2c,
                (_, _) => 0x34,
            },
            conventional::VENDOR_SPECIFIC => registers.u8(2).map_or(0, usize::from),
            _ => 0,
        };
        Extent {
            offset: capability.offset,
            length: length.max(shortest),
            end: CONVENTIONAL,
        }
    }

    fn extended_extent(&self, capability: ExtendedCapability) -> Extent {
        let registers = self.extended_registers_of(capability);
        let shortest = extended::row(capability.id).map_or(4, |row| usize::from(row.shortest));
        let word = |offset| registers.u32(offset).unwrap_or(0);
        let length = match capability.id {
            extended::VENDOR_SPECIFIC | extended::DESIGNATED_VENDOR_SPECIFIC => word(4) >> 20,
            extended::ACCESS_CONTROL_SERVICES => registers
                .u16(4)
                .and_then(|bits| AcsBits(bits).egress_vector_size())
                .map_or(0, |size| 8 + u32::from(size).div_ceil(32) * 4),
            extended::RESIZABLE_BAR | extended::VF_RESIZABLE_BAR => {
                4 + 8 * (word(8) >> 5 & 7).min(6)
            }
            extended::VIRTUAL_CHANNEL | extended::VIRTUAL_CHANNEL_WITH_MFVC => {
                0x10 + 12 * ((word(4) & 7) + 1)
            }
            _ => 0,
        };
        Extent {
            offset: capability.offset,
            length: usize::try_from(length).unwrap_or(EXTENDED).max(shortest),
            end: EXTENDED,
        }
    }
}

fn short(value: usize) -> u16 {
    u16::try_from(value).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::space;

    #[test]
    fn capabilities_that_touch_do_not_overlap_and_those_that_share_a_byte_do() {
        let with_second_at = |second: u8| {
            space(
                256,
                &[
                    (0x06, &[0x10]),
                    (0x34, &[0x40]),
                    (0x40, &[0x05, second, 0x80, 0x01]),
                    (usize::from(second), &[0x01, 0x00]),
                ],
            )
            .problems()
        };
        assert_eq!(with_second_at(0x58), []);
        assert_eq!(
            with_second_at(0x54),
            [Problem::Overlap {
                first: 0x40,
                length: 24,
                second: 0x54
            }]
        );
    }

    #[test]
    fn a_capability_that_goes_past_its_space_is_incomplete() {
        let config = space(
            4096,
            &[
                (0x06, &[0x10]),
                (0x34, &[0xfc]),
                (0xfc, &[0x01, 0x00]),
                (0x100, &[0x03, 0x00, 0x01, 0x00]),
            ],
        );
        assert_eq!(
            config.problems(),
            [Problem::Incomplete {
                at: 0xfc,
                length: 8
            }]
        );
        let past_the_end = space(0x140, &[(0x100, &[0x0b, 0x00, 0x01, 0x00, 0, 0, 0, 0xff])]);
        assert_eq!(
            past_the_end.problems(),
            [Problem::Incomplete {
                at: 0x100,
                length: 0xff0
            }]
        );
    }

    #[test]
    fn a_vendors_own_length_counts() {
        let config = space(
            4096,
            &[
                (0x100, &[0x0b, 0x00, 0x01, 0x11, 0, 0, 0x00, 0x02]),
                (0x110, &[0x03, 0x00, 0x01, 0x00]),
            ],
        );
        assert_eq!(
            config.problems(),
            [Problem::Overlap {
                first: 0x100,
                length: 0x20,
                second: 0x110
            }]
        );
    }

    #[test]
    fn problems_are_sentences() {
        let config = space(256, &[(0x06, &[0x10]), (0x34, &[0x20])]);
        let text: Vec<String> = config.problems().iter().map(ToString::to_string).collect();
        assert_eq!(
            text,
            ["the capability list leads out of its space: the pointer at 0x034 says 0x020"]
        );
    }
}
