use pci::ConfigSpace;

/// Bytes in one line of a dump.
const PER_LINE: usize = 16;
const LENGTH: usize = 4096;

/// One line of a hex dump: an offset of two or three digits, a colon, and up to 16 bytes.
#[derive(Debug, PartialEq)]
pub(super) struct HexLine<'a> {
    offset: usize,
    digits: &'a [u8],
}

impl<'a> HexLine<'a> {
    pub fn of(line: &'a str) -> Option<Self> {
        let bytes = line.as_bytes();
        let width = match bytes {
            [_, _, b':', b' ', ..] => 2,
            [_, _, _, b':', b' ', ..] => 3,
            _ => return None,
        };
        let (offset, digits) = bytes.split_at_checked(width)?;
        let offset = offset.iter().try_fold(0, |offset, digit| {
            Some(offset << 4 | usize::from(nibble(*digit)?))
        })?;
        let digits = digits.get(1..)?;
        (offset % PER_LINE == 0 && first_byte(digits).is_some()).then_some(Self { offset, digits })
    }

    /// Puts the bytes behind those that are there. A dump with a hole ends at the hole.
    pub fn append_to(&self, dump: &mut Vec<u8>) {
        if self.offset != dump.len() {
            return;
        }
        let mut rest = self.digits;
        for _ in 0..PER_LINE {
            let Some((byte, behind)) = first_byte(rest) else {
                break;
            };
            dump.push(byte);
            rest = behind;
        }
        dump.truncate(LENGTH);
    }

    /// Whether a new dump begins with this line.
    pub fn is_first(&self) -> bool {
        self.offset == 0
    }
}

/// A space, two digits, and what is behind them.
fn first_byte(digits: &[u8]) -> Option<(u8, &[u8])> {
    let [b' ', high, low, rest @ ..] = digits else {
        return None;
    };
    if rest.first().is_some_and(|next| *next != b' ') {
        return None;
    }
    Some((nibble(*high)? << 4 | nibble(*low)?, rest))
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// The configuration space of a dump; none when nothing was dumped.
pub(super) fn config(dump: Vec<u8>) -> Option<ConfigSpace> {
    (!dump.is_empty()).then(|| ConfigSpace::new(dump))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dump(lines: &[&str]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for line in lines {
            if let Some(line) = HexLine::of(line) {
                line.append_to(&mut bytes);
            }
        }
        bytes
    }

    #[test]
    fn lines_are_put_together_up_to_the_first_hole() {
        let line = "00: 86 80 10 9d 07 04 10 00 f1 00 04 06 10 00 81 00";
        let next = "10: 00 00 00 00 00 00 00 00 00 02 02 00 f0 00 00 20";
        assert_eq!(dump(&[line, next]).len(), 32);
        assert_eq!(dump(&[line, next])[..4], [0x86, 0x80, 0x10, 0x9d]);
        let behind_a_hole = next.replace("10:", "30:");
        assert_eq!(dump(&[line, &behind_a_hole]).len(), 16);
        assert_eq!(dump(&["00: 86 80 10", next]).len(), 3);
    }

    #[test]
    fn what_only_looks_like_a_dump_is_none() {
        for line in [
            "00: ",
            "Bus: primary=00",
            "0g: 00",
            "04: 11 22",
            "00: 861 2",
            "ab: cd",
        ] {
            let first = HexLine::of(line).is_some_and(|line| line.is_first());
            assert!(!first, "{line}");
        }
    }
}
