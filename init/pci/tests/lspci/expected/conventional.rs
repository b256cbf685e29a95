use pci::{AdvancedFeatures, Decoded, Msi, MsiX, PowerManagement, VendorSpecific};

use super::Expected;

pub fn power(power: PowerManagement) -> Vec<Expected> {
    let (capabilities, control) = (power.capabilities, power.control);
    let sign = |set| if set { '+' } else { '-' };
    vec![
        Expected::numbered("Power", "Power Management".to_owned())
            .field(format!("version {}", capabilities.version())),
        Expected::line("Flags:")
            .flags([
                ("PMEClk", capabilities.pme_clock()),
                ("DSI", capabilities.device_specific_initialization()),
                ("D1", capabilities.d1()),
                ("D2", capabilities.d2()),
            ])
            .field(format!(
                "AuxCurrent={}mA",
                capabilities.auxiliary_current_ma()
            ))
            .field(format!(
                "PME D0{} D1{} D2{} D3hot{} D3cold{}",
                sign(capabilities.pme_d0()),
                sign(capabilities.pme_d1()),
                sign(capabilities.pme_d2()),
                sign(capabilities.pme_d3_hot()),
                sign(capabilities.pme_d3_cold()),
            )),
        Expected::line("Status:")
            .field(format!("D{}", control.state() as u8))
            .flags([
                ("NoSoftRst", control.no_soft_reset()),
                ("PME-Enable", control.pme_enabled()),
                ("PME", control.pme_status()),
            ])
            .field(format!("DSel={}", control.data_select()))
            .field(format!("DScale={}", control.data_scale())),
    ]
}

pub fn msi(msi: Msi) -> Vec<Expected> {
    let control = msi.control;
    let width = if control.address_64_bit() { 16 } else { 8 };
    let mut lines = vec![
        Expected::line("MSI:")
            .flags([
                ("Enable", control.enabled()),
                ("Maskable", control.per_vector_masking()),
                ("64bit", control.address_64_bit()),
            ])
            .field(format!(
                "Count={}/{}",
                control.vectors_enabled(),
                control.vectors()
            )),
        Expected::line("Address:")
            .field(format!("{:0width$x}", msi.address))
            .field(format!("Data: {:04x}", msi.data)),
    ];
    if let (Some(mask), Some(pending)) = (msi.mask, msi.pending) {
        lines.push(
            Expected::line("Masking:")
                .field(format!("Masking: {mask:08x}"))
                .field(format!("Pending: {pending:08x}")),
        );
    }
    lines
}

pub fn msix(msix: MsiX) -> Vec<Expected> {
    let place = |line: Expected, location: pci::TableLocation| {
        line.field(format!("BAR={}", location.bar()))
            .field(format!("offset={:08x}", location.offset()))
    };
    vec![
        Expected::line("MSI-X:")
            .flags([
                ("Enable", msix.control.enabled()),
                ("Masked", msix.control.masked()),
            ])
            .field(format!("Count={}", msix.control.vectors())),
        place(Expected::line("Vector table:"), msix.table),
        place(Expected::line("PBA:"), msix.pending),
    ]
}

/// lspci prints virtio's own contents in place of the length.
pub fn vendor(decoded: &Decoded, vendor: VendorSpecific) -> Vec<Expected> {
    if decoded.header.id.is_some_and(|id| id.vendor.0 == 0x1af4) {
        return vec![];
    }
    vec![Expected::line("Vendor Specific Information:").field(format!("Len={:02x}", vendor.length))]
}

pub fn advanced_features(features: AdvancedFeatures) -> Vec<Expected> {
    vec![
        Expected::line("AFCap:").flags([
            ("TP", features.transactions_pending_supported),
            ("FLR", features.function_level_reset),
        ]),
        Expected::line("AFCtrl:").flags([("FLR", features.initiate_reset)]),
        Expected::line("AFStatus:").flags([("TP", features.transactions_pending)]),
    ]
}
