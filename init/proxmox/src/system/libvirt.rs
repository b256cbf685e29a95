//! libvirt's domains (libvirt.org, Domain XML format, Host device assignment).

use std::collections::BTreeMap;

use hardware::Reading;
use pci::Address;
use roxmltree::{Document, Node, ParsingOptions};
use serde::{Deserialize, Serialize};

use crate::reader::{Reader, Trouble};

/// No domain has more elements.
const NODES: u32 = 20_000;
const FOLDER: &str = "/etc/libvirt/qemu";

/// A domain that is given host devices, or none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Domain {
    /// Its name.
    pub name: String,
    /// Its file.
    pub file: String,
    /// Whether it is started with the host.
    pub autostart: bool,
    /// PCI devices that it is given, in order.
    pub host_devices: Vec<DomainHostDevice>,
}

/// A `<hostdev type='pci'>`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DomainHostDevice {
    /// On the host.
    pub address: Address,
    /// libvirt binds it to vfio-pci and back by itself.
    pub managed: bool,
    /// `<rom file=...>`.
    pub rom_file: Option<String>,
    /// `<rom bar='off'>`.
    pub rom_bar_off: bool,
    /// The line in the file, counted from 1.
    pub line: u32,
}

impl Domain {
    /// Reads a domain. Fails with the reason.
    pub fn parse(file: &str, text: &str) -> Result<Self, String> {
        let options = ParsingOptions {
            allow_dtd: false,
            nodes_limit: NODES,
            ..ParsingOptions::default()
        };
        let document = Document::parse_with_options(text, options)
            .map_err(|error| format!("{file} is not XML that libvirt would read: {error}"))?;
        let root = document.root_element();
        if !root.has_tag_name("domain") {
            return Err(format!("{file} holds no domain"));
        }
        let name = child(root, "name")
            .and_then(|name| name.text())
            .unwrap_or_default();
        let devices = child(root, "devices");
        let host_devices = devices
            .into_iter()
            .flat_map(|devices| devices.children())
            .filter(|node| node.has_tag_name("hostdev") && node.attribute("type") == Some("pci"))
            .filter_map(|node| host_device(&document, node))
            .collect();
        Ok(Self {
            name: name.trim().to_owned(),
            file: file.to_owned(),
            autostart: false,
            host_devices,
        })
    }
}

fn host_device(document: &Document, node: Node) -> Option<DomainHostDevice> {
    let address = child(child(node, "source")?, "address")?;
    let field = |name: &str| {
        let text = address.attribute(name).unwrap_or("0");
        match text.strip_prefix("0x") {
            Some(hex) => u32::from_str_radix(hex, 16).ok(),
            None => text.parse().ok(),
        }
    };
    let rom = child(node, "rom");
    Some(DomainHostDevice {
        address: Address {
            domain: field("domain")?,
            bus: u8::try_from(field("bus")?).ok()?,
            device: u8::try_from(field("slot")?).ok()?,
            function: u8::try_from(field("function")?).ok()?,
        },
        managed: node.attribute("managed") == Some("yes"),
        rom_file: rom.and_then(|rom| rom.attribute("file")).map(str::to_owned),
        rom_bar_off: rom.is_some_and(|rom| rom.attribute("bar") == Some("off")),
        line: document.text_pos_at(node.range().start).row,
    })
}

fn child<'a, 'input>(node: Node<'a, 'input>, name: &str) -> Option<Node<'a, 'input>> {
    node.children().find(|child| child.has_tag_name(name))
}

pub(crate) fn read(reader: &Reader) -> Vec<Domain> {
    let started: BTreeMap<String, ()> = match reader.names("/etc/libvirt/qemu/autostart") {
        Reading::Known(names) => names.into_iter().map(|name| (name, ())).collect(),
        Reading::Absent | Reading::Unknown(_) => BTreeMap::new(),
    };
    let mut domains = Vec::new();
    for (name, text) in reader.texts(FOLDER, ".xml") {
        match Domain::parse(&format!("{FOLDER}/{name}"), &text) {
            Ok(mut domain) => {
                domain.autostart = started.contains_key(&name);
                domains.push(domain);
            }
            Err(why) => reader.note(Trouble::Unread(why)),
        }
    }
    domains
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::files::MemoryFiles;

    const XML: &str = "<domain type='kvm'>\n  <name>win11</name>\n  <devices>\n    <hostdev mode='subsystem' type='pci' managed='yes'>\n      <source>\n        <address domain='0x0000' bus='0x0a' slot='0x00' function='0x1'/>\n      </source>\n      <rom bar='off' file='/usr/share/kvm/a.rom'/>\n      <address type='pci' domain='0' bus='6' slot='0' function='0'/>\n    </hostdev>\n    <hostdev mode='subsystem' type='usb'/>\n  </devices>\n</domain>\n";

    #[test]
    fn a_domain_names_its_host_devices_by_their_place_on_the_host() {
        let files = MemoryFiles::new()
            .file("etc/libvirt/qemu/win11.xml", XML)
            .symlink(
                "etc/libvirt/qemu/autostart/win11.xml",
                "/etc/libvirt/qemu/win11.xml",
            );
        let domains = read(&Reader::new(&files, String::new()));
        let [domain] = domains.as_slice() else {
            panic!("one domain");
        };
        assert!(domain.autostart);
        let device = &domain.host_devices[0];
        assert_eq!(device.address.to_string(), "0000:0a:00.1");
        assert!(device.managed && device.rom_bar_off);
        assert_eq!(device.line, 4);
        assert_eq!(domain.host_devices.len(), 1);
    }

    #[test]
    fn xml_that_grows_by_entities_is_refused() {
        let bomb = "<!DOCTYPE d [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]><domain><name>&b;</name></domain>";
        assert!(Domain::parse("a.xml", bomb).is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_a_domain_or_an_error(text in "(?s).{0,200}", at in 0_usize..400) {
            let _ = Domain::parse("a.xml", &text);
            let mut changed = XML.to_owned();
            let at = changed.floor_char_boundary(at);
            changed.insert_str(at, &text);
            let _ = Domain::parse("a.xml", &changed);
        }
    }
}
