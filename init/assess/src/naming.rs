use hardware::Names;
use pci::FunctionId;

/// Gives ids the names that people know.
pub trait Naming {
    /// Vendor and device name; none when the list does not have the vendor.
    fn function(&self, id: FunctionId) -> Option<String>;
}

/// No list of names at hand: functions keep their numbers.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoNames;

impl Naming for NoNames {
    fn function(&self, _: FunctionId) -> Option<String> {
        None
    }
}

impl Naming for Names {
    fn function(&self, id: FunctionId) -> Option<String> {
        let vendor = self.vendor(id.vendor)?;
        let name = match self.device(id) {
            Some(device) => format!("{vendor} {device}"),
            None => vendor.to_owned(),
        };
        Some(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_that_the_list_does_not_have_goes_by_its_vendor() {
        let list = "1002  AMD\n\t5046  Rage 128 PRO\n8086  Intel\n";
        let names = Names::from_text(list.to_owned());
        let name = |vendor, device| names.function(FunctionId::new(vendor, device));
        assert_eq!(name(0x1002, 0x5046).unwrap(), "AMD Rage 128 PRO");
        assert_eq!(name(0x8086, 0x5046).unwrap(), "Intel");
        assert_eq!(name(0x10de, 0x5046), None);
    }
}
