use std::collections::BTreeSet;

use super::What;

/// Where structures say what identifies the machine (SMBIOS specification 3.7, 7): type, and the offsets
/// of string numbers.
const STRINGS: &[(u8, &[usize])] = &[
    (1, &[0x07]),
    (2, &[0x07, 0x08]),
    (3, &[0x07, 0x08]),
    (4, &[0x20, 0x21]),
    (17, &[0x18, 0x19]),
    (22, &[0x07]),
    (39, &[0x08, 0x09]),
];
/// Structures whose strings may be anything: OEM strings, configuration options.
const ANY_STRINGS: [u8; 3] = [11, 12, 42];
/// From here on structures are the maker's own.
const OEM: u8 = 128;
/// The UUID of the system, in type 1.
const UUID: (u8, usize) = (0x01, 0x08);
const HEADER: usize = 4;

/// Blanks serial numbers, asset tags and the UUID in an SMBIOS structure table. Lengths stay.
pub(super) fn blank(table: &mut [u8], found: &mut BTreeSet<What>) {
    let mut rest = table;
    while let [kind, length, ..] = *rest {
        let length = usize::from(length);
        if length < HEADER || length >= rest.len() {
            break;
        }
        let (formatted, behind) = rest.split_at_mut(length);
        let Some(end) = behind.windows(2).position(|pair| pair == [0, 0]) else {
            break;
        };
        let (strings, next) = behind.split_at_mut(end + 2);
        structure(kind, formatted, strings, found);
        rest = next;
    }
}

fn structure(kind: u8, formatted: &mut [u8], strings: &mut [u8], found: &mut BTreeSet<What>) {
    if kind == UUID.0
        && let Some(uuid) = formatted.get_mut(UUID.1..UUID.1 + 16)
    {
        uuid.fill(0);
        found.insert(What::Uuid);
    }
    if kind >= OEM
        && let Some(body) = formatted.get_mut(HEADER..)
    {
        body.fill(0);
    }
    let all = kind >= OEM || ANY_STRINGS.contains(&kind);
    let numbers: Vec<u8> = STRINGS
        .iter()
        .filter(|(its_kind, _)| *its_kind == kind)
        .flat_map(|(_, offsets)| offsets.iter())
        .filter_map(|offset| formatted.get(*offset).copied())
        .collect();
    let strings = strings.split_mut(|byte| *byte == 0);
    for (string, number) in strings.zip(1_u8..) {
        if (all || numbers.contains(&number)) && !string.is_empty() {
            string.fill(b' ');
            found.insert(What::Serial);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A structure: type, formatted area behind its header, strings.
    fn of(kind: u8, body: &[u8], strings: &[&str]) -> Vec<u8> {
        let length = u8::try_from(HEADER + body.len()).unwrap();
        let mut bytes = vec![kind, length, 0, 0];
        bytes.extend(body);
        for string in strings {
            bytes.extend(string.as_bytes());
            bytes.push(0);
        }
        bytes.extend(if strings.is_empty() {
            &[0, 0][..]
        } else {
            &[0]
        });
        bytes
    }

    #[test]
    fn serial_numbers_tags_and_the_uuid_are_blanked_and_names_stay() {
        let mut system = vec![1, 2, 0, 3];
        system.extend([0xab; 16]);
        let mut table = of(1, &system, &["Maker", "Product", "SERIAL-1"]);
        table.extend(of(
            2,
            &[1, 2, 3, 4, 5],
            &["Maker", "B550", "1.0", "SERIAL-2", "TAG"],
        ));
        table.extend(of(9, &[1, 0, 0, 0], &["PCIEX16_1"]));
        table.extend(of(11, &[1], &["Service tag 1234567"]));
        table.extend(of(200, &[0xcd; 8], &["SERIAL-3"]));
        table.extend(of(127, &[], &[]));
        let length = table.len();
        let mut found = BTreeSet::new();
        blank(&mut table, &mut found);
        assert_eq!(table.len(), length);
        let text = String::from_utf8_lossy(&table);
        for kept in ["Maker", "Product", "B550", "PCIEX16_1"] {
            assert!(text.contains(kept), "{kept}");
        }
        for gone in ["SERIAL", "TAG", "Service"] {
            assert!(!text.contains(gone), "{gone}");
        }
        assert!(!table.contains(&0xab) && !table.contains(&0xcd));
        assert_eq!(
            found.into_iter().collect::<Vec<_>>(),
            [What::Serial, What::Uuid]
        );
    }

    proptest::proptest! {
        #[test]
        fn any_table_keeps_its_length(mut table: Vec<u8>) {
            let length = table.len();
            blank(&mut table, &mut BTreeSet::new());
            proptest::prop_assert_eq!(table.len(), length);
        }
    }
}
