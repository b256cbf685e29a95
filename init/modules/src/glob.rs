/// Matches `text` against a pattern of modules.alias: `*`, `?` and `[...]` with ranges and `!` or `^`, as
/// fnmatch(3) without flags. Takes at most `pattern * text` steps.
pub fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while let Some(&byte) = text.get(t) {
        if pattern.get(p) == Some(&b'*') {
            star = Some((p, t));
            p += 1;
        } else if let Some(width) = match_one(pattern.get(p..).unwrap_or_default(), byte) {
            p += width;
            t += 1;
        } else if let Some((star_p, star_t)) = star {
            star = Some((star_p, star_t + 1));
            p = star_p + 1;
            t = star_t + 1;
        } else {
            return false;
        }
    }
    pattern
        .get(p..)
        .unwrap_or_default()
        .iter()
        .all(|byte| *byte == b'*')
}

/// How many bytes of the pattern stand for `byte`, or `None` when they do not.
fn match_one(pattern: &[u8], byte: u8) -> Option<usize> {
    match pattern.first()? {
        b'?' => Some(1),
        b'[' => match_set(pattern, byte),
        literal => (*literal == byte).then_some(1),
    }
}

fn match_set(pattern: &[u8], byte: u8) -> Option<usize> {
    let negated = matches!(pattern.get(1), Some(b'!' | b'^'));
    let start = if negated { 2 } else { 1 };
    let mut at = start;
    let mut inside = false;
    loop {
        let low = *pattern.get(at)?;
        if low == b']' && at > start {
            return (inside != negated).then_some(at + 1);
        }
        let range = (pattern.get(at + 1) == Some(&b'-'))
            .then(|| pattern.get(at + 2))
            .flatten();
        match range {
            Some(high) if *high != b']' => {
                inside |= (low..=*high).contains(&byte);
                at += 3;
            }
            _ => {
                inside |= low == byte;
                at += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn patterns_of_real_modules_match_their_devices() {
        for (pattern, text, expected) in [
            (
                "pci:v*d*sv*sd*bc01sc06i01*",
                "pci:v00008086d00002922sv0sd0bc01sc06i01",
                true,
            ),
            (
                "pci:v*d*sv*sd*bc01sc06i01*",
                "pci:v00008086d00002922sv0sd0bc01sc06i02",
                false,
            ),
            (
                "usb:v*p*d*dc*dsc*dp*ic08isc06ip50in*",
                "usb:v46F4p0001d0000dc00dsc00dp00ic08isc06ip50in00",
                true,
            ),
            ("scsi:t-0x00*", "scsi:t-0x00", true),
            (
                "hid:b0003g*v0000046Dp0000C5[0-9A-F]?*",
                "hid:b0003g0001v0000046Dp0000C52B",
                true,
            ),
            (
                "hid:b0003g*v0000046Dp0000C5[!0-4]?*",
                "hid:b0003g0001v0000046Dp0000C52B",
                false,
            ),
            ("[]]", "]", true),
            ("*", "", true),
            ("a", "", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} on {text}");
        }
    }

    proptest! {
        #[test]
        fn any_pattern_ends(pattern in "[a-c*?\\[\\]!^-]{0,40}", text in "[a-c]{0,40}") {
            let _ = matches(&pattern, &text);
        }

        #[test]
        fn a_literal_matches_itself_and_a_star_after_any_start(text in "[a-z0-9:]{0,30}", cut in 0_usize..30) {
            let cut = cut.min(text.len());
            let starred = format!("{}*", &text[..cut]);
            prop_assert!(matches(&text, &text));
            prop_assert!(matches(&starred, &text));
        }
    }
}
