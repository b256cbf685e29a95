use std::collections::BTreeMap;

use pci::Address;

use super::{address, number};
use crate::tree::Tree;
use crate::{Function, Group, Reading, ReservedRegion, Source};

const GROUPS: &str = "kernel/iommu_groups";
pub(super) const UNITS: &str = "class/iommu";

/// IOMMU units that have a driver. A kernel that shows no such class has no IOMMU driver at all.
pub(super) fn units(source: &Source, sys: &Tree) -> Reading<Vec<String>> {
    match source.reading(sys, UNITS, sys.list(UNITS)) {
        Reading::Absent => Reading::Known(Vec::new()),
        other => other,
    }
}

/// The kernel's groups; also gives every function that has no link its group's number. A copy without
/// the list of groups may still have the functions' links.
pub(super) fn groups(
    source: &Source,
    sys: &Tree,
    functions: &mut [Function],
) -> Reading<Vec<Group>> {
    let listed = source.reading(sys, GROUPS, sys.list(GROUPS));
    let listed = listed.map(|names| read_groups(sys, &names));
    let Reading::Known(groups) = &listed else {
        let from_links = from_links(functions);
        if !from_links.is_empty() {
            return Reading::Known(from_links);
        }
        for function in functions {
            if let (Reading::Absent, Reading::Unknown(why)) = (&function.group, &listed) {
                function.group = Reading::Unknown(why.clone());
            }
        }
        return listed;
    };
    let members: BTreeMap<Address, u32> = groups
        .iter()
        .flat_map(|group| group.functions.iter().map(|function| (*function, group.id)))
        .collect();
    let unlisted = groups
        .iter()
        .find(|group| group.functions.is_empty())
        .map(|group| group.id);
    for function in functions
        .iter_mut()
        .filter(|function| function.group.known().is_none())
    {
        match (members.get(&function.address), unlisted) {
            (Some(id), _) => function.group = Reading::Known(*id),
            (None, Some(id)) => {
                let why = format!("the members of group {id} could not be listed");
                function.group = Reading::Unknown(why.into());
            }
            (None, None) => {}
        }
    }
    listed
}

fn read_groups(sys: &Tree, names: &[String]) -> Vec<Group> {
    let mut groups: Vec<Group> = names
        .iter()
        .filter_map(|name| Some((name, name.parse().ok()?)))
        .map(|(name, id)| {
            let path = format!("{GROUPS}/{name}");
            let members = sys.list(&format!("{path}/devices")).unwrap_or_default();
            let mut functions: Vec<Address> = members
                .iter()
                .filter_map(|member| address(member))
                .collect();
            functions.sort_unstable();
            let regions = format!("{path}/reserved_regions");
            let regions = sys.expected(&regions, sys.text(&regions));
            Group {
                id,
                functions,
                reserved_regions: regions.and_then(|text| parse_regions(&text)),
            }
        })
        .collect();
    groups.sort_unstable_by_key(|group| group.id);
    groups
}

fn from_links(functions: &[Function]) -> Vec<Group> {
    let mut members: BTreeMap<u32, Vec<Address>> = BTreeMap::new();
    for function in functions {
        if let Reading::Known(id) = function.group {
            members.entry(id).or_default().push(function.address);
        }
    }
    let group = |(id, functions)| Group {
        id,
        functions,
        reserved_regions: Reading::unknown(format!("{GROUPS} is not there")),
    };
    members.into_iter().map(group).collect()
}

/// Lines of `0x00000000fee00000 0x00000000feefffff msi`.
fn parse_regions(text: &str) -> Result<Vec<ReservedRegion>, String> {
    let region = |line: &str| {
        let mut words = line.split_whitespace();
        let (Some(start), Some(end), Some(kind)) = (words.next(), words.next(), words.next())
        else {
            return Err(format!("'{line}' is not a reserved region"));
        };
        Ok(ReservedRegion {
            start: number(start)?,
            end: number(end)?,
            kind: kind.to_owned(),
        })
    };
    text.lines().map(region).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_regions_are_bounds_and_a_word() {
        let text = "0x000000009d000000 0x000000009fffffff direct-relaxable\n\
                    0x00000000fee00000 0x00000000feefffff msi\n";
        let regions = parse_regions(text).unwrap();
        assert_eq!(regions[0].kind, "direct-relaxable");
        assert_eq!(
            (regions[1].start, regions[1].end),
            (0xfee0_0000, 0xfeef_ffff)
        );
        assert!(parse_regions("0x0 direct").is_err());
        assert_eq!(parse_regions(""), Ok(vec![]));
    }
}
