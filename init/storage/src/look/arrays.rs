use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::Look;
use crate::model::{Array, Trouble, VolumeId};
use crate::raid::{self, Start};

impl Look {
    /// Assembles every MD array that was not tried yet, for reading alone unless it is wanted for writing, and covers
    /// it. Whether there was one.
    pub(super) fn assemble_arrays(&mut self) -> bool {
        let mut found: BTreeMap<String, (Array, Vec<PathBuf>)> = BTreeMap::new();
        for (volume, node) in self.holding("linux_raid_member") {
            let Some(signature) = volume.content.signature() else {
                continue;
            };
            let Some(uuid) = &signature.uuid else {
                continue;
            };
            let (array, nodes) = found.entry(uuid.clone()).or_insert_with(|| {
                let array = Array {
                    uuid: uuid.clone(),
                    name: signature.label.clone(),
                    members: Vec::new(),
                    assembled: false,
                    missing: 0,
                };
                (array, Vec::new())
            });
            array.members.push(volume.id.clone());
            nodes.push(node.to_owned());
        }
        found.retain(|uuid, _| !self.storage.arrays.iter().any(|array| array.uuid == *uuid));
        let any = !found.is_empty();
        if any {
            self.need("linux_raid_member");
        }
        for (mut array, nodes) in found.into_values() {
            match self.assemble(&array, &nodes) {
                Ok(missing) => (array.assembled, array.missing) = (true, missing),
                Err(trouble) => self.trouble(trouble),
            }
            if array.missing > 0 {
                let (what, missing) = (
                    VolumeId::Array {
                        uuid: array.uuid.clone(),
                    }
                    .to_string(),
                    array.missing,
                );
                self.trouble(Trouble::Incomplete { what, missing });
            }
            self.storage.arrays.push(array);
        }
        any
    }

    /// How many members it lacks.
    fn assemble(&mut self, array: &Array, nodes: &[PathBuf]) -> Result<u64, Trouble> {
        let what = format!("MD array {}", array.uuid);
        let Some(mdadm) = &self.tools.mdadm else {
            return Err(Trouble::NoProgram {
                program: "mdadm".to_owned(),
                what,
            });
        };
        let nodes: Vec<&Path> = nodes.iter().map(PathBuf::as_path).collect();
        let start = match self.wanted() {
            Some(_) => Start::WholeToWrite,
            None => Start::ToRead,
        };
        let node = mdadm
            .assemble(&self.options.sys, &array.uuid, &nodes, start)
            .map_err(|why| Trouble::NotAssembled { what, why })?;
        let missing = raid::missing(&self.options.sys, &node);
        let uuid = array.uuid.clone();
        let partitions = raid::partitions(&self.options.sys, &node);
        if partitions.is_empty() {
            let size = self.size(&node);
            self.cover(VolumeId::Array { uuid }, &node, size, None);
            return Ok(missing);
        }
        for (number, node) in partitions {
            let id = VolumeId::ArrayPartition {
                uuid: uuid.clone(),
                number,
            };
            let size = self.size(&node);
            self.cover(id, &node, size, None);
        }
        Ok(missing)
    }

    /// Bytes of a block device.
    pub(super) fn size(&self, node: &Path) -> u64 {
        let Some(name) = node.file_name() else {
            return 0;
        };
        let path = self.options.sys.join("class/block").join(name).join("size");
        let text = std::fs::read_to_string(path).unwrap_or_default();
        text.trim().parse::<u64>().unwrap_or(0).saturating_mul(512)
    }
}
