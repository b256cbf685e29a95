use crate::tree::Tree;
use crate::{Reading, Source};

const ONLINE: &str = "devices/system/node/online";
/// `CONFIG_NODES_SHIFT` is 10 at most.
const MAX_NODES: u16 = 1024;

/// Memory nodes that are online. A kernel without NUMA has no such file: absent.
pub(super) fn nodes(source: &Source, sys: &Tree) -> Reading<Vec<u16>> {
    source
        .reading(sys, ONLINE, sys.text(ONLINE))
        .and_then(|text| parse(&text).ok_or_else(|| format!("'{text}' is no list of nodes")))
}

/// A list of numbers and ranges: `0-1,3`.
fn parse(text: &str) -> Option<Vec<u16>> {
    let mut nodes = Vec::new();
    for part in text.trim().split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (u16, u16) = (first.parse().ok()?, last.parse().ok()?);
        if first > last || last >= MAX_NODES {
            return None;
        }
        nodes.extend(first..=last);
    }
    nodes.sort_unstable();
    nodes.dedup();
    Some(nodes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_and_numbers_are_a_list_and_anything_else_is_none() {
        assert_eq!(parse("0"), Some(vec![0]));
        assert_eq!(parse("0-2,5\n"), Some(vec![0, 1, 2, 5]));
        for text in ["", "1-0", "0-70000", "0-4000", "x"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
