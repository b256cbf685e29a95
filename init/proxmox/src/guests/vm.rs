use std::collections::BTreeMap;
use std::fmt;

use pci::Address;
use serde::{Deserialize, Serialize};

/// A virtual machine or a container, from the main part of its file: snapshots and pending changes do not count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guest {
    /// The node it is on.
    pub node: String,
    /// Its number (VMID).
    pub number: u32,
    /// What it is.
    pub kind: GuestKind,
    /// Its name.
    pub name: Option<String>,
    /// Whether it starts with the host.
    pub onboot: bool,
    /// Whether the HA manager starts it.
    pub ha: bool,
    /// Its place in the order of starting.
    pub order: Option<u32>,
    /// A template never runs.
    pub template: bool,
    /// `q35`, `pc`; none is the default, i440fx.
    pub machine: Option<String>,
    /// `ovmf` or `seabios`; none is the default, seabios.
    pub bios: Option<String>,
    /// `vga`, as it is written.
    pub vga: Option<String>,
    /// Host devices that it is given.
    pub hostpci: Vec<HostPci>,
    /// Sections behind the main part: snapshots, PENDING.
    pub sections: Vec<String>,
}

/// Virtual machine or container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GuestKind {
    /// A virtual machine.
    Qemu,
    /// A container.
    Container,
}

impl GuestKind {
    /// As ha/resources.cfg names it.
    pub(super) fn ha(self) -> &'static str {
        match self {
            Self::Qemu => "vm",
            Self::Container => "ct",
        }
    }
}

/// One `hostpciN` (qemu-server, PVE/QemuServer/PCI.pm).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostPci {
    /// N, 0 to 15.
    pub index: u8,
    /// The devices, by place.
    pub hosts: Vec<HostSelector>,
    /// Or the mapping that names them.
    pub mapping: Option<String>,
    /// `pcie`, `x-vga`, `rombar`, `romfile` and the others, as they are written.
    pub options: BTreeMap<String, String>,
    /// What of it Proxmox would refuse.
    pub fault: Option<String>,
    /// The line in the guest's file, counted from 1.
    pub line: u32,
}

/// A function, or all functions of a device when none is named. Written `0000:01:00.0`, `0000:01:00`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct HostSelector {
    /// The function, or function 0 of the device.
    pub address: Address,
    /// Whether every function of the device is meant.
    pub whole: bool,
}

impl HostSelector {
    /// Reads `[dddd:]bb:dd[.f]`.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let whole = !text.contains('.');
        let address = if whole {
            format!("{text}.0").parse()
        } else {
            text.parse()
        };
        Some(Self {
            address: address.ok()?,
            whole,
        })
    }

    /// Whether it means that function.
    pub fn covers(&self, address: Address) -> bool {
        self.address == address || (self.whole && self.address.slot() == address.slot())
    }
}

impl fmt::Display for HostSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.whole {
            write!(f, "{}", self.address.slot())
        } else {
            write!(f, "{}", self.address)
        }
    }
}

impl From<HostSelector> for String {
    fn from(selector: HostSelector) -> Self {
        selector.to_string()
    }
}

impl TryFrom<String> for HostSelector {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text).ok_or_else(|| format!("'{text}' names no PCI device"))
    }
}

impl Guest {
    /// Reads a guest's file. Never fails: lines that are not understood are left alone, as Proxmox does.
    pub fn parse(node: &str, number: u32, kind: GuestKind, text: &str) -> Self {
        let mut values: BTreeMap<&str, &str> = BTreeMap::new();
        let mut hostpci = Vec::new();
        let mut sections = Vec::new();
        for (line, place) in text.lines().zip(1_u32..) {
            if let Some(name) = line.strip_prefix('[') {
                sections.push(name.split(']').next().unwrap_or(name).to_owned());
            }
            if !sections.is_empty() || line.starts_with('#') {
                continue;
            }
            let Some((key, value)) = line.split_once(':') else {
                continue;
            };
            let (key, value) = (key.trim(), value.trim());
            match key.strip_prefix("hostpci").map(str::parse) {
                Some(Ok(index)) if kind == GuestKind::Qemu => {
                    hostpci.push(HostPci::parse(index, value, place));
                }
                _ => {
                    values.insert(key, value);
                }
            }
        }
        hostpci.sort_by_key(|device| device.index);
        let text = |key: &str| values.get(key).map(|value| (*value).to_owned());
        let set = |key: &str| values.get(key).is_some_and(|value| *value == "1");
        Self {
            node: node.to_owned(),
            number,
            kind,
            name: text(match kind {
                GuestKind::Qemu => "name",
                GuestKind::Container => "hostname",
            }),
            onboot: set("onboot"),
            ha: false,
            order: values.get("startup").and_then(|startup| {
                let mut parts = startup.split(',');
                parts.find_map(|part| part.strip_prefix("order=").unwrap_or(part).parse().ok())
            }),
            template: set("template"),
            machine: text("machine"),
            bios: text("bios"),
            vga: text("vga"),
            hostpci,
            sections,
        }
    }

    /// Whether it starts by itself: with the host, or by HA.
    pub fn starts_itself(&self) -> bool {
        (self.onboot || self.ha) && !self.template
    }

    /// Its file below /etc/pve.
    pub fn file(&self) -> String {
        let folder = match self.kind {
            GuestKind::Qemu => "qemu-server",
            GuestKind::Container => "lxc",
        };
        format!("/etc/pve/nodes/{}/{folder}/{}.conf", self.node, self.number)
    }
}

impl HostPci {
    fn parse(index: u8, value: &str, line: u32) -> Self {
        let mut device = Self {
            index,
            hosts: Vec::new(),
            mapping: None,
            options: BTreeMap::new(),
            fault: None,
            line,
        };
        let mut fault = (index > 15).then(|| "only hostpci0 to hostpci15 are devices".to_owned());
        for field in value.split(',') {
            // `host` is the default key.
            match field.split_once('=').unwrap_or(("host", field)) {
                ("host", hosts) => {
                    for host in hosts.split(';') {
                        match HostSelector::parse(host) {
                            Some(selector) => device.hosts.push(selector),
                            None => fault = Some(format!("'{host}' names no PCI device")),
                        }
                    }
                }
                ("mapping", name) => device.mapping = Some(name.to_owned()),
                (key, value) => {
                    device.options.insert(key.to_owned(), value.to_owned());
                }
            }
        }
        if device.hosts.is_empty() == device.mapping.is_none() && fault.is_none() {
            fault = Some("it must name either a host device or a mapping".to_owned());
        }
        device.fault = fault;
        device
    }

    /// An option that is switched on.
    pub fn is_on(&self, option: &str) -> bool {
        self.options
            .get(option)
            .is_some_and(|value| matches!(value.as_str(), "1" | "on" | "yes" | "true"))
    }
}
