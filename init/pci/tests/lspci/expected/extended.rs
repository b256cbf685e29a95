use pci::{
    Acs, AcsBits, AddressTranslation, Ari, BarKind, DownstreamContainment, L1Substates,
    LatencyTolerance, MemoryWidth, PageRequest, Pasid, PowerOnTime, ResizableBars, SerialNumber,
    SrIov, VendorSpecificExtended,
};

use super::Expected;

pub fn access_control(acs: Acs) -> Vec<Expected> {
    let line = |start, bits: AcsBits| {
        Expected::line(start).flags([
            ("SrcValid", bits.has(AcsBits::SV)),
            ("TransBlk", bits.has(AcsBits::TB)),
            ("ReqRedir", bits.has(AcsBits::RR)),
            ("CmpltRedir", bits.has(AcsBits::CR)),
            ("UpstreamFwd", bits.has(AcsBits::UF)),
            ("EgressCtrl", bits.has(AcsBits::EC)),
            ("DirectTrans", bits.has(AcsBits::DT)),
        ])
    };
    vec![
        line("ACSCap:", acs.capability),
        line("ACSCtl:", acs.control),
    ]
}

pub fn ari(ari: Ari) -> Vec<Expected> {
    vec![
        Expected::line("ARICap:")
            .flags([
                ("MFVC", ari.capability.mfvc_groups()),
                ("ACS", ari.capability.acs_groups()),
            ])
            .field(format!("Next Function: {}", ari.capability.next_function())),
        Expected::line("ARICtl:")
            .flags([
                ("MFVC", ari.control.mfvc_groups()),
                ("ACS", ari.control.acs_groups()),
            ])
            .field(format!("Function Group: {}", ari.control.function_group())),
    ]
}

pub fn ats(ats: AddressTranslation) -> Vec<Expected> {
    vec![
        Expected::line("ATSCap:").field(format!(
            "Invalidate Queue Depth: {:02x}",
            ats.capability.invalidate_queue_depth()
        )),
        Expected::line("ATSCtl:")
            .flags([("Enable", ats.control.enabled())])
            .field(format!(
                "Smallest Translation Unit: {:02x}",
                ats.control.smallest_unit()
            )),
    ]
}

pub fn pasid(pasid: Pasid) -> Vec<Expected> {
    vec![
        Expected::line("PASIDCap:")
            .flags([
                ("Exec", pasid.capability.execute()),
                ("Priv", pasid.capability.privileged()),
            ])
            .field(format!("Max PASID Width: {:02x}", pasid.capability.width())),
        Expected::line("PASIDCtl:").flags([
            ("Enable", pasid.control.enabled()),
            ("Exec", pasid.control.execute()),
            ("Priv", pasid.control.privileged()),
        ]),
    ]
}

pub fn page_request(requests: PageRequest) -> Vec<Expected> {
    vec![
        Expected::line("PRICtl:").flags([
            ("Enable", requests.control.enabled()),
            ("Reset", requests.control.reset()),
        ]),
        Expected::line("PRISta:").flags([
            ("RF", requests.status.response_failure()),
            ("UPRGI", requests.status.unexpected_group()),
            ("Stopped", requests.status.stopped()),
        ]),
        Expected::line("Page Request Capacity:")
            .field(format!("Capacity: {:08x}", requests.capacity))
            .field(format!("Allocation: {:08x}", requests.allocation)),
    ]
}

pub fn sriov(sriov: &SrIov) -> Vec<Expected> {
    let (capabilities, control) = (sriov.capabilities, sriov.control);
    let message = capabilities.interrupt_message();
    let mut lines = vec![
        Expected::line("IOVCap:")
            .flags([
                ("Migration", capabilities.migration()),
                ("10BitTagReq", capabilities.tag_10_bit_requester()),
            ])
            .either([
                format!("Interrupt Message Number: {message:03x}"),
                format!("IntMsgNum {message}"),
            ]),
        Expected::line("IOVCtl:").flags([
            ("Enable", control.enabled()),
            ("Migration", control.migration()),
            ("Interrupt", control.migration_interrupt()),
            ("MSE", control.memory_space()),
            ("ARIHierarchy", control.ari_hierarchy()),
            ("10BitTagReq", control.tag_10_bit_requester()),
        ]),
        Expected::line("IOVSta:").flags([("Migration", sriov.status & 1 != 0)]),
        Expected::line("Initial VFs:")
            .field(format!("Initial VFs: {}", sriov.initial_vfs))
            .field(format!("Total VFs: {}", sriov.total_vfs))
            .field(format!("Number of VFs: {}", sriov.num_vfs))
            .field(format!(
                "Function Dependency Link: {:02x}",
                sriov.dependency_link
            )),
        Expected::line("VF offset:")
            .field(format!("VF offset: {}", sriov.first_vf_offset))
            .field(format!("stride: {}", sriov.vf_stride))
            .field(format!("Device ID: {}", sriov.vf_device)),
        Expected::line("Supported Page Size:")
            .field(format!(
                "Supported Page Size: {:08x}",
                sriov.supported_page_sizes
            ))
            .field(format!("System Page Size: {:08x}", sriov.system_page_size)),
        Expected::line("VF Migration:")
            .field(format!("offset: {:08x}", sriov.migration_state & !7))
            .field(format!("BIR: {:x}", sriov.migration_state & 7)),
    ];
    for bar in &sriov.vf_bars {
        let BarKind::Memory {
            address,
            width,
            prefetchable,
        } = bar.kind
        else {
            panic!("no memory: {bar:?}");
        };
        let (digits, width) = match width {
            MemoryWidth::Bits64 => (16, "64-bit"),
            MemoryWidth::Bits32 | MemoryWidth::Below1M => (8, "32-bit"),
        };
        let reads = if prefetchable { "" } else { "non-" };
        lines.push(
            Expected::numbered("Region", format!("Region {}:", bar.index))
                .field(format!("Memory at {address:0digits$x}"))
                .field(format!("{width} {reads}prefetchable")),
        );
    }
    lines
}

fn size(shift: u8) -> String {
    let unit = ["MB", "GB", "TB", "PB", "EB"][usize::from(shift / 10)];
    format!("{}{unit}", 1 << (shift % 10))
}

pub fn resizable_bars(bars: &ResizableBars) -> Vec<Expected> {
    bars.bars
        .iter()
        .map(|bar| {
            let line = Expected::numbered("BAR", format!("BAR {}:", bar.index));
            let sizes: Vec<_> = bar.supported.iter().map(size).collect();
            line.field(format!("current size: {}", size(bar.current)))
                .when(!sizes.is_empty(), |line| {
                    line.field(format!("supported: {}", sizes.join(" ")))
                })
        })
        .collect()
}

pub fn latency(ltr: LatencyTolerance) -> Vec<Expected> {
    let line = |start, latency: pci::MaxLatency| {
        let time = latency.nanoseconds().expect("a scale that is permitted");
        Expected::line(start).field(format!("{time}ns"))
    };
    vec![
        line("Max snoop latency:", ltr.max_snoop),
        line("Max no snoop latency:", ltr.max_no_snoop),
    ]
}

pub fn containment(dpc: DownstreamContainment) -> Vec<Expected> {
    let (capability, control, status) = (dpc.capability, dpc.control, dpc.status);
    let message = capability.interrupt_message();
    vec![
        Expected::line("DpcCap:")
            .either([
                format!("INT Msg #{message}"),
                format!("IntMsgNum {message}"),
            ])
            .flags([
                ("RPExt", capability.root_port_extensions()),
                ("PoisonedTLP", capability.poisoned_blocking()),
                ("SwTrigger", capability.software_trigger()),
                ("DL_ActiveErr", capability.link_active_signalling()),
            ])
            .field(format!("RP PIO Log {}", capability.pio_log_size())),
        Expected::line("DpcCtl:")
            .field(format!("Trigger:{:x}", control.trigger()))
            .flags([
                ("Cmpl", control.unsupported_request_completion()),
                ("INT", control.interrupt()),
                ("ErrCor", control.correctable_message()),
                ("PoisonedTLP", control.poisoned_blocking()),
                ("SwTrigger", control.software_trigger()),
                ("DL_ActiveErr", control.link_active_message()),
            ]),
        Expected::line("DpcSta:")
            .flags([
                ("Trigger", status.triggered()),
                ("INT", status.interrupt()),
                ("RPBusy", status.root_port_busy()),
            ])
            .field(format!("Reason:{:02x}", status.reason()))
            .field(format!("TriggerExt:{:02x}", status.reason_extension()))
            .field(format!("RP PIO ErrPtr:{:02x}", status.first_pio_error())),
        Expected::line("Source:").field(format!("{:04x}", dpc.source)),
    ]
}

pub fn l1_substates(substates: L1Substates) -> Vec<Expected> {
    let (capabilities, control) = (substates.capabilities, substates.control);
    let timed = capabilities.pci_pm_l1_2() || capabilities.aspm_l1_2();
    let time = |time: PowerOnTime| match time.microseconds() {
        Some(time) => format!("{time}us"),
        None => "<error>".to_owned(),
    };
    let threshold = match control.threshold_ns() {
        Some(time) => format!("{time}ns"),
        None => "<error>".to_owned(),
    };
    vec![
        Expected::line("L1SubCap:")
            .flags([
                ("PCI-PM_L1.2", capabilities.pci_pm_l1_2()),
                ("PCI-PM_L1.1", capabilities.pci_pm_l1_1()),
                ("ASPM_L1.2", capabilities.aspm_l1_2()),
                ("ASPM_L1.1", capabilities.aspm_l1_1()),
                ("L1_PM_Substates", capabilities.supported()),
            ])
            .when(timed, |line| {
                line.field(format!(
                    "PortCommonModeRestoreTime={}us",
                    capabilities.common_mode_restore_us()
                ))
                .field(format!(
                    "PortTPowerOnTime={}",
                    time(capabilities.power_on())
                ))
            }),
        Expected::line("L1SubCtl1:")
            .flags([
                ("PCI-PM_L1.2", control.pci_pm_l1_2()),
                ("PCI-PM_L1.1", control.pci_pm_l1_1()),
                ("ASPM_L1.2", control.aspm_l1_2()),
                ("ASPM_L1.1", control.aspm_l1_1()),
            ])
            .when(timed, |line| {
                line.field(format!(
                    "T_CommonMode={}us",
                    control.common_mode_restore_us()
                ))
            })
            .when(capabilities.aspm_l1_2(), |line| {
                line.field(format!("LTR1.2_Threshold={threshold}"))
            }),
        Expected::line("L1SubCtl2:").when(timed, |line| {
            line.field(format!("T_PwrOn={}", time(substates.power_on)))
        }),
    ]
}

pub fn serial_number(number: SerialNumber) -> Vec<Expected> {
    vec![Expected::line("Device Serial Number").field(number.to_string())]
}

pub fn vendor(vendor: VendorSpecificExtended) -> Vec<Expected> {
    vec![
        Expected::line("Vendor Specific Information:")
            .field(format!("ID={:04x}", vendor.id))
            .field(format!("Rev={}", vendor.revision))
            .field(format!("Len={:03x}", vendor.length)),
    ]
}
