//! Shell patterns: `*`, `?` and `[a-z]`, as in fnmatch(3).

/// Whether the whole text fits the pattern of a module alias.
pub fn alias_matches(pattern: &str, text: &str) -> bool {
    matches(pattern.as_bytes(), text.as_bytes(), false)
}

/// Whether the whole path fits the pattern. `*` stays within one folder; a last part `**` means
/// everything below.
pub fn path_matches(pattern: &str, path: &str) -> bool {
    match pattern.strip_suffix("/**") {
        Some(folder) => {
            let depth = folder.matches('/').count() + 1;
            match path.match_indices('/').nth(depth - 1) {
                Some((end, _)) => path
                    .get(..end)
                    .is_some_and(|start| matches(folder.as_bytes(), start.as_bytes(), true)),
                None => false,
            }
        }
        None => matches(pattern.as_bytes(), path.as_bytes(), true),
    }
}

/// Goes back to the last star only, so that the time is at most pattern times text.
fn matches(pattern: &[u8], text: &[u8], in_folder: bool) -> bool {
    let (mut rest, mut left) = (pattern, text);
    let mut last_star: Option<(&[u8], &[u8])> = None;
    loop {
        let step = match (rest, left) {
            ([b'*', after @ ..], _) => {
                last_star = Some((after, left));
                Some((after, left))
            }
            ([], []) => return true,
            ([first, ..], [byte, after @ ..])
                if !(in_folder && *byte == b'/' && *first != b'/') =>
            {
                one(rest, *byte).map(|rest| (rest, after))
            }
            _ => None,
        };
        (rest, left) = match (step, last_star) {
            (Some(next), _) => next,
            (None, Some((after, [byte, shorter @ ..]))) if !(in_folder && *byte == b'/') => {
                last_star = Some((after, shorter));
                (after, shorter)
            }
            _ => return false,
        };
    }
}

/// The pattern after its first element, when that element fits the byte.
fn one(pattern: &[u8], byte: u8) -> Option<&[u8]> {
    match pattern {
        [b'?', rest @ ..] => Some(rest),
        [b'[', rest @ ..] => match rest.iter().skip(1).position(|&end| end == b']') {
            Some(end) => {
                let (set, rest) = rest.split_at_checked(end + 1)?;
                in_set(set, byte).then(|| rest.get(1..)).flatten()
            }
            // Without an end it is an ordinary character.
            None => (byte == b'[').then_some(rest),
        },
        [first, rest @ ..] => (*first == byte).then_some(rest),
        [] => None,
    }
}

fn in_set(set: &[u8], byte: u8) -> bool {
    let (negated, mut set) = match set {
        [b'!' | b'^', rest @ ..] => (true, rest),
        _ => (false, set),
    };
    let mut found = false;
    while let [first, rest @ ..] = set {
        set = match rest {
            [b'-', last, rest @ ..] => {
                found |= (*first..=*last).contains(&byte);
                rest
            }
            _ => {
                found |= *first == byte;
                rest
            }
        };
    }
    found != negated
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_modalias_fits_its_pattern() {
        let alias = "pci:v00001AF4d00001001sv00001AF4sd00000002bc01sc00i00";
        assert!(alias_matches("pci:v00001AF4d*sv*sd*bc*sc*i*", alias));
        assert!(alias_matches("pci:v*bc01sc0[0-4]i*", alias));
        assert!(!alias_matches("pci:v*bc01sc0[1-4]i*", alias));
        assert!(!alias_matches("pci:v*bc01sc0[!0]i*", alias));
        assert!(!alias_matches("pci:v00001AF4", alias));
        assert!(alias_matches("crypto-crc32?", "crypto-crc32c"));
    }

    #[test]
    fn one_star_is_one_folder_and_two_are_all_below() {
        assert!(path_matches(
            "kernel/drivers/ata/*",
            "kernel/drivers/ata/ahci.ko"
        ));
        assert!(!path_matches(
            "kernel/drivers/scsi/*",
            "kernel/drivers/scsi/isci/isci.ko"
        ));
        assert!(path_matches(
            "kernel/drivers/scsi/**",
            "kernel/drivers/scsi/isci/isci.ko"
        ));
        assert!(path_matches(
            "kernel/drivers/scsi/**",
            "kernel/drivers/scsi/sd_mod.ko"
        ));
        assert!(!path_matches(
            "kernel/drivers/scsi/**",
            "kernel/drivers/scsi2/sd_mod.ko"
        ));
        assert!(path_matches(
            "kernel/drivers/s*/**",
            "kernel/drivers/scsi/sd_mod.ko"
        ));
    }

    proptest! {
        #[test]
        fn any_pattern_ends_and_a_star_fits_all(pattern in ".{0,40}", text in ".{0,60}") {
            let _ = alias_matches(&pattern, &text);
            let _ = path_matches(&pattern, &text);
            prop_assert!(alias_matches("*", &text));
        }
    }
}
