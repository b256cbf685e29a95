use hardware::Function;
use proxmox::guests::{Guest, HostPci, HostSelector};

use crate::context::Context;

/// The line of the guest that has one of these functions already: by its address, or by a mapping that stands
/// for it on the node.
pub(super) fn held<'a>(
    ctx: &Context,
    guest: &'a Guest,
    node: &str,
    functions: &[&Function],
    mapping: Option<&str>,
) -> Option<&'a HostPci> {
    let covers = |host: &HostSelector| {
        functions
            .iter()
            .any(|function| host.covers(function.address))
    };
    guest.hostpci.iter().find(|device| {
        let is_asked_for = device.mapping.is_some() && device.mapping.as_deref() == mapping;
        is_asked_for || named(ctx, device, node).any(covers)
    })
}

/// What a line gives to its guest on this node: devices by their address, and those that its mapping stands for.
pub(in crate::steps) fn named<'a>(
    ctx: &Context<'a>,
    device: &'a HostPci,
    node: &'a str,
) -> impl Iterator<Item = &'a HostSelector> {
    let known = ctx.system().guests.known().into_iter();
    let mappings = known.flat_map(|guests| &guests.mappings);
    let own = mappings.filter(|known| Some(&known.id) == device.mapping.as_ref());
    let mapped = own
        .flat_map(|known| &known.devices)
        .filter(move |one| one.node == node)
        .flat_map(|one| &one.paths);
    device.hosts.iter().chain(mapped)
}

/// A card that is given whole, or function by function where the guest has a line for each of them already.
pub(super) fn as_held<'a>(
    guest: &Guest,
    (selector, functions): (HostSelector, Vec<&'a Function>),
) -> Vec<(HostSelector, Vec<&'a Function>)> {
    let one = |function: &Function| HostSelector {
        address: function.address,
        whole: false,
    };
    let has = |selector| guest.hostpci.iter().any(|held| held.hosts == [selector]);
    if selector.whole && functions.iter().all(|function| has(one(function))) {
        let each = functions.into_iter();
        return each
            .map(|function| (one(function), vec![function]))
            .collect();
    }
    vec![(selector, functions)]
}

/// What a line names, and what its options are to be.
pub(super) struct Wanted<'a> {
    /// The device.
    pub(super) selector: HostSelector,
    /// The mapping that is asked for in its place.
    pub(super) mapping: Option<&'a str>,
    /// Options with their values; none for one that must not be there.
    pub(super) options: Vec<(&'a str, Option<String>)>,
}

/// The line as it is to be: the device, then options that are there already, in their order, then new ones. The
/// device keeps how it is written where that says the same.
pub(super) fn line(old: Option<(&str, &HostPci)>, wanted: &Wanted) -> String {
    let mut named = device(old.map(|(_, held)| held), wanted);
    let mut fields = Vec::new();
    let mut options: Vec<&(&str, Option<String>)> = wanted.options.iter().collect();
    let text = old.map(|(text, _)| text);
    for field in text.into_iter().flat_map(|text| text.split(',')) {
        let (key, value) = field.split_once('=').unwrap_or(("host", field));
        if matches!(key, "host" | "mapping") {
            if old.is_some_and(|(_, held)| says(held, wanted)) {
                named = field.to_owned();
            }
            continue;
        }
        match options.iter().position(|(name, _)| *name == key) {
            Some(index) => {
                let (_, new) = options.remove(index);
                fields.extend(new.as_ref().map(|new| {
                    let same = is_on(new) && is_on(value);
                    format!("{key}={}", if same { value } else { new })
                }));
            }
            None => fields.push(field.to_owned()),
        }
    }
    let new = options.iter();
    fields.extend(new.filter_map(|(key, value)| Some(format!("{key}={}", value.as_ref()?))));
    fields.insert(0, named);
    fields.join(",")
}

/// As Proxmox VE reads a boolean (PVE::JSONSchema, parse_boolean).
pub(super) fn is_on(value: &str) -> bool {
    ["1", "on", "yes", "true"]
        .iter()
        .any(|on| value.eq_ignore_ascii_case(on))
}

/// Whether the line names that device and nothing else.
fn says(held: &HostPci, wanted: &Wanted) -> bool {
    match (wanted.mapping, &held.mapping) {
        (Some(name), Some(held)) => name == held,
        (None, None) => held.hosts == [wanted.selector],
        // A mapping is a way to name it, and stays where none is asked for.
        (None, Some(_)) => true,
        (Some(_), None) => false,
    }
}

fn device(held: Option<&HostPci>, wanted: &Wanted) -> String {
    if let Some(name) = wanted.mapping {
        return format!("mapping={name}");
    }
    // Other devices of the same line stay.
    let others = held
        .into_iter()
        .flat_map(|held| &held.hosts)
        .filter(|host| {
            !host.covers(wanted.selector.address) && !wanted.selector.covers(host.address)
        });
    let names = std::iter::once(wanted.selector.to_string());
    let names: Vec<String> = names.chain(others.map(ToString::to_string)).collect();
    names.join(";")
}

#[cfg(test)]
mod tests {
    use proxmox::guests::GuestKind;

    use super::*;

    fn line_of(
        old: &str,
        selector: &str,
        mapping: Option<&str>,
        options: &[(&str, Option<&str>)],
    ) -> String {
        let text = format!("hostpci0: {old}\n");
        let guest = Guest::parse("pve", 100, GuestKind::Qemu, &text);
        let wanted = Wanted {
            selector: HostSelector::parse(selector).unwrap(),
            mapping,
            options: options
                .iter()
                .map(|(key, value)| (*key, value.map(str::to_owned)))
                .collect(),
        };
        line(Some((old, &guest.hostpci[0])), &wanted)
    }

    #[test]
    fn a_function_becomes_the_whole_device_and_back() {
        assert_eq!(
            line_of("01:00.0,rombar=0", "0000:01:00", None, &[]),
            "0000:01:00,rombar=0"
        );
        assert_eq!(
            line_of("host=01:00", "0000:01:00.0", None, &[]),
            "0000:01:00.0"
        );
    }

    #[test]
    fn a_device_that_is_meant_already_keeps_how_it_is_written() {
        assert_eq!(
            line_of("01:00,pcie=on", "0000:01:00", None, &[("pcie", Some("1"))]),
            "01:00,pcie=on"
        );
        assert_eq!(
            line_of("pcie=1,host=01:00", "0000:01:00", None, &[]),
            "host=01:00,pcie=1"
        );
        assert_eq!(
            line_of("mapping=gpu", "0000:01:00", None, &[]),
            "mapping=gpu"
        );
    }

    #[test]
    fn a_mapping_comes_in_the_place_of_an_address() {
        assert_eq!(
            line_of("01:00,pcie=1", "0000:01:00", Some("gpu"), &[]),
            "mapping=gpu,pcie=1"
        );
        assert_eq!(
            line_of("mapping=old", "0000:01:00", Some("gpu"), &[]),
            "mapping=gpu"
        );
    }

    #[test]
    fn other_devices_of_the_line_stay() {
        assert_eq!(
            line_of("01:00.0;02:00", "0000:01:00", None, &[]),
            "0000:01:00;0000:02:00"
        );
    }

    #[test]
    fn an_option_that_contradicts_goes_and_others_stay() {
        let wanted = [("pcie", None), ("x-vga", Some("1"))];
        assert_eq!(
            line_of("01:00,pcie=1,rombar=0", "0000:01:00", None, &wanted),
            "01:00,rombar=0,x-vga=1"
        );
    }
}
