//! Network configuration: which names hang on a place on a PCI bus, and so change when a card is added.

use std::collections::BTreeSet;

use pci::Address;
use serde::{Deserialize, Serialize};

use crate::place::Place;
use crate::reader::Reader;

/// A network interface that the configuration names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InterfaceUse {
    /// `enp3s0`.
    pub name: String,
    /// Where it is named first.
    pub place: Place,
    /// The bridge or bond that it is a port of.
    pub port_of: Option<String>,
    /// The function that its name stands for, when the name is made of bus numbers.
    pub function: Option<Address>,
    /// A .link file gives it this name by its MAC address, so the name stays whatever the bus is.
    pub pinned: bool,
}

pub(crate) fn read(reader: &Reader) -> Vec<InterfaceUse> {
    let mut uses = Vec::new();
    let mut files = vec![];
    let main = "/etc/network/interfaces";
    let text = reader.text(main).known().cloned();
    files.extend(text.map(|text| (main.to_owned(), text)));
    let folder = "/etc/network/interfaces.d";
    let more = reader.texts(folder, "").into_iter();
    files.extend(more.map(|(name, text)| (format!("{folder}/{name}"), text)));
    for (path, text) in &files {
        interfaces(path, text, &mut uses);
    }
    for (name, text) in reader.texts("/etc/netplan", ".yaml") {
        netplan(&format!("/etc/netplan/{name}"), &text, &mut uses);
    }
    for (name, text) in reader.texts("/etc/systemd/network", ".network") {
        networkd(&format!("/etc/systemd/network/{name}"), &text, &mut uses);
    }
    let links = reader.texts("/etc/systemd/network", ".link");
    let links = links
        .into_iter()
        .chain(reader.texts("/usr/local/lib/systemd/network", ".link"));
    let pinned: BTreeSet<String> = links.filter_map(|(_, text)| pinned_name(&text)).collect();
    for found in &mut uses {
        found.pinned = pinned.contains(&found.name);
    }
    uses
}

fn note(uses: &mut Vec<InterfaceUse>, name: &str, place: Place, port_of: Option<&str>) {
    let port_of = port_of.map(str::to_owned);
    if let Some(found) = uses.iter_mut().find(|found| found.name == name) {
        found.port_of = found.port_of.take().or(port_of);
        return;
    }
    uses.push(InterfaceUse {
        name: name.to_owned(),
        place,
        port_of,
        function: function_of(name),
        pinned: false,
    });
}

/// Stanzas of interfaces(5), with the ports of bridges and bonds.
fn interfaces(path: &str, text: &str, uses: &mut Vec<InterfaceUse>) {
    let mut current = None;
    for (index, line) in text.lines().enumerate() {
        let place = || Place::new(path, index + 1);
        let mut words = line.split_ascii_whitespace();
        match words.next() {
            Some("iface") => {
                current = words.next();
                if let Some(name) = current.filter(|name| *name != "lo") {
                    note(uses, name, place(), None);
                }
            }
            Some(
                "bridge-ports" | "bridge_ports" | "bond-slaves" | "bond_slaves" | "ovs_bonds"
                | "ovs_ports",
            ) => {
                for port in words.filter(|port| *port != "none") {
                    note(uses, port, place(), current);
                }
            }
            _ => {}
        }
    }
}

/// Only what names Ethernet devices: the keys below `ethernets:` (netplan reference).
fn netplan(path: &str, text: &str, uses: &mut Vec<InterfaceUse>) {
    let mut section: Option<(usize, Option<usize>)> = None;
    for (index, line) in text.lines().enumerate() {
        let content = line.trim();
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        let indent = line.len() - line.trim_start().len();
        if content == "ethernets:" {
            section = Some((indent, None));
            continue;
        }
        let Some((outer, inner)) = &mut section else {
            continue;
        };
        if indent <= *outer {
            section = None;
            continue;
        }
        if indent == *inner.get_or_insert(indent)
            && let Some((name, _)) = content.split_once(':')
        {
            let name = name.trim_matches(['"', '\'']);
            note(uses, name, Place::new(path, index + 1), None);
        }
    }
}

/// `Name=` below `[Match]` (systemd.network(5)).
fn networkd(path: &str, text: &str, uses: &mut Vec<InterfaceUse>) {
    let mut matching = false;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.starts_with('[') {
            matching = line == "[Match]";
        } else if let Some(names) = line.strip_prefix("Name=").filter(|_| matching) {
            for name in names.split_ascii_whitespace() {
                note(uses, name, Place::new(path, index + 1), None);
            }
        }
    }
}

/// The name that a .link file gives to a MAC address (systemd.link(5)).
fn pinned_name(text: &str) -> Option<String> {
    let by_mac = text.lines().any(|line| {
        let line = line.trim();
        line.starts_with("MACAddress=") || line.starts_with("PermanentMACAddress=")
    });
    let mut names = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("Name="));
    names.next().filter(|_| by_mac).map(str::to_owned)
}

/// The function that a name like `enp3s0f1np1` or `enP1p3s0` stands for (systemd.net-naming-scheme(7)): numbers
/// in decimal, no function meaning 0.
fn function_of(name: &str) -> Option<Address> {
    let name = name.split('.').next()?;
    let rest = name
        .strip_prefix("en")
        .or_else(|| name.strip_prefix("wl"))?;
    let (domain, rest) = number_after(rest, 'P').unwrap_or((0, rest));
    let (bus, rest) = number_after(rest, 'p')?;
    let (device, rest) = number_after(rest, 's')?;
    let (function, _) = number_after(rest, 'f').unwrap_or((0, rest));
    Some(Address {
        domain,
        bus: u8::try_from(bus).ok()?,
        device: u8::try_from(device).ok().filter(|device| *device < 32)?,
        function: u8::try_from(function)
            .ok()
            .filter(|function| *function < 8)?,
    })
}

fn number_after(text: &str, mark: char) -> Option<(u32, &str)> {
    let rest = text.strip_prefix(mark)?;
    let end = rest
        .find(|digit: char| !digit.is_ascii_digit())
        .unwrap_or(rest.len());
    let (digits, rest) = rest.split_at(end);
    Some((digits.parse().ok()?, rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::files::MemoryFiles;

    #[test]
    fn a_bridge_port_named_by_its_bus_is_known_as_such() {
        let files = MemoryFiles::new()
            .file(
                "etc/network/interfaces",
                "auto lo\niface lo inet loopback\n\niface enp3s0 inet manual\niface eno1 inet manual\nauto vmbr0\niface vmbr0 inet static\n\taddress 10.0.0.2/24\n\tbridge-ports enp3s0\n",
            )
            .file("etc/netplan/01.yaml", "network:\n  ethernets:\n    enp33s0f1np1:\n      dhcp4: true\n  version: 2\n")
            .file("etc/systemd/network/10-pve.link", "[Match]\nMACAddress=aa:bb:cc:dd:ee:ff\n[Link]\nName=enp33s0f1np1\n");
        let uses = read(&Reader::new(&files, String::new()));
        let find = |name: &str| uses.iter().find(|found| found.name == name).unwrap();
        assert_eq!(find("enp3s0").port_of.as_deref(), Some("vmbr0"));
        assert_eq!(
            find("enp3s0").function,
            Some("0000:03:00.0".parse().unwrap())
        );
        assert_eq!(find("eno1").function, None);
        assert_eq!(
            find("enp33s0f1np1").function,
            Some("0000:21:00.1".parse().unwrap())
        );
        assert!(find("enp33s0f1np1").pinned);
        assert_eq!(find("vmbr0").place.to_string(), "/etc/network/interfaces:7");
        assert_eq!(uses.len(), 4);
    }

    #[test]
    fn names_of_other_schemes_are_not_taken_for_bus_numbers() {
        for name in [
            "ens18",
            "eth0",
            "enx001122334455",
            "vmbr0",
            "enp",
            "enp3",
            "enp300s0",
        ] {
            assert_eq!(function_of(name), None, "{name}");
        }
        assert_eq!(
            function_of("enP1p0s3.100"),
            Some("0001:00:03.0".parse().unwrap())
        );
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "(?s).{0,200}") {
            let mut uses = Vec::new();
            interfaces("a", &text, &mut uses);
            netplan("a", &text, &mut uses);
            networkd("a", &text, &mut uses);
            function_of(&text);
        }
    }
}
