use std::path::{Path, PathBuf};

use super::Look;
use super::mapped::{Mapped, mapped};
use crate::lvm::{Access, LogicalVolume, Lvm, VolumeGroup};
use crate::model::{Trouble, Volume, VolumeId};
use crate::signature::content;

/// A machine with more logical volumes that could hold a system is not one that is looked at.
const MOST_ACTIVE: usize = 64;

impl Look {
    /// Reads all volume groups and activates the volumes that can hold a system. Whether a volume came up.
    pub(super) fn activate_groups(&mut self) -> bool {
        let members: Vec<PathBuf> = self
            .holding("LVM2_member")
            .into_iter()
            .map(|(_, node)| node.to_owned())
            .collect();
        // The same members say the same again, and asking takes a while.
        if members == self.asked_for_groups {
            return false;
        }
        self.asked_for_groups.clone_from(&members);
        let Some(lvm) = self.tools.lvm.clone() else {
            self.trouble(Trouble::NoProgram {
                program: "lvm".to_owned(),
                what: "every LVM volume group".to_owned(),
            });
            return false;
        };
        let members: Vec<&Path> = members.iter().map(PathBuf::as_path).collect();
        let groups = match lvm.groups(&members) {
            Ok((groups, left_out)) => {
                self.trouble_all(left_out);
                self.with_own_names(groups)
            }
            Err(why) => {
                let what = "LVM".to_owned();
                self.trouble(Trouble::NotAssembled { what, why });
                return false;
            }
        };
        let before = self.nodes.len();
        self.storage.volume_groups.clone_from(&groups);
        let others: Vec<Mapped> = mapped(&self.options.sys, &self.writable)
            .into_iter()
            .filter(|device| !device.is_ours)
            .collect();
        for group in &groups {
            self.activate_group(&lvm, group, &others);
        }
        self.nodes.len() > before
    }

    /// The groups by the names that their owner gave them, also where this look has given them another.
    fn with_own_names(&self, mut groups: Vec<VolumeGroup>) -> Vec<VolumeGroup> {
        for group in &mut groups {
            let mut known = self.storage.volume_groups.iter();
            if let Some(known) = known.find(|known| known.uuid == group.uuid) {
                group.name.clone_from(&known.name);
            }
        }
        groups
    }

    /// `others` are the mapped devices that are none of this look.
    fn activate_group(&mut self, lvm: &Lvm, group: &VolumeGroup, others: &[Mapped]) {
        let what = format!("volume group {} ({})", group.name, group.uuid);
        if group.missing > 0 {
            self.trouble(Trouble::Incomplete {
                what: what.clone(),
                missing: group.missing,
            });
            if self.wanted().is_some() {
                return;
            }
        }
        // LVM knows its volumes by UUID: it would take those for the ones of this group, and change them.
        if let Some(other) = others.iter().find(|other| other.is_of_group(&group.uuid)) {
            let why = format!(
                "this machine uses a group of the same UUID ({} is active); it is that one or a copy of it. Boot \
                 the stick to read it",
                other.name
            );
            self.trouble(Trouble::NotAssembled { what, why });
            return;
        }
        let devices = self.devices_of(group);
        let devices: Vec<&Path> = devices.iter().map(PathBuf::as_path).collect();
        let name = match self.group_name(lvm, group, others, &devices) {
            Ok(name) => name,
            Err(why) => {
                self.trouble(Trouble::NotAssembled { what, why });
                return;
            }
        };
        let id_of = |volume: &LogicalVolume| VolumeId::LogicalVolume {
            group: group.uuid.clone(),
            volume: volume.uuid.clone(),
        };
        // One call for all that need nothing of their own; what it has not brought up is tried by itself.
        let plain = group.logical_volumes.iter().filter(|volume| {
            !volume.is_guest_disk()
                && volume.access() == Access::Plain
                && is_name(&volume.name)
                && self.wants(&id_of(volume))
        });
        let plain: Vec<&str> = plain
            .map(|volume| volume.name.as_str())
            .take(MOST_ACTIVE)
            .collect();
        if plain.len() > 1 {
            let _ = lvm.activate(group, &name, &plain, false, &devices);
        }
        for volume in &group.logical_volumes {
            let id = id_of(volume);
            if self.nodes.contains_key(&id) || !self.wants(&id) {
                continue;
            }
            if let Err(trouble) = self.activate(lvm, group, &name, volume, &id, &devices) {
                self.trouble(trouble);
            }
        }
    }

    fn activate(
        &mut self,
        lvm: &Lvm,
        group: &VolumeGroup,
        name: &str,
        volume: &LogicalVolume,
        id: &VolumeId,
        devices: &[&Path],
    ) -> Result<(), Trouble> {
        let full_name = format!("{}/{}", group.name, volume.name);
        let alone = |why: &str| Trouble::LeftAlone {
            volume: id.clone(),
            name: full_name.clone(),
            why: why.to_owned(),
        };
        let active = self
            .nodes
            .keys()
            .filter(|id| matches!(id, VolumeId::LogicalVolume { .. }));
        if volume.is_guest_disk() {
            return Err(alone("by its name it is the disk of a guest"));
        }
        if active.count() >= MOST_ACTIVE {
            return Err(alone("so many logical volumes are open already"));
        }
        let read_only = match volume.access() {
            Access::Never(why) => return Err(alone(why)),
            // To write, a mirror is brought up as its own host does.
            Access::ReadOnly => self.wanted().is_none(),
            Access::Plain => false,
        };
        let failed = |why| Trouble::NotAssembled {
            what: format!("logical volume {full_name}"),
            why,
        };
        if !is_name(&volume.name) {
            return Err(failed("its name is none that LVM gives".to_owned()));
        }
        for layout in volume.layout.split(',') {
            self.need(layout);
        }
        let found = || {
            let found = mapped(&self.options.sys, &self.writable)
                .into_iter()
                .find(|device| device.is_ours && device.is_volume(&group.uuid, &volume.uuid));
            found.map(|device| device.node())
        };
        if found().is_none() {
            lvm.activate(group, name, &[&volume.name], read_only, devices)
                .map_err(failed)?;
        }
        let node =
            found().ok_or_else(|| failed("the kernel has no device of its UUID".to_owned()))?;
        if read_only {
            self.cover(id.clone(), &node, volume.size, None);
        } else {
            self.nodes.insert(id.clone(), node.clone());
            self.storage.volumes.push(Volume {
                id: id.clone(),
                size: volume.size,
                partition_type: None,
                partition_name: None,
                content: content(&node),
            });
        }
        Ok(())
    }

    /// Nodes of the physical volumes of a group.
    fn devices_of(&self, group: &VolumeGroup) -> Vec<PathBuf> {
        let is_member = |volume: &Volume| {
            let uuid = volume
                .content
                .signature()
                .and_then(|known| known.uuid.as_ref());
            uuid.is_some_and(|uuid| group.physical_volumes.contains(uuid))
        };
        self.holding("LVM2_member")
            .into_iter()
            .filter(|(volume, _)| is_member(volume))
            .map(|(_, node)| node.to_owned())
            .collect()
    }

    /// The name of a group in this look: its own, but for the second of two groups of one name, of which the
    /// first may be one that the running system uses.
    fn group_name(
        &mut self,
        lvm: &Lvm,
        group: &VolumeGroup,
        others: &[Mapped],
        devices: &[&Path],
    ) -> Result<String, String> {
        if group.exported {
            return Err("it was exported with vgexport; vgimport takes it back".to_owned());
        }
        if let Some(name) = self.group_names.get(&group.uuid) {
            return Ok(name.clone());
        }
        if !is_name(&group.name) {
            return Err("its name is none that LVM gives".to_owned());
        }
        let mut name = group.name.clone();
        if self.group_names.values().any(|taken| *taken == name)
            || others.iter().any(|other| other.is_named_like(&name))
        {
            name = format!(
                "{}-{}",
                group.name,
                group.uuid.split('-').next().unwrap_or("2")
            );
            if self.wanted().is_some() {
                return Err(format!(
                    "another group here is named {} too; unplug its disks",
                    group.name
                ));
            }
            lvm.rename(group, &name, devices)?;
        }
        self.group_names.insert(group.uuid.clone(), name.clone());
        Ok(name)
    }
}

/// Names that LVM takes (lvm(8), VALID NAMES).
fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() < 128
        && !name.starts_with('-')
        && !matches!(name, "." | "..")
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+_.-".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_could_be_taken_for_something_else_is_refused() {
        assert!(is_name("pve") && is_name("pve-OLD-1a2b3c4d"));
        for name in ["", "-f", "..", "a/b", "a\"]}", "a b", "ä"] {
            assert!(!is_name(name), "{name}");
        }
    }
}
