use std::path::Path;

use super::{Look, Purpose};
use crate::held::hold_read_only;
use crate::model::{DiskId, FileSystemId, Trouble, Volume, VolumeId, Wanted};
use crate::opened::lift;
use crate::signature::content;

impl Look {
    /// What is to be written to, when that is the purpose.
    pub(super) fn wanted(&self) -> Option<&Wanted> {
        match &self.options.purpose {
            Purpose::Write(wanted) => Some(wanted),
            Purpose::Read | Purpose::Plan | Purpose::Rehearse => None,
        }
    }

    /// Wanted file systems that could not be brought up: to be asked before the first of them is opened, so that
    /// nothing is written when not all can be.
    pub fn not_there(&self) -> Vec<&FileSystemId> {
        let wanted = self.wanted().into_iter();
        let ids = wanted.flat_map(Wanted::file_systems);
        let is_whole = |id: &&FileSystemId| {
            let system = self.storage.file_system(id);
            system.is_some_and(|system| system.missing == 0)
        };
        ids.filter(|id| !is_whole(id)).collect()
    }

    /// Whether it is to be brought up: to read, everything is, to write, what is wanted.
    pub(super) fn wants(&self, volume: &VolumeId) -> bool {
        self.wanted().is_none_or(|wanted| wanted.has(volume))
    }

    /// Lifts the flag of a whole disk that has a wanted partition: it covers its partitions too.
    pub(super) fn lift_disk(&mut self, id: &DiskId, node: &Path) {
        let has_wanted = self
            .wanted()
            .is_some_and(|wanted| wanted.leaves().any(|leaf| leaf.disk() == Some(id)));
        if has_wanted && let Err(error) = lift(&self.options.folder, node, false) {
            self.trouble(Trouble::NotWritable {
                what: id.to_string(),
                why: error.to_string(),
            });
        }
    }

    /// The device itself as the place where this volume is written to, when it is wanted. Any other is kept from
    /// being written to by mistake, and is no volume of this look.
    pub(super) fn expose(
        &mut self,
        id: VolumeId,
        node: &Path,
        size: u64,
        partition_type: Option<String>,
    ) {
        let done = if !self.wants(&id) {
            hold_read_only(&self.options.folder, node)
        } else if id.disk().is_some() {
            lift(&self.options.folder, node, true)
        } else {
            // What is assembled of leaves has no flag of its own.
            Ok(())
        };
        if let Err(error) = done {
            self.trouble(Trouble::NotWritable {
                what: id.to_string(),
                why: error.to_string(),
            });
            return;
        }
        if !self.wants(&id) {
            return;
        }
        let kernel_name = node.file_name().and_then(|name| name.to_str());
        self.writable.extend(kernel_name.map(str::to_owned));
        self.nodes.insert(id.clone(), node.to_owned());
        self.storage.volumes.push(Volume {
            id,
            size,
            partition_type,
            partition_name: None,
            content: content(node),
        });
    }

    /// Leaves those file systems out that nobody wants to write to.
    pub(super) fn keep_wanted(&mut self) {
        if let Purpose::Write(wanted) = &self.options.purpose {
            let systems = &mut self.storage.file_systems;
            systems.retain(|system| wanted.file_systems().contains(&system.id));
        }
    }
}
