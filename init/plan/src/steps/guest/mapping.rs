use assess::GroupSource;
use hardware::Reading;
use pci::Address;

use super::selectors;
use crate::draft::Draft;
use crate::edit::Source;
use crate::plan::Tree;

const MAPPINGS: &str = "mapping/pci.cfg";

/// A resource mapping, which names the device by what it is as well as by where.
pub(super) fn mapping(draft: &mut Draft, node: &str) -> Option<String> {
    if !draft.ctx.is_asked("mapping") {
        return None;
    }
    let name = draft.option(
        "mapping",
        ("none", "the guest names the device by its address"),
    );
    let selectors = selectors(draft.ctx);
    let known = draft
        .ctx
        .system()
        .guests
        .known()
        .map(|guests| guests.mappings.as_slice())
        .unwrap_or_default();
    let taken = known.iter().find(|mapping| mapping.id == name);
    let [(selector, functions)] = selectors.as_slice() else {
        let evidence = selectors
            .iter()
            .map(|(selector, _)| selector.to_string())
            .collect();
        draft.refuse(
            "mapping-not-possible",
            false,
            "A mapping stands for one device.",
            evidence,
        );
        return None;
    };
    if let Some(mapping) = taken {
        let same = mapping
            .devices
            .iter()
            .any(|device| device.node == node && device.paths == [*selector]);
        if !same {
            let evidence = vec![format!("'{name}' stands in /etc/pve/{MAPPINGS}")];
            draft.refuse(
                "mapping-not-possible",
                false,
                "A mapping of that name stands for something else.",
                evidence,
            );
        }
        return same.then_some(name);
    }
    let function = functions.first()?;
    let group = group(draft, function.address)?;
    let mut line = format!("\tmap id={},iommugroup={group}", function.id);
    line.push_str(&format!(",node={node},path={selector}"));
    if let Reading::Known(subsystem) = &function.subsystem {
        line.push_str(&format!(",subsystem-id={subsystem}"));
    }
    let why = format!(
        "The mapping '{name}' stands for {selector}: a start fails when something else is there."
    );
    draft.edit(Tree::Pve, MAPPINGS, &why, |file| {
        let mut source = Source::parse(file);
        source.check()?;
        if !file.is_empty() {
            source.append_line("");
        }
        source.append_line(&name);
        source.append_line(&line);
        Ok(source.print())
    });
    Some(name)
}

/// The number of the function's group. A guest does not start when a mapping has another one than the kernel, or none
/// (PVE::Mapping::PCI, assert_valid), so what only the next start can tell is not written.
fn group(draft: &mut Draft, address: Address) -> Option<u32> {
    let groups = &draft.ctx.subject.assessment.groups;
    let group = groups
        .iter()
        .find(|group| group.functions.contains(&address));
    let why = match group {
        _ if draft.ctx.is_asked("acs-override") => {
            "acs-override is asked for, which makes other groups"
        }
        None => "the running kernel has no groups",
        Some(group) if group.source != GroupSource::Kernel => {
            "the groups are worked out, for the running kernel has none"
        }
        Some(group) => {
            draft.warnings.push(format!(
                "The mapping says IOMMU group {}, as the running kernel counts: where the host's kernel counts differently, \
                 the guest does not start before the mapping is made anew (Datacenter, Resource Mappings).",
                group.id
            ));
            return Some(group.id);
        }
    };
    draft.refuse(
        "mapping-not-possible",
        false,
        "A mapping has the number of the IOMMU group, which only the next start of the host tells: make it then \
         (Datacenter, Resource Mappings), or leave it out.",
        vec![why.to_owned()],
    );
    None
}
