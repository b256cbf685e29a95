use std::collections::{BTreeMap, BTreeSet};

use pci::VendorId;

use super::{Names, heading, named};
use crate::Function;

impl Names {
    /// The lines of the list that have to do with these functions, as a list of the same form: their
    /// vendors, devices and subsystems, and all classes.
    pub fn subset(&self, functions: &[Function]) -> String {
        let mut wanted: BTreeMap<VendorId, BTreeSet<String>> = BTreeMap::new();
        for function in functions {
            let devices = wanted.entry(function.id.vendor).or_default();
            devices.insert(function.id.device.to_string());
            if let Some(subsystem) = function.subsystem.known() {
                wanted.entry(subsystem.vendor).or_default();
            }
        }
        let mut text = String::new();
        for (vendor, devices) in wanted {
            let Some(block) = self.vendor_block(vendor) else {
                continue;
            };
            let Some(name) = heading(block) else { continue };
            text.push_str(&format!("{vendor}  {name}\n"));
            let mut inside = false;
            for line in block.lines().skip(1) {
                if let Some(device) = line
                    .strip_prefix('\t')
                    .filter(|line| !line.starts_with('\t'))
                {
                    inside = devices.iter().any(|id| named(device, id).is_some());
                }
                if inside && line.starts_with('\t') {
                    text.push_str(line);
                    text.push('\n');
                }
            }
        }
        for range in self.classes.values() {
            let block = self.text.get(range.clone()).unwrap_or_default();
            // The last block runs on to the end of the file, whatever follows there.
            let lines = block.lines().take(1).chain(entries_with_tabs(block));
            for line in lines {
                text.push_str(line);
                text.push('\n');
            }
        }
        text
    }
}

fn entries_with_tabs(block: &str) -> impl Iterator<Item = &str> {
    block.lines().skip(1).filter(|line| line.starts_with('\t'))
}

#[cfg(test)]
mod tests {
    use pci::{ClassCode, FunctionId};

    use super::*;
    use crate::Reading;

    #[test]
    fn a_subset_names_the_same_functions_and_no_others() {
        let all = Names::from_text(
            "1002  First\n\t1111  One\n\t\t1043 0001  One on a card\n\t2222  Two\n1043  Maker\n\
             10de  Second\n\t1111  Other\nC 03  Display controller\n\t00  VGA compatible controller\n"
                .to_owned(),
        );
        let mut function = Function::unknown("01:00.0".parse().unwrap(), "");
        function.id = FunctionId::new(0x1002, 0x1111);
        function.subsystem = Reading::Known(FunctionId::new(0x1043, 1));
        let text = all.subset(&[function.clone()]);
        let subset = Names::from_text(text.clone());
        let subsystem = *function.subsystem.known().unwrap();
        for names in [&all, &subset] {
            assert_eq!(names.device(function.id), Some("One"));
            assert_eq!(
                names.subsystem(function.id, subsystem),
                Some("One on a card")
            );
            assert_eq!(names.vendor(VendorId(0x1043)), Some("Maker"));
            assert_eq!(
                names.class(ClassCode(0x03_00_00)),
                Some("VGA compatible controller")
            );
        }
        assert_eq!(subset.vendor(VendorId(0x10de)), None);
        assert!(!text.contains("Two"));
    }
}
