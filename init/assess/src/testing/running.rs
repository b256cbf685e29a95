use hardware::{Mount, Reading};
use pci::{ConfigSpace, FunctionId};

use super::Builder;
use crate::context::Context;
use crate::rules::Rule;
use crate::{Finding, Naming};

/// Gives every function the same name.
struct OneName(&'static str);

impl Naming for OneName {
    fn function(&self, _: FunctionId) -> Option<String> {
        Some(self.0.to_owned())
    }
}

impl Builder {
    /// A file system of the running system, on these disks.
    pub fn mount(mut self, point: &str, disks: Reading<Vec<String>>) -> Self {
        if let Reading::Known(mounts) = &mut self.machine.mounts {
            mounts.push(Mount {
                point: point.to_owned(),
                source: "/dev/example".to_owned(),
                disks,
            });
        }
        self
    }

    /// The interface that the default route leaves through.
    pub fn default_route(mut self, name: &str) -> Self {
        self.machine.default_routes = Reading::Known(vec![name.to_owned()]);
        self
    }

    /// The findings of a rule where every function has this name.
    pub fn findings_with_names(&self, rule: &Rule, name: &'static str) -> Vec<Finding> {
        let names = OneName(name);
        let options = crate::Options::default();
        let ctx = Context::new(&self.machine, self.roms.as_deref(), &names, &options);
        (rule.judge)(&ctx)
    }
}

/// Whole configuration space of a PCI Express function of this type, with these 32-bit registers set.
pub(crate) fn express_with(kind: u8, writes: &[(usize, u32)]) -> ConfigSpace {
    let mut bytes = super::express(kind).bytes().to_vec();
    bytes.resize(4096, 0);
    for (offset, value) in writes {
        bytes[*offset..offset + 4].copy_from_slice(&value.to_le_bytes());
    }
    ConfigSpace::new(bytes)
}

/// A VFCT table with one image of zeros for this id, at 01:00.0.
pub(crate) fn vfct_table(id: FunctionId, length: u32) -> Vec<u8> {
    let mut bytes = vec![0; 76];
    bytes[..4].copy_from_slice(b"VFCT");
    bytes[52] = 76;
    for word in [1, 0, 0] {
        bytes.extend(u32::to_le_bytes(word));
    }
    for half in [id.vendor.0, id.device.0, 0, 0] {
        bytes.extend(half.to_le_bytes());
    }
    bytes.extend(0_u32.to_le_bytes());
    bytes.extend(length.to_le_bytes());
    bytes.resize(bytes.len() + length as usize, 0);
    let whole = u32::try_from(bytes.len()).unwrap();
    bytes[4..8].copy_from_slice(&whole.to_le_bytes());
    bytes
}
