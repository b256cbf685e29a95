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
