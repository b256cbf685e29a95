/// A capability id with the name that the PCI Code and ID Assignment specification gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CapabilityName {
    /// The id.
    pub id: u16,
    /// The name.
    pub name: &'static str,
    /// Bytes that the shortest capability of this id takes, its header included.
    pub(crate) shortest: u16,
}

macro_rules! ids {
    ($(#[$doc:meta])* $module:ident: $repr:ty; $($constant:ident = $id:literal, $shortest:literal, $name:literal;)*) => {
        $(#[$doc])*
        pub mod $module {
            use super::CapabilityName;

            $(#[doc = $name] pub const $constant: $repr = $id;)*

            /// Every id that is assigned, in ascending order.
            pub const ALL: &[CapabilityName] = &[
                $(CapabilityName { id: $id, name: $name, shortest: $shortest },)*
            ];

            /// The row of an id.
            pub(crate) fn row(id: $repr) -> Option<&'static CapabilityName> {
                let at = ALL.binary_search_by_key(&u16::from(id), |row| row.id).ok()?;
                ALL.get(at)
            }

            /// The name of an id; `None` for one that no specification assigns.
            pub fn name(id: $repr) -> Option<&'static str> {
                row(id).map(|row| row.name)
            }
        }
    };
}

ids! {
    /// Ids of the conventional list (PCI Code and ID Assignment specification, 2.).
    conventional: u8;
    NULL = 0x00, 4, "Null";
    POWER_MANAGEMENT = 0x01, 8, "Power Management";
    AGP = 0x02, 12, "Accelerated Graphics Port";
    VITAL_PRODUCT_DATA = 0x03, 8, "Vital Product Data";
    SLOT_IDENTIFICATION = 0x04, 4, "Slot Identification";
    MSI = 0x05, 10, "Message Signaled Interrupts";
    COMPACT_PCI_HOT_SWAP = 0x06, 4, "CompactPCI Hot Swap";
    PCI_X = 0x07, 8, "PCI-X";
    HYPER_TRANSPORT = 0x08, 4, "HyperTransport";
    VENDOR_SPECIFIC = 0x09, 3, "Vendor Specific";
    DEBUG_PORT = 0x0a, 4, "Debug Port";
    COMPACT_PCI_RESOURCE_CONTROL = 0x0b, 4, "CompactPCI Central Resource Control";
    HOT_PLUG = 0x0c, 4, "PCI Hot-Plug";
    BRIDGE_SUBSYSTEM = 0x0d, 8, "PCI Bridge Subsystem Vendor ID";
    AGP_8X = 0x0e, 4, "AGP 8x";
    SECURE_DEVICE = 0x0f, 4, "Secure Device";
    EXPRESS = 0x10, 12, "PCI Express";
    MSI_X = 0x11, 12, "MSI-X";
    SATA = 0x12, 8, "Serial ATA Data/Index Configuration";
    ADVANCED_FEATURES = 0x13, 6, "Advanced Features";
    ENHANCED_ALLOCATION = 0x14, 4, "Enhanced Allocation";
    FLATTENING_PORTAL_BRIDGE = 0x15, 36, "Flattening Portal Bridge";
}

ids! {
    /// Ids of the extended list (PCI Code and ID Assignment specification, 3.).
    extended: u16;
    NULL = 0x0000, 4, "Null";
    ADVANCED_ERROR_REPORTING = 0x0001, 44, "Advanced Error Reporting";
    VIRTUAL_CHANNEL = 0x0002, 28, "Virtual Channel";
    DEVICE_SERIAL_NUMBER = 0x0003, 12, "Device Serial Number";
    POWER_BUDGETING = 0x0004, 16, "Power Budgeting";
    ROOT_COMPLEX_LINK_DECLARATION = 0x0005, 16, "Root Complex Link Declaration";
    ROOT_COMPLEX_INTERNAL_LINK_CONTROL = 0x0006, 12, "Root Complex Internal Link Control";
    EVENT_COLLECTOR_ASSOCIATION = 0x0007, 8, "Root Complex Event Collector Endpoint Association";
    MULTI_FUNCTION_VIRTUAL_CHANNEL = 0x0008, 28, "Multi-Function Virtual Channel";
    VIRTUAL_CHANNEL_WITH_MFVC = 0x0009, 28, "Virtual Channel (with Multi-Function Virtual Channel)";
    ROOT_COMPLEX_REGISTER_BLOCK = 0x000a, 20, "Root Complex Register Block Header";
    VENDOR_SPECIFIC = 0x000b, 8, "Vendor-Specific";
    CONFIGURATION_ACCESS_CORRELATION = 0x000c, 8, "Configuration Access Correlation";
    ACCESS_CONTROL_SERVICES = 0x000d, 8, "Access Control Services";
    ALTERNATIVE_ROUTING_ID = 0x000e, 8, "Alternative Routing-ID Interpretation";
    ADDRESS_TRANSLATION_SERVICES = 0x000f, 8, "Address Translation Services";
    SINGLE_ROOT_IOV = 0x0010, 64, "Single Root I/O Virtualization";
    MULTI_ROOT_IOV = 0x0011, 4, "Multi-Root I/O Virtualization";
    MULTICAST = 0x0012, 40, "Multicast";
    PAGE_REQUEST = 0x0013, 16, "Page Request Interface";
    AMD_RESERVED = 0x0014, 4, "Reserved for AMD";
    RESIZABLE_BAR = 0x0015, 12, "Resizable BAR";
    DYNAMIC_POWER_ALLOCATION = 0x0016, 16, "Dynamic Power Allocation";
    TPH_REQUESTER = 0x0017, 12, "TPH Requester";
    LATENCY_TOLERANCE_REPORTING = 0x0018, 8, "Latency Tolerance Reporting";
    SECONDARY_PCI_EXPRESS = 0x0019, 12, "Secondary PCI Express";
    PROTOCOL_MULTIPLEXING = 0x001a, 16, "Protocol Multiplexing";
    PROCESS_ADDRESS_SPACE_ID = 0x001b, 8, "Process Address Space ID";
    LN_REQUESTER = 0x001c, 8, "LN Requester";
    DOWNSTREAM_PORT_CONTAINMENT = 0x001d, 12, "Downstream Port Containment";
    L1_PM_SUBSTATES = 0x001e, 16, "L1 PM Substates";
    PRECISION_TIME_MEASUREMENT = 0x001f, 12, "Precision Time Measurement";
    PCI_EXPRESS_OVER_M_PHY = 0x0020, 4, "PCI Express over M-PHY";
    FRS_QUEUEING = 0x0021, 16, "FRS Queueing";
    READINESS_TIME_REPORTING = 0x0022, 12, "Readiness Time Reporting";
    DESIGNATED_VENDOR_SPECIFIC = 0x0023, 10, "Designated Vendor-Specific";
    VF_RESIZABLE_BAR = 0x0024, 12, "VF Resizable BAR";
    DATA_LINK_FEATURE = 0x0025, 12, "Data Link Feature";
    PHYSICAL_LAYER_16 = 0x0026, 32, "Physical Layer 16.0 GT/s";
    LANE_MARGINING = 0x0027, 8, "Lane Margining at the Receiver";
    HIERARCHY_ID = 0x0028, 12, "Hierarchy ID";
    ENCLOSURE_MANAGEMENT = 0x0029, 16, "Native PCIe Enclosure Management";
    PHYSICAL_LAYER_32 = 0x002a, 32, "Physical Layer 32.0 GT/s";
    ALTERNATE_PROTOCOL = 0x002b, 12, "Alternate Protocol";
    SYSTEM_FIRMWARE_INTERMEDIARY = 0x002c, 16, "System Firmware Intermediary";
    SHADOW_FUNCTIONS = 0x002d, 12, "Shadow Functions";
    DATA_OBJECT_EXCHANGE = 0x002e, 24, "Data Object Exchange";
    DEVICE_3 = 0x002f, 16, "Device 3";
    INTEGRITY_AND_DATA_ENCRYPTION = 0x0030, 12, "Integrity and Data Encryption";
    PHYSICAL_LAYER_64 = 0x0031, 16, "Physical Layer 64.0 GT/s";
    FLIT_LOGGING = 0x0032, 4, "Flit Logging";
    FLIT_PERFORMANCE_MEASUREMENT = 0x0033, 4, "Flit Performance Measurement";
    FLIT_ERROR_INJECTION = 0x0034, 4, "Flit Error Injection";
    STREAMLINED_VIRTUAL_CHANNEL = 0x0035, 4, "Streamlined Virtual Channel";
    MMIO_REGISTER_BLOCK_LOCATOR = 0x0036, 4, "MMIO Register Block Locator";
    NOP_FLIT = 0x0037, 4, "NOP Flit";
    SCALABLE_IOV = 0x0038, 4, "Scalable I/O Virtualization";
    PHYSICAL_LAYER_128 = 0x0039, 4, "Physical Layer 128.0 GT/s";
    CAPTURED_DATA = 0x003a, 4, "Captured Data";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_are_in_order_so_that_every_row_is_found() {
        for row in conventional::ALL {
            let id = u8::try_from(row.id).unwrap();
            assert_eq!(conventional::row(id), Some(row));
        }
        for row in extended::ALL {
            assert_eq!(extended::row(row.id), Some(row));
        }
        assert_eq!(conventional::name(0x16), None);
        assert_eq!(
            extended::name(extended::ACCESS_CONTROL_SERVICES),
            Some("Access Control Services")
        );
    }
}
