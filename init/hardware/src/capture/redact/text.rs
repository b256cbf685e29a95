use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};

use super::What;
use crate::read::is_filler;

/// Replaces identifiers by `<mac-1>`, `<uuid-2>`: the same one by the same word everywhere, so that what
/// belongs together still does.
#[derive(Default)]
pub(in crate::capture) struct Identifiers {
    words: HashMap<(&'static str, Vec<u8>), String>,
}

/// No identifier is shorter.
const SHORTEST: usize = 6;

impl Identifiers {
    /// A text without its identifiers.
    pub fn replace_in(&mut self, text: &str, found: &mut BTreeSet<What>) -> String {
        String::from_utf8_lossy(&self.replace(text.as_bytes(), found)).into_owned()
    }

    /// Bytes of a text without its identifiers.
    pub fn replace(&mut self, text: &[u8], found: &mut BTreeSet<What>) -> Vec<u8> {
        let mut replaced: Cow<[u8]> = Cow::Borrowed(&[]);
        let (mut copied, mut at) = (0, 0);
        while at + SHORTEST <= text.len() {
            let before = at.checked_sub(1).and_then(|before| text.get(before));
            let begins = before.is_none_or(|byte| !byte.is_ascii_alphanumeric());
            let Some((kind, start, end)) = text.get(at..).filter(|_| begins).and_then(identifier)
            else {
                at += 1;
                continue;
            };
            let all = replaced.to_mut();
            all.extend(text.get(copied..at + start).unwrap_or_default());
            let value = text.get(at + start..at + end).unwrap_or_default();
            all.extend(self.word(kind, value).bytes());
            found.insert(kind);
            at += end;
            copied = at;
        }
        if copied == 0 {
            return text.to_vec();
        }
        replaced
            .to_mut()
            .extend(text.get(copied..).unwrap_or_default());
        replaced.into_owned()
    }

    /// A file that holds one serial number and nothing else. What board makers write where they have none
    /// identifies nothing.
    pub fn replace_all(&mut self, text: &[u8], found: &mut BTreeSet<What>) -> Vec<u8> {
        let value = text.trim_ascii();
        if is_filler(&String::from_utf8_lossy(value)) {
            return text.to_vec();
        }
        found.insert(What::Serial);
        format!("{}\n", self.word(What::Serial, value)).into_bytes()
    }

    fn word(&mut self, kind: What, value: &[u8]) -> String {
        let token = kind.token();
        let next = 1 + self
            .words
            .keys()
            .filter(|(known, _)| *known == token)
            .count();
        let word = self
            .words
            .entry((token, value.to_ascii_lowercase()))
            .or_insert_with(|| format!("<{token}-{next}>"));
        word.clone()
    }
}

/// What an identifier is, and where its value begins and ends in the text that it was looked for in.
type Found = (What, usize, usize);

/// An identifier at the beginning of a text.
fn identifier(text: &[u8]) -> Option<Found> {
    if !text.first()?.is_ascii_alphanumeric() {
        return None;
    }
    let found = uuid(text)
        .or_else(|| mac_address(text))
        .or_else(|| world_wide_name(text))
        .or_else(|| interface(text))
        .or_else(|| keyed(text))?;
    let (_, start, end) = found;
    (!is_blank(text.get(start..end)?)).then_some(found)
}

/// All zeros or all ones stand for none or for all, and are told by that: a default route is one to zero.
fn is_blank(value: &[u8]) -> bool {
    let mut digits = value.iter().filter(|byte| !b":-".contains(byte));
    let first = digits.next();
    first.is_none_or(|first| b"0fF".contains(first)) && digits.all(|digit| Some(digit) == first)
}

fn hex_digits(text: &[u8]) -> usize {
    text.iter()
        .take_while(|byte| byte.is_ascii_hexdigit())
        .count()
}

/// Whether a word ends before `end`.
fn ends(text: &[u8], end: usize) -> bool {
    text.get(end)
        .is_none_or(|byte| !byte.is_ascii_alphanumeric())
}

/// Groups of 8, 4, 4, 4 and 12 hex digits, or all 32 of them together as a machine id has them.
fn uuid(text: &[u8]) -> Option<Found> {
    let digits = hex_digits(text);
    if digits == 32 && ends(text, 32) {
        return Some((What::Uuid, 0, 32));
    }
    let mut at = 0;
    for length in [8, 4, 4, 4, 12] {
        if at > 0 {
            (text.get(at) == Some(&b'-')).then_some(())?;
            at += 1;
        }
        (hex_digits(text.get(at..)?) == length).then_some(())?;
        at += length;
    }
    ends(text, at).then_some((What::Uuid, 0, at))
}

/// Six groups of two hex digits or more: InfiniBand and IEEE 1394 have longer ones.
fn mac_address(text: &[u8]) -> Option<Found> {
    let separator = *text.get(2).filter(|byte| b":-".contains(byte))?;
    let (mut at, mut groups) = (0, 0);
    loop {
        if hex_digits(text.get(at..)?) != 2 {
            return None;
        }
        groups += 1;
        at += 2;
        if text.get(at) != Some(&separator) {
            break;
        }
        at += 1;
    }
    (groups >= 6 && ends(text, at)).then_some((What::Mac, 0, at))
}

/// `naa.5000c500a1b2c3d4`, `eui.0025385b71b0d5a1`, `wwn-0x5000c500a1b2c3d4`
fn world_wide_name(text: &[u8]) -> Option<Found> {
    let start = ["naa.", "eui.", "wwn-0x", "t10."]
        .iter()
        .find(|prefix| text.starts_with(prefix.as_bytes()))?
        .len();
    let length = hex_digits(text.get(start..)?);
    (length >= 16).then_some((What::Wwn, start, start + length))
}

/// `enx001122334455`: systemd names USB network cards after their MAC address.
fn interface(text: &[u8]) -> Option<Found> {
    const PREFIX: &[u8] = b"enx";
    let digits = hex_digits(text.strip_prefix(PREFIX)?);
    (digits == 12).then_some((What::Mac, PREFIX.len(), PREFIX.len() + 12))
}

/// Words that an identifier stands behind, and whether it is the rest of the line.
const KEYS: &[(&str, What, bool)] = &[
    ("UUID=", What::Uuid, false),
    ("PARTUUID=", What::Uuid, false),
    ("machine_id=", What::Uuid, false),
    ("SerialNumber: ", What::Serial, true),
    ("Serial Number: ", What::Serial, true),
    ("serial number: ", What::Serial, true),
    ("serialno=", What::Serial, false),
    ("serial=", What::Serial, false),
    ("S/N: ", What::Serial, false),
];

fn keyed(text: &[u8]) -> Option<Found> {
    let (key, kind, line) = KEYS
        .iter()
        .find(|(key, _, _)| text.starts_with(key.as_bytes()))?;
    let value = text.get(key.len()..)?;
    let ends = |byte: &u8| match line {
        true => *byte == b'\n',
        false => byte.is_ascii_whitespace() || b"\"',;)".contains(byte),
    };
    let length = value.iter().position(ends).unwrap_or(value.len());
    (length > 0).then_some((*kind, key.len(), key.len() + length))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replaced(text: &str) -> String {
        Identifiers::default().replace_in(text, &mut BTreeSet::new())
    }

    #[test]
    fn identifiers_are_replaced_the_same_one_by_the_same_word() {
        let text = "root=UUID=9ff8c203-950b-4f46-8c41-6e994151ecd3 b=9FF8C203-950B-4F46-8C41-6E994151ECD3\n\
            r8169 eth0: RTL8125, 04:42:1a:0c:0d:0e, IRQ 88; 04:42:1a:0c:0d:0f\n";
        assert_eq!(
            replaced(text),
            "root=UUID=<uuid-1> b=<uuid-1>\nr8169 eth0: RTL8125, <mac-1>, IRQ 88; <mac-2>\n"
        );
    }

    #[test]
    fn every_shape_is_found() {
        for (text, expected) in [
            ("root=PARTUUID=0002dd75-02 ro", "root=PARTUUID=<uuid-1> ro"),
            ("root=UUID=1234-ABCD", "root=UUID=<uuid-1>"),
            (
                "systemd.machine_id=0123456789abcdef0123456789abcdef",
                "systemd.machine_id=<uuid-1>",
            ),
            (
                "usb 1-1: SerialNumber: 0123 4567\nnext",
                "usb 1-1: SerialNumber: <serial-1>\nnext",
            ),
            ("link/enx00e04c680001/x", "link/enx<mac-1>/x"),
            ("eui.0025385b71b0d5a1", "eui.<wwn-1>"),
            (
                "80:00:02:08:fe:80:00:00:00:00:00:00:00:02:c9:03:00:1d:aa:01",
                "<mac-1>",
            ),
            ("00-11-22-33-44-55", "<mac-1>"),
            (
                "rd.luks.uuid=luks-9ff8c203-950b-4f46-8c41-6e994151ecd3",
                "rd.luks.uuid=luks-<uuid-1>",
            ),
        ] {
            assert_eq!(replaced(text), expected);
        }
    }

    #[test]
    fn what_identifies_nothing_stays() {
        for text in [
            "pci 0000:01:00.0: [10de:1c02] type 00 class 0x030000",
            "Serial: 8250/16550 driver, 4 ports",
            "BIOS-e820: [mem 0x0000000000000000-0x000000000009ffff] usable",
            "DMAR: DRHD base: 0x000000fed90000 flags: 0x0",
            "0x00000000fee00000 0x00000000feefffff msi",
            "ffff:ffff 12:34:56",
            "ff:ff:ff:ff:ff:ff 00000000-0000-0000-0000-000000000000",
            "00000000000000000000000000000000 00 00000000000000000000000000000000 00 eth0",
        ] {
            assert_eq!(replaced(text), text);
        }
    }

    #[test]
    fn a_filler_is_no_serial_number() {
        let all = |text: &str| {
            let bytes = Identifiers::default().replace_all(text.as_bytes(), &mut BTreeSet::new());
            String::from_utf8(bytes).unwrap()
        };
        assert_eq!(all("Default string\n"), "Default string\n");
        assert_eq!(all("M80-CC01\n"), "<serial-1>\n");
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_searched_without_panic(bytes: Vec<u8>) {
            Identifiers::default().replace(&bytes, &mut BTreeSet::new());
        }
    }
}
