use crate::tree::Tree;
use crate::{Reading, Source};

const ROUTES_LIMIT: usize = 4 << 20;
/// A VLAN on a bond on a bridge: deeper than this nobody stacks.
const MAX_DEPTH: usize = 8;
/// `RTF_GATEWAY` (linux/route.h).
const GATEWAY: u32 = 0x2;

/// The interfaces that the running system's default routes leave through: those with a device of their own,
/// found below bridges, bonds and VLANs. Empty where there is no default route.
pub(super) fn default_routes(source: &Source, sys: &Tree) -> Reading<Vec<String>> {
    let four = source.proc_text("net/route", ROUTES_LIMIT);
    let six = source.proc_text("net/ipv6_route", ROUTES_LIMIT);
    four.map(|four| {
        let six = six.known().map_or("", String::as_str);
        let names = four
            .lines()
            .filter_map(default_of_ipv4)
            .chain(six.lines().filter_map(default_of_ipv6));
        let mut found: Vec<String> = names.flat_map(|name| below(sys, name, 0)).collect();
        found.sort_unstable();
        found.dedup();
        found
    })
}

/// `eth0 00000000 0102A8C0 0003 0 0 0 00000000 ...`: interface, destination, and mask in the eighth column.
fn default_of_ipv4(line: &str) -> Option<&str> {
    let columns: Vec<&str> = line.split_whitespace().take(8).collect();
    match columns.as_slice() {
        [name, "00000000", .., "00000000"] if columns.len() == 8 => Some(name),
        _ => None,
    }
}

/// Destination, prefix length, ..., flags, interface. Without a gateway it is a kernel's own entry.
fn default_of_ipv6(line: &str) -> Option<&str> {
    let columns: Vec<&str> = line.split_whitespace().collect();
    let [destination, "00", .., flags, name] = columns.as_slice() else {
        return None;
    };
    let is_any = destination.bytes().all(|digit| digit == b'0');
    let flags = u32::from_str_radix(flags, 16).ok()?;
    (is_any && flags & GATEWAY != 0 && *name != "lo").then_some(name)
}

/// What a bridge, bond or VLAN stands on: the kernel links it as `lower_NAME`.
fn below(sys: &Tree, name: &str, depth: usize) -> Vec<String> {
    let entries = sys.list(&format!("class/net/{name}")).unwrap_or_default();
    let lower: Vec<&str> = entries
        .iter()
        .filter_map(|entry| entry.strip_prefix("lower_"))
        .collect();
    if lower.is_empty() || depth >= MAX_DEPTH {
        return vec![name.to_owned()];
    }
    lower
        .iter()
        .flat_map(|lower| below(sys, lower, depth + 1))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_route_to_everywhere_is_a_default_route() {
        let line = "vmbr0\t00000000\t0102A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0";
        assert_eq!(default_of_ipv4(line), Some("vmbr0"));
        let local = "vmbr0\t0002A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0";
        assert_eq!(default_of_ipv4(local), None);
        assert_eq!(
            default_of_ipv4("Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask"),
            None
        );
        let zeros = "0".repeat(32);
        let six = |flags: &str, name: &str| {
            format!(
                "{zeros} 00 {zeros} 00 fe800000000000000000000000000001 0400 1 0 {flags} {name}"
            )
        };
        assert_eq!(default_of_ipv6(&six("00450003", "eno1")), Some("eno1"));
        assert_eq!(default_of_ipv6(&six("00200200", "lo")), None);
    }

    proptest::proptest! {
        #[test]
        fn any_line_is_read_without_panic(line: String) {
            let _ = default_of_ipv4(&line);
            let _ = default_of_ipv6(&line);
        }
    }
}
