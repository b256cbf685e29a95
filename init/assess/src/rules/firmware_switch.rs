use hardware::Machine;

/// Names of a firmware setup's switches, which depend on whose processor it is.
pub(crate) struct FirmwareSwitches {
    /// The one for the IOMMU.
    pub iommu: &'static str,
    /// The one for the processor's virtualisation.
    pub virtualization: &'static str,
    /// All others that people need for passing cards through, for whoever is in the setup anyway.
    pub others: &'static str,
}

const INTEL: FirmwareSwitches = FirmwareSwitches {
    iommu: "'Intel VT-d' (also 'VT for Directed I/O')",
    virtualization: "'Intel Virtualization Technology' (VT-x)",
    others: "VT-d on, the primary display on the card that stays with the host, CSM off, 'Above 4G \
             decoding' and 'Resizable BAR' on",
};
const AMD: FirmwareSwitches = FirmwareSwitches {
    iommu: "'IOMMU' (also 'AMD-Vi'; on many boards under AMD CBS, NBIO), set to Enabled rather than \
            Auto",
    virtualization: "'SVM Mode'",
    others: "IOMMU and 'ACS Enable' on (under AMD CBS, NBIO), the primary display on the card that stays \
             with the host, CSM off, 'Above 4G decoding' and 'Resizable BAR' on",
};
const ANY: FirmwareSwitches = FirmwareSwitches {
    iommu: "the IOMMU ('VT-d' on Intel, 'IOMMU' or 'AMD-Vi' on AMD)",
    virtualization: "virtualisation ('VT-x' on Intel, 'SVM Mode' on AMD)",
    others: "the IOMMU on, the primary display on the card that stays with the host, CSM off, 'Above 4G \
             decoding' and 'Resizable BAR' on",
};

pub(crate) fn switches(machine: &Machine) -> FirmwareSwitches {
    match machine.cpu.vendor.known().map(String::as_str) {
        Some("GenuineIntel") => INTEL,
        Some("AuthenticAMD" | "HygonGenuine") => AMD,
        _ => ANY,
    }
}

/// Whether a hypervisor is known to run below: then its settings are meant, not a firmware's.
pub(crate) fn is_guest(machine: &Machine) -> bool {
    machine.cpu.hypervisor.known() == Some(&true)
}
