use std::io;

/// Characters of a long name in one entry.
const LETTERS: usize = 13;
const LONG_NAME: u8 = 0x0f;
const LAST_PART: u8 = 0x40;

/// A name of eight characters and three, padded with spaces.
pub(super) type ShortName = [u8; 11];

/// The short name for `name` in a folder that has these already.
///
/// # Errors
/// For names that FAT cannot have, or that are not ASCII.
pub(super) fn short_name(name: &str, taken: &[ShortName]) -> io::Result<ShortName> {
    let wrong = || io::Error::other(format!("'{name}' cannot be a file's name on FAT"));
    let allowed = |letter: u8| matches!(letter, b' '..=b'~') && !b"\"*/:<>?\\|".contains(&letter);
    if name.is_empty() || name.len() > 255 || name.ends_with(['.', ' ']) || name.starts_with('.') {
        return Err(wrong());
    }
    if !name.bytes().all(allowed) {
        return Err(wrong());
    }
    let upper = name.to_ascii_uppercase();
    let (base, extension) = upper.rsplit_once('.').unwrap_or((&upper, ""));
    let plain =
        |letter: u8| letter.is_ascii_alphanumeric() || b"-_~!#$%&'()@^`{}".contains(&letter);
    let fits = base.len() <= 8 && extension.len() <= 3;
    if fits && base.bytes().all(plain) && extension.bytes().all(plain) {
        let whole = padded(base.as_bytes(), extension.as_bytes());
        if !taken.contains(&whole) {
            return Ok(whole);
        }
    }
    let kept = |text: &str, most| {
        text.bytes()
            .filter(|b| plain(*b))
            .take(most)
            .collect::<Vec<_>>()
    };
    let (base, extension) = (kept(base, 6), kept(extension, 3));
    let numbered = (1..1000).map(|number| {
        let tail = format!("~{number}");
        let head = base.iter().take(8 - tail.len()).copied();
        let head: Vec<u8> = head.chain(tail.bytes()).collect();
        padded(&head, &extension)
    });
    let mut free = numbered.filter(|name| !taken.contains(name));
    free.next().ok_or_else(wrong)
}

fn padded(base: &[u8], extension: &[u8]) -> ShortName {
    let mut name = [b' '; 11];
    let (front, back) = name.split_at_mut(8);
    for (place, letter) in front.iter_mut().zip(base) {
        *place = *letter;
    }
    for (place, letter) in back.iter_mut().zip(extension) {
        *place = *letter;
    }
    name
}

/// Whether a name can do without its long form.
pub(super) fn is_short(name: &str, short: &ShortName) -> bool {
    let (base, extension) = name.rsplit_once('.').unwrap_or((name, ""));
    base.len() <= 8
        && extension.len() <= 3
        && padded(base.as_bytes(), extension.as_bytes()) == *short
}

/// The entries of a long name, as they stand in front of that of its short one (section 7).
pub(super) fn long_entries(name: &str, short: &ShortName) -> Vec<[u8; 32]> {
    let checksum = short
        .iter()
        .fold(0_u8, |sum, byte| sum.rotate_right(1).wrapping_add(*byte));
    let letters: Vec<u16> = name.encode_utf16().collect();
    let parts = letters.chunks(LETTERS).enumerate();
    let mut entries: Vec<[u8; 32]> = parts
        .map(|(index, part)| {
            let number = u8::try_from(index + 1).unwrap_or(u8::MAX);
            let last = (index + 1) * LETTERS >= letters.len();
            long_entry(
                if last { number | LAST_PART } else { number },
                part,
                checksum,
            )
        })
        .collect();
    entries.reverse();
    entries
}

fn long_entry(order: u8, part: &[u16], checksum: u8) -> [u8; 32] {
    // One zero ends a name that does not fill its entry; the rest is ones.
    let end = [0].into_iter().chain([u16::MAX].into_iter().cycle());
    let letters = part.iter().copied().chain(end).take(LETTERS);
    let mut bytes = letters.flat_map(u16::to_le_bytes);
    let mut entry = [0; 32];
    for (offset, place) in entry.iter_mut().enumerate() {
        *place = match offset {
            0 => order,
            11 => LONG_NAME,
            13 => checksum,
            1..=10 | 14..=25 | 28..=31 => bytes.next().unwrap_or_default(),
            _ => 0,
        };
    }
    entry
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_eight_and_three_is_kept_and_a_longer_one_is_numbered() {
        let name = |text| short_name(text, &[]).unwrap();
        assert_eq!(&name("BOOTX64.EFI"), b"BOOTX64 EFI");
        assert_eq!(&name("grubx64.efi"), b"GRUBX64 EFI");
        assert_eq!(&name("initramfs.img"), b"INITRA~1IMG");
        assert_eq!(&name("a.b.c"), b"AB~1    C  ");
        let taken = [name("initramfs.img")];
        assert_eq!(
            &short_name("initramfs.img", &taken).unwrap(),
            b"INITRA~2IMG"
        );
        assert!(is_short("BOOTX64.EFI", b"BOOTX64 EFI"));
        assert!(!is_short("grubx64.efi", b"GRUBX64 EFI"));
    }

    #[test]
    fn names_that_fat_cannot_have_are_refused() {
        for name in ["", "a:b", "a.", " ", ".", "..", "größe"] {
            assert!(short_name(name, &[]).is_err(), "{name:?}");
        }
    }
}
