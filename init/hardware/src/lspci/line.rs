use pci::Address;

use super::hex::HexLine;

/// What one line is.
#[derive(Debug, PartialEq)]
pub(super) enum Line<'a> {
    /// `01:00.0 VGA compatible controller [0300]: ...`: a function begins.
    Header(Header<'a>),
    /// `IOMMU Group 7:` over the functions that are in it.
    Heading(u32),
    /// `10: 00 00 00 f6 0c 00 00 e0 ...`
    Hex(HexLine),
    /// Anything else.
    Text(&'a str),
    /// Nothing.
    Blank,
}

/// The first line of a function.
#[derive(Debug, PartialEq)]
pub(super) struct Header<'a> {
    /// Its address; domain 0 where none is printed.
    pub address: Address,
    /// What stands behind the address.
    pub rest: &'a str,
    /// The group in front of it, in listings of groups.
    pub group: Option<u32>,
}

impl<'a> Line<'a> {
    pub fn of(line: &'a str) -> Self {
        // Most lines of a dump are hex, and nearly all of those begin with their first digit.
        if let Some(hex) = HexLine::of(line) {
            return Self::Hex(hex);
        }
        if line.is_empty() {
            return Self::Blank;
        }
        // Quoted mail and forum text has `>` in front.
        let line = line.trim_start_matches([' ', '\t', '>', '\u{feff}', '\u{a0}']);
        let line = line.trim_end();
        if line.is_empty() {
            return Self::Blank;
        }
        if let Some(hex) = HexLine::of(line) {
            return Self::Hex(hex);
        }
        if let Some((address, rest)) = addressed(line) {
            return Self::Header(Header {
                address,
                rest,
                group: None,
            });
        }
        match grouped(line) {
            Some(Grouped::Header(header)) => Self::Header(header),
            Some(Grouped::Heading(group)) => Self::Heading(group),
            None => Self::Text(line),
        }
    }
}

/// An address as lspci writes it, `01:00.0` or `0000:01:00.0` with four to eight digits of domain, and
/// what follows it.
fn addressed(line: &str) -> Option<(Address, &str)> {
    if !line.as_bytes().first()?.is_ascii_hexdigit() {
        return None;
    }
    // No word of more characters is an address.
    let start = line.as_bytes().get(..17).unwrap_or(line.as_bytes());
    let end = memchr::memchr2(b' ', b'\t', start).unwrap_or(start.len());
    let (word, rest) = line.split_at_checked(end)?;
    let dot = word.bytes().position(|byte| byte == b'.')?;
    let well_formed = match word.len() {
        7 => word.as_bytes().get(2) == Some(&b':'),
        12..=16 => word.bytes().filter(|byte| *byte == b':').count() == 2,
        _ => false,
    };
    let address = (well_formed && dot + 2 == word.len()).then(|| word.parse().ok())??;
    Some((address, rest.trim_start()))
}

enum Grouped<'a> {
    Header(Header<'a>),
    Heading(u32),
}

/// A line of a listing of groups: `IOMMU Group 7:`, `IOMMU group 7 00:01.0 ...`, `Group:  7   0000:00:01.0
/// ...`. With the colon before the number and nothing behind it, it is the `IOMMU group: 7` of a function.
fn grouped(line: &str) -> Option<Grouped<'_>> {
    const WORDS: [&str; 2] = ["iommu group", "group"];
    let behind = WORDS.iter().find_map(|word| {
        let head = line.get(..word.len())?;
        head.eq_ignore_ascii_case(word)
            .then(|| line.get(word.len()..))?
    })?;
    let number = behind.trim_start_matches([' ', '\t', ':']);
    let digits = number.len()
        - number
            .trim_start_matches(|c: char| c.is_ascii_digit())
            .len();
    let (number, rest) = number.split_at_checked(digits)?;
    let group = number.parse().ok()?;
    let rest = rest.trim_start_matches([' ', '\t', ':']);
    if let Some((address, rest)) = addressed(rest) {
        return Some(Grouped::Header(Header {
            address,
            rest,
            group: Some(group),
        }));
    }
    (rest.is_empty() && !behind.starts_with(':')).then_some(Grouped::Heading(group))
}

/// The group that the lines below a heading are in.
#[derive(Default)]
pub(super) struct Heading {
    group: Option<u32>,
    indented: bool,
}

impl Heading {
    pub fn new(group: u32) -> Self {
        Self {
            group: Some(group),
            indented: false,
        }
    }

    /// The group of a function's first line. Where functions below a heading are indented, one that is
    /// not stands below it no more.
    pub fn of(&mut self, line: &str) -> Option<u32> {
        let indented = line.starts_with([' ', '\t']);
        if self.indented && !indented {
            self.group = None;
        }
        self.indented |= indented;
        self.group
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(line: &str) -> Option<(String, Option<u32>)> {
        match Line::of(line) {
            Line::Header(header) => Some((header.address.to_string(), header.group)),
            _ => None,
        }
    }

    #[test]
    fn a_function_begins_with_its_address_with_or_without_a_domain() {
        let at = |text: &str| Some((text.to_owned(), None));
        assert_eq!(header("01:00.0 VGA controller: x"), at("0000:01:00.0"));
        assert_eq!(header("\t0000:01:00.0 0300: 1:2"), at("0000:01:00.0"));
        assert_eq!(header("10000:e1:00.0 NVMe: x"), at("10000:e1:00.0"));
        assert_eq!(header("> > 01:00.0 VGA"), at("0000:01:00.0"));
        for line in [
            "-[0000:00]-+-00.0  Intel Corporation",
            "           +-01.0-[01]----00.0  NVIDIA",
            "12:30 we met",
            "1:2.3 x",
            "01:20.0 x",
            "00: 86 80",
        ] {
            assert_eq!(header(line), None, "{line}");
        }
    }

    #[test]
    fn listings_of_groups_have_the_number_in_front_or_above() {
        for line in [
            "IOMMU group 15 02:00.0 USB controller",
            "IOMMU Group 15: 02:00.0 USB controller",
            "Group:  15  0000:02:00.0 USB controller",
        ] {
            assert_eq!(header(line), Some(("0000:02:00.0".to_owned(), Some(15))));
        }
        assert_eq!(Line::of("IOMMU Group 15:"), Line::Heading(15));
        assert_eq!(Line::of("\tIOMMU group: 15"), Line::Text("IOMMU group: 15"));
        let mut heading = Heading::new(3);
        assert_eq!(heading.of("\t00:01.0 x"), Some(3));
        assert_eq!(heading.of("00:01.0 x"), None);
    }
}
