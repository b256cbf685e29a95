use hardware::Reading;

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
    let group = draft
        .ctx
        .subject
        .assessment
        .groups
        .iter()
        .find(|group| group.functions.contains(&function.address));
    let mut line = format!("\tmap id={}", function.id);
    if let Some(group) = group {
        line.push_str(&format!(",iommugroup={}", group.id));
    }
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
