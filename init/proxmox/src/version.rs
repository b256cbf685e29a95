use std::cmp::Ordering;

/// Compares two versions as boot loaders do (UAPI group, Version Format Specification): digits by value,
/// letters by alphabet, `~` before everything.
pub(crate) fn compare(left: &str, right: &str) -> Ordering {
    let (mut left, mut right) = (left.as_bytes(), right.as_bytes());
    loop {
        left = skip_separators(left);
        right = skip_separators(right);
        for (mark, order) in [
            (b'~', Ordering::Less),
            (b'-', Ordering::Less),
            (b'^', Ordering::Less),
            (b'.', Ordering::Less),
        ] {
            match (left.first() == Some(&mark), right.first() == Some(&mark)) {
                (true, true) => {
                    left = left.get(1..).unwrap_or_default();
                    right = right.get(1..).unwrap_or_default();
                }
                (true, false) if mark == b'~' || !right.is_empty() => return order,
                (true, false) => return order.reverse(),
                (false, true) if mark == b'~' || !left.is_empty() => return order.reverse(),
                (false, true) => return order,
                (false, false) => {}
            }
        }
        if left.is_empty() || right.is_empty() {
            return left.len().cmp(&right.len());
        }
        let digits = left.first().is_some_and(u8::is_ascii_digit)
            || right.first().is_some_and(u8::is_ascii_digit);
        let same = |byte: &u8| byte.is_ascii_digit() == digits && is_part(*byte);
        let (one, left_rest) = left.split_at(run(left, same));
        let (other, right_rest) = right.split_at(run(right, same));
        let order = if digits {
            let (one, other) = (without_zeros(one), without_zeros(other));
            one.len().cmp(&other.len()).then_with(|| one.cmp(other))
        } else {
            one.cmp(other)
        };
        if order != Ordering::Equal || (one.is_empty() && other.is_empty()) {
            return order;
        }
        left = left_rest;
        right = right_rest;
    }
}

fn is_part(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
}

fn run(text: &[u8], wanted: impl Fn(&u8) -> bool) -> usize {
    text.iter().take_while(|byte| wanted(byte)).count()
}

fn skip_separators(text: &[u8]) -> &[u8] {
    let length = run(text, |byte| !is_part(*byte) && !b"~-^.".contains(byte));
    text.get(length..).unwrap_or_default()
}

fn without_zeros(digits: &[u8]) -> &[u8] {
    digits
        .get(run(digits, |byte| *byte == b'0')..)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn kernels_are_ordered_by_their_numbers() {
        for (older, newer) in [
            ("5.15.108-1-pve", "6.2.16-20-pve"),
            ("6.8.4-2-pve", "6.8.12-1-pve"),
            ("6.8.12-2-pve", "6.8.12-11-pve"),
            ("6.1.0-9-amd64", "6.1.0-10-amd64"),
            ("6.9~rc1", "6.9"),
            ("6.8", "6.8.1"),
        ] {
            assert_eq!(compare(older, newer), Ordering::Less, "{older} {newer}");
            assert_eq!(compare(newer, older), Ordering::Greater, "{newer} {older}");
        }
    }

    proptest! {
        #[test]
        fn the_order_is_the_same_from_both_sides(one in "[0-9a-z.~^_-]{0,12}", other in "[0-9a-z.~^_-]{0,12}") {
            prop_assert_eq!(compare(&one, &other), compare(&other, &one).reverse());
            prop_assert_eq!(compare(&one, &one), Ordering::Equal);
        }
    }
}
