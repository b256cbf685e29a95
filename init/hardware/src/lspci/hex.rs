/// Bytes in one line of a dump.
const PER_LINE: usize = 16;
const LENGTH: usize = 4096;

/// One line of a hex dump: an offset of two or three digits, a colon, and up to 16 bytes.
#[derive(Debug, PartialEq)]
pub(super) struct HexLine {
    offset: usize,
    bytes: [u8; PER_LINE],
    count: usize,
}

impl HexLine {
    pub fn of(line: &str) -> Option<Self> {
        let line = line.as_bytes();
        let width = match line {
            [_, _, b':', b' ', ..] => 2,
            [_, _, _, b':', b' ', ..] => 3,
            _ => return None,
        };
        let (offset, digits) = line.split_at_checked(width)?;
        let offset = offset_in(offset)?;
        let (bytes, count) = bytes(digits.get(1..)?);
        (offset % PER_LINE == 0 && count > 0).then_some(Self {
            offset,
            bytes,
            count,
        })
    }

    /// The line that the text begins with, if it is a whole one with nothing around it, and its length with the
    /// line's end. Nearly all of a large dump is such lines, and they need not be looked for.
    pub fn whole(text: &[u8]) -> Option<(Self, usize)> {
        let colon = if *text.get(2)? == b':' { 2 } else { 3 };
        let length = colon + 1 + 3 * PER_LINE + 1;
        let (line, end) = text.get(..length)?.split_at_checked(length - 1)?;
        let (offset, digits) = line.split_at_checked(colon)?;
        let bytes = whole_line(digits.get(1..)?.try_into().ok()?)?;
        let offset = offset_in(offset)?;
        (end == b"\n" && digits.first() == Some(&b':') && offset % PER_LINE == 0).then_some((
            Self {
                offset,
                bytes,
                count: PER_LINE,
            },
            length,
        ))
    }

    /// Puts the bytes behind those that are there. A dump with a hole ends at the hole.
    #[inline]
    pub fn append_to(&self, dump: &mut Vec<u8>) {
        if self.offset != dump.len() || self.offset >= LENGTH {
            return;
        }
        if self.count == PER_LINE {
            dump.extend_from_slice(&self.bytes);
        } else {
            dump.extend_from_slice(self.bytes.get(..self.count).unwrap_or_default());
        }
    }

    /// Whether a new dump begins with this line.
    pub fn is_first(&self) -> bool {
        self.offset == 0
    }
}

fn offset_in(digits: &[u8]) -> Option<usize> {
    digits.iter().try_fold(0, |offset, digit| {
        let digit = nibble(*digit);
        (digit < 16).then(|| offset << 4 | usize::from(digit))
    })
}

/// The bytes in ` 86 80 10`, up to 16, and how many they are.
fn bytes(digits: &[u8]) -> ([u8; PER_LINE], usize) {
    if let Some(bytes) = digits.try_into().ok().and_then(whole_line) {
        return (bytes, PER_LINE);
    }
    let mut bytes = [0; PER_LINE];
    let mut digits = digits;
    let mut count = 0;
    for byte in &mut bytes {
        let [b' ', high, low, rest @ ..] = digits else {
            break;
        };
        let (high, low) = (nibble(*high), nibble(*low));
        if high | low > 15 || rest.first().is_some_and(|next| *next != b' ') {
            break;
        }
        *byte = high << 4 | low;
        count += 1;
        digits = rest;
    }
    (bytes, count)
}

/// Nearly every line is whole, and there are sixteen and more to a function: this takes no branch a byte.
fn whole_line(digits: &[u8; 3 * PER_LINE]) -> Option<[u8; PER_LINE]> {
    let mut bytes = [0; PER_LINE];
    let (mut values, mut spaces) = (0, 0);
    let (digits, _) = digits.as_chunks();
    for (byte, [space, high, low]) in bytes.iter_mut().zip(digits) {
        let (high, low) = (nibble(*high), nibble(*low));
        values |= high | low;
        spaces |= space ^ b' ';
        *byte = high << 4 | low;
    }
    (values < 16 && spaces == 0).then_some(bytes)
}

/// The value of a hex digit; of anything else, more than 15.
#[inline]
fn nibble(digit: u8) -> u8 {
    VALUES.get(usize::from(digit)).copied().unwrap_or(NONE)
}

const NONE: u8 = 0xff;
static VALUES: [u8; 256] = values();

const fn values() -> [u8; 256] {
    let mut values = [NONE; 256];
    let mut rest: &mut [u8] = &mut values;
    let mut digit: u8 = 0;
    while let [value, behind @ ..] = rest {
        *value = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            b'A'..=b'F' => digit - b'A' + 10,
            _ => NONE,
        };
        digit = digit.wrapping_add(1);
        rest = behind;
    }
    values
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
    fn a_whole_line_is_read_at_once_as_it_is_read_alone() {
        let line = "00: 86 80 10 9d 07 04 10 00 f1 00 04 06 10 00 81 00";
        for line in [line.to_owned(), line.replace("00: ", "100: ")] {
            let text = format!("{line}\nrest");
            let (whole, length) = HexLine::whole(text.as_bytes()).unwrap();
            assert_eq!(HexLine::of(&line), Some(whole));
            assert_eq!(&text[length..], "rest");
        }
    }

    #[test]
    fn a_line_with_anything_around_its_bytes_is_not_read_at_once() {
        let line = "00: 86 80 10 9d 07 04 10 00 f1 00 04 06 10 00 81 00";
        for text in [
            line.to_owned(),
            format!("{line} \n"),
            format!("> {line}\n"),
            format!("{line}\r\n"),
            line.replace(" 9d", " 9g") + "\n",
            line.replace(" 9d", "-9d") + "\n",
            line.replace("00: ", "08: ") + "\n",
            line.replace("00: ", "0000: ") + "\n",
            "00: 86 80 10\n".to_owned(),
        ] {
            assert_eq!(HexLine::whole(text.as_bytes()), None, "{text}");
        }
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
