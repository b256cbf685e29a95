use isolation::Override;

/// What is asked of an assessment beside the machine itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Judge under this `pcie_acs_override` instead of by the kernel's own groups.
    pub acs_override: Override,
}
