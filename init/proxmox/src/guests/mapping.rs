use std::collections::BTreeMap;

use pci::FunctionId;
use serde::{Deserialize, Serialize};

use super::section::parse_sections;
use super::vm::HostSelector;

/// A resource mapping of `mapping/pci.cfg`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PciMapping {
    /// Its name, as guests write it.
    pub id: String,
    /// The devices that stand for it, each on one node.
    pub devices: Vec<MappedDevice>,
}

/// One `map` line. A guest does not start when the device at `path` has other ids or another group
/// (pve-guest-common, PVE/Mapping/PCI.pm, assert_valid).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MappedDevice {
    /// The node it is on.
    pub node: String,
    /// Where it is.
    pub paths: Vec<HostSelector>,
    /// What it must be.
    pub id: Option<FunctionId>,
    /// And its subsystem.
    pub subsystem: Option<FunctionId>,
    /// And its IOMMU group.
    pub group: Option<u32>,
}

/// Every mapping of a `pci.cfg`.
pub fn parse_pci_mappings(text: &str) -> Vec<PciMapping> {
    let sections = parse_sections(text).into_iter();
    let mappings = sections.map(|section| PciMapping {
        devices: section.values("map").map(device).collect(),
        id: section.id,
    });
    mappings.collect()
}

fn device(text: &str) -> MappedDevice {
    let fields: BTreeMap<&str, &str> = text
        .split(',')
        .filter_map(|field| field.trim().split_once('='))
        .collect();
    let id = |name: &str| {
        let (vendor, device) = fields.get(name)?.split_once(':')?;
        let strip = |id: &str| id.trim_start_matches("0x").to_owned();
        Some(FunctionId {
            vendor: strip(vendor).parse().ok()?,
            device: strip(device).parse().ok()?,
        })
    };
    let paths = fields.get("path").copied().unwrap_or_default().split(';');
    MappedDevice {
        node: fields.get("node").copied().unwrap_or_default().to_owned(),
        paths: paths.filter_map(HostSelector::parse).collect(),
        id: id("id"),
        subsystem: id("subsystem-id"),
        group: fields
            .get("iommugroup")
            .and_then(|group| group.parse().ok()),
    }
}
